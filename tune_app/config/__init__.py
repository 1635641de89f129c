"""What a sweep is: read once, checked whole. Needs pydantic and PyYAML, nothing heavier."""

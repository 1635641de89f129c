"""Describe a sweep: read a search file once, check it as a whole, and use it typed afterwards.

Needs pydantic and PyYAML and nothing heavier, so that commands which only read results start fast.
"""

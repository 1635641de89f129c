"""Figures of the diagnostics, drawn from their tables in the style of the report."""

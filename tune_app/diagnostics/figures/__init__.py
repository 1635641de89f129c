"""Figures of the diagnostics: numbers in, ink out, in the look of the report's."""

"""Trials as rows, tables and text."""

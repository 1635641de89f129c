"""Figures of one sweep, and of several sweeps together."""

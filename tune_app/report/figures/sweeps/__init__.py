"""Figures of a sweep and of several sweeps."""

"""Figures: numbers first, then ink."""

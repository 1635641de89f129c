"""Figures: functions that compute their numbers, and functions that draw these."""

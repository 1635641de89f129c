"""A running service from Python."""

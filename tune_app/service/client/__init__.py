"""A Python client for a running service."""

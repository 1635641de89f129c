"""Rules for every request: access checks, limits, and the form of answers."""

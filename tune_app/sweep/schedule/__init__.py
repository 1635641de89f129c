"""Schedulers: they decide which trials continue, and which are stopped early or paused."""

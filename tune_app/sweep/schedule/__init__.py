"""What to train further: which trials continue, and which are stopped early or paused."""

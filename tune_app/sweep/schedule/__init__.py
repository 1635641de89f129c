"""What to train further: which trials go on, and which are stopped early."""

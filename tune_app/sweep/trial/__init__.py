"""One trial on a worker: its training, its best weights, and its files."""

"""Load named data sets as arrays, split them, and prepare batches for a network."""

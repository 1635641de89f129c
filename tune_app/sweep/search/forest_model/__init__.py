"""A model of all trials of a sweep: predicted learning curves, and the sampler that uses them."""

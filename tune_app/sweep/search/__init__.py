"""The choice of configurations: the feasible space, samplers, predefined configurations."""

"""What to try next: the feasible space, samplers, predefined configurations."""

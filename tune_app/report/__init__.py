"""Reports of sweeps, their figures, and exported networks with their model cards."""

"""Transfer of sweeps between storages: JSON, archives, and the mirror of a bucket."""

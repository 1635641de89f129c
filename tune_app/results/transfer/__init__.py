"""Transfer of sweeps between storages: as JSON, as archives, and by the mirror of a bucket."""

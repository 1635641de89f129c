"""Plain PyTorch: epochs, optimizers, schedules, checkpoints. Knows nothing of Ray."""

"""Train networks in plain PyTorch: epochs, optimizers, schedules, checkpoints. No Ray here."""

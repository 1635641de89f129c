"""Train networks in plain PyTorch, without Ray: epochs, optimizers, schedules, checkpoints."""

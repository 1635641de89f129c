"""The engine: a search under weight budgets, on Ray Tune and Optuna, known nowhere else."""

"""Hyperparameter search for small networks under weight budgets."""

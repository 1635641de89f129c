"""The engine: a search under weight budgets, on Ray Tune and Optuna, known nowhere else."""

import warnings

# Optuna imports tqdm's bar, which in a notebook asks for a package that nothing here needs.
warnings.filterwarnings("ignore", message="IProgress not found")

"""The engine: a search under weight budgets, on Ray Tune and Optuna, known nowhere else."""

import logging
import warnings

# In a notebook Ray, and the bar of tqdm that Optuna imports, ask for a package of no use here.
logging.getLogger("ray.widgets.util").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", message="IProgress not found")

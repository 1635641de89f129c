"""Running a sweep: a search under weight budgets. Only this package imports Ray and Optuna."""

import logging
import warnings

# In a notebook, Ray and the progress bar that Optuna imports ask for ipywidgets, which would
# show nothing here.
logging.getLogger("ray.widgets.util").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", message="IProgress not found")

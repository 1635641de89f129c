# %% [markdown]
# # 1 · A first sweep
#
# Which small convolutional network reads scikit-learn's 8 × 8 digits best with at most 2,000
# weights? And with at most 5,000? This notebook puts both questions into one search file, reads
# the answers, and ends with a network that was tested exactly once. The data set comes with
# scikit-learn, so nothing is downloaded.

# %%
import tempfile
from pathlib import Path

import tune_app

storage = tempfile.mkdtemp()  # use a permanent folder to keep the results

# %% [markdown]
# ## The search file
#
# Under `parameters`, a plain value is a constant, and a mapping describes what varies. Ranges
# include both ends. `budgets` are limits on the number of weights, and each budget has its own
# ranking. In `fill` mode the number of channels is not searched: tune-app computes the largest
# number that fits. Networks of one budget therefore differ in shape and training, but hardly in
# size.

# %%
search_file = Path(storage, "first.yaml")
search_file.write_text("""\
name: first
dataset: {name: digits, validation: 0.2}
model: cnn
budgets: [2k, 5k]
budget_mode: fill
parameters:
  conv_layers: {int: [2, 3]}
  head: gap
  batch_norm: {choice: [true, false]}
  lr: {float: [1e-3, 1e-1], log: true}
  epochs: 9
search: {trials: 12, seed: 0}
final: {top: 1, seeds: 3}
""")
config = tune_app.load_sweep_file(search_file)
print(f"varied: {', '.join(config.space.varied)}; up to {config.epochs} epochs")

# %% [markdown]
# Mistakes are found before any trial starts. All problems of a file are reported together, each
# with its line and how to fix it:

# %%
mistaken = search_file.read_text().replace("conv_layers", "conv_layer").replace("9", "nine")
wrong_file = Path(storage, "wrong.yaml")
wrong_file.write_text(mistaken)
try:
    tune_app.load_sweep_file(wrong_file)
except tune_app.SweepFileError as error:
    print("\n".join(map(str, error.problems)))

# %% [markdown]
# ## Running it
#
# `run_sweep` does the same as `tune-app run first.yaml`. While it runs, the cell shows a table
# that is updated in place. ASHA stops trials that look hopeless after 3 epochs; it compares them
# only with networks of the same budget. At the end, the winner of each budget is trained three
# more times and tested.

# %%
sweep = tune_app.run_sweep(search_file, storage=storage)

# %% [markdown]
# ## The answer
#
# There is one table for each budget. *accuracy* is measured on validation examples at the trial's
# best epoch. A star marks trials that were stopped early. A network that fits 2k also fits 5k, so
# it can appear in both rankings.

# %%
sweep.ranked(top=5)

# %% [markdown]
# The rows are plain dicts with unrounded numbers, and `frame()` returns them as a pandas
# DataFrame:

# %%
best = sweep.best(budget="5k")
print(f"{best.trial_id}: {best.weights:,} weights, val_accuracy {best.val_accuracy:.4f}")
sweep.ranked("5k").frame()[["trial_id", "weights", "conv_layers", "batch_norm", "lr", "epochs"]]

# %% [markdown]
# How much does accuracy gain from more weights? Each mark is a trial. The line connects the
# trials that no smaller network beats.

# %%
figures = sweep.figures()
figures["pareto"]

# %% [markdown]
# The learning curves of the best trials show whether more epochs would help. Dashed lines belong
# to the training data. They are measured while the weights still change during an epoch, so they
# can look worse than the solid lines of the validation data.

# %%
figures["learning-curves"]

# %% [markdown]
# ## How good is it really?
#
# The numbers above are too optimistic, because the winner is the luckiest of several networks on
# the very examples that chose it. That is why the search file asks for a final stage. It trains
# each budget's winner on training and validation examples together, with fresh seeds, and
# measures the test split once for each seed.

# %%
sweep.tested()

# %% [markdown]
# These are the numbers to publish: mean ± standard deviation over seeds, and the 95 % interval of
# the mean. With only three seeds the interval is rightly wide; `tune-app final first --seeds 10`
# would narrow it.
#
# ## Exporting the network
#
# An export is a folder with the weights, the configuration, the results and a model card. The
# loaded network takes examples as the data set stores them, as bytes or floats, and normalises
# them itself. Because there is a final stage, the export contains one of its replicates: the one
# with the first seed, not the luckiest one.

# %%
exported = sweep.export(Path(storage, "best"), budget="5k")
network = tune_app.load_export(Path(storage, "best"))
print(f"{exported.trial_id}: test accuracy {exported.test_accuracy:.4f}")
print(", ".join(sorted(path.name for path in Path(storage, "best").iterdir())))

# %%
import torch
from sklearn.datasets import load_digits

images, labels = load_digits(return_X_y=True)
inputs = torch.tensor(images[:10].reshape(-1, 1, 8, 8) * 255 / 16).round().byte()
print("read: ", network(inputs).argmax(1).tolist())
print("label:", labels[:10].tolist())

# %% [markdown]
# These ten images may be among those that the network was trained on. The cell shows how to call
# the network, not how good it is.
#
# **Next**: [a real study on FashionMNIST](02_fashion_mnist_budgets.ipynb), read from its record.

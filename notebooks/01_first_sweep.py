# %% [markdown]
# # 1 · A first sweep
#
# Which small convolutional network reads scikit-learn's 8 × 8 digits best if it may have at most
# 2,000 weights, or 5,000? This notebook asks that in one search file, reads the answer, and ends
# with a network that was tested once. The data set comes with scikit-learn; nothing is
# downloaded.

# %%
import tempfile
from pathlib import Path

import tune_app

storage = tempfile.mkdtemp()  # a folder of your own would keep what is found

# %% [markdown]
# ## The search file
#
# A plain value is a constant, a mapping says what varies, and both ends of a range are included.
# `budgets` are limits on the number of weights, each with a ranking of its own. In `fill` mode
# the number of channels is not searched but solved: the largest that fits. So networks of one
# budget differ in shape and training, not in size.

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
# A mistake does not wait until a trial fails. All problems of a file are told together, each with
# its line and the way out:

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
# `run_sweep` does what `tune-app run first.yaml` does. While it runs, the cell shows the live
# table in one place. Trials that look hopeless after 3 epochs end there (ASHA, among networks of
# the same budget only); the winner of each budget is trained again at the end, three times, and
# tested.

# %%
sweep = tune_app.run_sweep(search_file, storage=storage)

# %% [markdown]
# ## The answer
#
# A table per budget. *accuracy* is on validation examples, at the trial's best epoch; a star
# marks trials that were stopped early. A network that fits 2k fits 5k too and may be ranked in
# both.

# %%
sweep.ranked(top=5)

# %% [markdown]
# The rows are plain dicts with every number unrounded, and `frame()` gives them to pandas:

# %%
best = sweep.best(budget="5k")
print(f"{best.trial_id}: {best.weights:,} weights, val_accuracy {best.val_accuracy:.4f}")
sweep.ranked("5k").frame()[["trial_id", "weights", "conv_layers", "batch_norm", "lr", "epochs"]]

# %% [markdown]
# What does a weight buy? Each mark is a trial; the line joins those that no smaller network
# beats.

# %%
figures = sweep.figures()
figures["pareto"]

# %% [markdown]
# The learning curves of the best trials tell whether more epochs would help. Dashed lines are of
# the training data, measured while the weights changed, so they may lie above the solid ones.

# %%
figures["learning-curves"]

# %% [markdown]
# ## How good is it really?
#
# The numbers above flatter: the winner is the luckiest of several on the examples that chose it.
# That is why the file asks for a final stage. It trains each budget's winner on training and
# validation examples together, with fresh seeds, and measures the test split once per seed.

# %%
sweep.tested()

# %% [markdown]
# Publish these: mean ± standard deviation over seeds, and the 95 % interval of the mean. With
# three seeds the interval is wide, and rightly so; `tune-app final first --seeds 10` would narrow
# it.
#
# ## Taking the network along
#
# An export is a folder with weights, configuration, numbers and a model card. Read back, it takes
# examples as the data set has them, bytes or floats, and normalises them itself. A final stage
# exists, so the network exported is one of its replicates: the first seed, not the luckiest.

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
# The ten images are among those that it may have learnt from: this shows how a network is called,
# not how good it is.
#
# **Next**: [a real study on FashionMNIST](02_fashion_mnist_budgets.ipynb), read from its record.

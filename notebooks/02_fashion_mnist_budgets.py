# %% [markdown]
# # 2 · Which network for which budget, and how sure?
#
# This repository contains the records of two studies on FashionMNIST: fully connected networks
# with up to 50k, 100k and 200k weights, and convolutional networks with up to 10k, 20k, 50k and
# 100k. They ran for hours on two cores. Reading them takes seconds and needs neither Ray nor the
# data set, because everything is in the record. Run this notebook in a clone of the repository.

# %%
import tempfile
from pathlib import Path

import pandas as pd
import tune_app

studies = Path("../docs/reproductions")
storage = tune_app.open_storage(tempfile.mkdtemp())
fcn = storage.add(studies / "budgets_fcn" / "record.json")
cnn = storage.add(studies / "budgets_cnn" / "record.json")

# %% [markdown]
# ## What the studies searched
#
# A record contains the search file, versions, hardware, seeds, and the reason why each trial
# ended.

# %%
for sweep in (fcn, cnn):
    record = sweep.record
    print(f"{sweep.name}: {', '.join(sweep.config.space.varied)}")
    print(
        f"  {record.hardware['cores']} cores, torch {record.versions['torch']}, seed {record.seed}"
    )
    print(
        f"  {len(sweep.trials())} trainings, {record.epochs_saved} epochs saved by early stopping"
    )

# %% [markdown]
# ## What the search found
#
# In `fill` mode the widths are computed to fill the budget. *share* is therefore close to 100 %,
# and the networks of one budget differ in depth, taper and training. Of these 24 trials, 17 were
# stopped early. A star marks them, and their numbers are those that they had reached when they
# were stopped.

# %%
fcn.ranked("200k", top=4)

# %% [markdown]
# These are validation results of single training runs, and each is the best of many. They are
# good for choosing a network, but not for measuring it. The column *flattered by* in the second
# table below shows by how much they exceed the test accuracies.
#
# ## What the test says
#
# Each budget's winner was trained five more times on training and validation examples together,
# with fresh seeds. Each of these networks was tested once.

# %%
fcn.tested("200k")

# %%
winners = pd.concat(
    [sweep.tested().frame().assign(study=sweep.name) for sweep in (fcn, cnn)], ignore_index=True
)
winners["flattered by"] = winners["val_accuracy"] - winners["test_mean"]
columns = ["study", "budget", "trial_id", "val_accuracy", "test_mean", "test_std", "flattered by"]
winners[columns].round(4)

# %% [markdown]
# In every row the validation accuracy was higher than the test accuracy, although the tested
# networks had learnt from more examples. The gap is 1.6 to 5 standard deviations over seeds, and
# more at 100k, where the five seeds agree closely. It has two causes: the winner was chosen by
# its validation accuracy, and 6,000 validation examples are only a sample.
#
# ## Which network for which budget?

# %%
storage.compare("budgets_fcn", "budgets_cnn")

# %% [markdown]
# A star marks the best mean of a budget. `=` would mark a mean that cannot be distinguished from
# the best by Welch's t-test with Holm's correction. At 50k and 100k, where both kinds of networks
# were tested, the convolutional network wins by 3.5 and 2.9 percentage points. The spread over
# seeds is at most a quarter of a point, so five seeds leave no doubt. Even more striking, the
# convolutional network also wins across budgets:

# %%
from scipy import stats

small = cnn.tested("10k")[0]
large = fcn.tested("200k")[0]
gap = small["test_mean"] - large["test_mean"]
p_value = stats.ttest_ind(small["test_values"], large["test_values"], equal_var=False).pvalue
print(f"CNN, {small['weights']:,} weights: {small['test_mean']:.4f} ± {small['test_std']:.4f}")
print(f"FCN, {large['weights']:,} weights: {large['test_mean']:.4f} ± {large['test_std']:.4f}")
print(f"difference {gap:.4f}, Welch's p = {p_value:.2g}")

# %% [markdown]
# The convolutional network has a twentieth of the weights, trained for a fifth of the epochs, and
# is still 0.4 points better. The p-value shows how sure that is. The price is computing time:
# each weight is used at every position of the image, which costs that many more multiply-adds.

# %%
both = pd.concat([sweep.trials().frame() for sweep in (fcn, cnn)])
chosen = both[both["stage"] == "final"].groupby(["sweep", "budget", "source"])
chosen[["weights", "macs", "seconds", "test_accuracy"]].mean().round(4)

# %% [markdown]
# Here *budget* is the one that a trial was drawn for. `budgets_cnn` has no row for 100k, because
# the winner at 100k is the network that was drawn for 50k. The three trials drawn for 100k found
# no way to benefit from the additional weights. That says as much about the search as about the
# networks.
#
# ## How sure is all this?
#
# There are three sources of doubt, from the smallest to the largest:
#
# 1. **Seeds.** The interval of each mean is about ±0.2 points. That is the precision of five
#    seeds.
# 2. **Test examples.** With 10,000 of them, an accuracy of 0.92 has a 95 % interval of ±0.5
#    points (Wilson's). This is how far it might differ on other examples of the same kind.
#    However, all networks were tested on the same examples, so a difference between two networks
#    is much less uncertain than each accuracy.
# 3. **The search.** Each winner is the best of a handful of configurations. Another search may
#    find a better one. The record shows how far this search went.

# %%
cnn.figures()["pareto"]

# %%
cnn.figures()["rungs"]

# %% [markdown]
# The rungs show how early stopping worked: of the three trials for each budget, the worst after 3
# epochs was stopped, and the other two continued to the end. With 12 and 24 trials, these studies
# are small. `tune-app resume budgets_cnn --trials 40` would extend one, if you have its storage.
#
# **Next**: [a model and data of your own](03_own_model_and_data.ipynb).

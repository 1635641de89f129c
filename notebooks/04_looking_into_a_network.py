# %% [markdown]
# # 4 · Looking into a trained network
#
# A number says how often a network is right. It does not say where it errs, whether its
# confidence can be believed, or how it got there. Every trial of a sweep keeps its weights, so it
# can be asked.

# %%
import tempfile

import tune_app

storage = tempfile.mkdtemp()
sweep = tune_app.run_sweep(
    {
        "name": "looked_into",
        "dataset": {"name": "digits", "validation": 0.25},
        "model": "fcn",
        "budgets": ["3k"],
        "parameters": {
            "width": 32,
            "activation": "tanh",
            "optimizer": {"choice": ["adam", "sgd"]},
            "momentum": {"value": 0.9, "when": {"optimizer": ["sgd"]}},
            "lr": {"choice": [0.003, 0.03]},
            "batch_size": 64,
            "epochs": 12,
        },
        "search": {"sampler": "grid"},
        "scheduler": {"type": "none"},
        "record": {"weights_every": 1},  # keep the weights of every epoch, for the paths below
    },
    storage=storage,
)
sweep.ranked()

# %% [markdown]
# Four trainings of one network: two optimizers, two learning rates. The sets of weights they end
# in may be near each other or far apart; first the best of them by itself.
#
# ## What it sees, errs in and claims
#
# All of this is measured on validation examples. The test split is for the final stage alone; a
# diagnostic reads it only when told to, and that is recorded.

# %%
network = sweep.diagnose("network")
network

# %% [markdown]
# The numbers behind each figure are DataFrames. Which digits are hard?

# %%
print(", ".join(network.tables))
network.tables["accuracy-by-class"].sort_values("accuracy").head(4).round(3)

# %% [markdown]
# ## How it got there
#
# A path of the weights through training, thousands of dimensions, drawn in the two in which the
# paths of all four trainings move most. They start apart: each trial has a seed of its own.

# %%
sweep.diagnose("paths")

# %% [markdown]
# ## Are two solutions the same one?
#
# Walk from one trial's weights to another's in a straight line, and measure on the way. A hill
# between them says that the two trainings found different valleys: averaging their weights would
# give a bad network, although both are good.

# %%
first, second = (row["trial_id"] for row in sweep.ranked(top=2))
line = sweep.diagnose("interpolate", first, second)
line

# %%
line.tables["interpolate"].iloc[::5].round(3)

# %% [markdown]
# ## Size of gradients, and sharpness
#
# The gradient's norm was recorded in every epoch anyway. It falls as the loss does; where it does
# not, the learning rate keeps the weights bouncing.

# %%
sweep.diagnose("gradients").figures[0]

# %% [markdown]
# All of these are commands too, with files in place of outputs: `tune-app diagnose interpolate
# looked_into t0001 t0002 --to DIR`. Curvature, sensitivity to the batch size and memorisation of
# random labels are in [diagnostics](../docs/diagnostics.md).
#
# **Next**: [from the laptop to a cluster](05_laptop_to_cluster.ipynb).

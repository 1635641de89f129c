# %% [markdown]
# # 4 · Looking into a trained network
#
# The accuracy says how often a network is right. It does not say where the network makes
# mistakes, whether its confidence can be trusted, or how training got there. Every trial of a
# sweep keeps its weights, so these questions can be answered afterwards.

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
        "record": {"weights_every": 1},  # keep the weights of every epoch for the paths below
    },
    storage=storage,
)
sweep.ranked()

# %% [markdown]
# These are four training runs of the same network, with two optimizers and two learning rates.
# Their final weights may be close to each other or far apart. But first we look at the best of
# them alone.
#
# ## What the network sees, and where it is wrong
#
# All of this is measured on validation examples. The test split is reserved for the final stage.
# A diagnostic reads it only on request, and that is recorded.

# %%
network = sweep.diagnose("network")
network

# %% [markdown]
# The numbers behind each figure are available as DataFrames. Which digits are hard?

# %%
print(", ".join(network.tables))
network.tables["accuracy-by-class"].sort_values("accuracy").head(4).round(3)

# %% [markdown]
# ## How training got there
#
# During training, the weights follow a path through a space of thousands of dimensions. The
# figure shows the two directions in which the paths of all four trials move most. They start
# apart because each trial has its own seed.

# %%
sweep.diagnose("paths")

# %% [markdown]
# ## Are two solutions the same?
#
# We move along a straight line from the weights of one trial to those of another, and measure on
# the way. A hill in between means that the two runs ended in different valleys. The average of
# their weights would then be a bad network, although both networks are good.

# %%
first, second = (row["trial_id"] for row in sweep.ranked(top=2))
line = sweep.diagnose("interpolate", first, second)
line

# %%
line.tables["interpolate"].iloc[::5].round(3)

# %% [markdown]
# ## Size of the gradients
#
# Every sweep records the norm of the gradient in each epoch. It falls together with the loss.
# Where it does not, the learning rate is so high that the weights keep bouncing.

# %%
sweep.diagnose("gradients").figures[0]

# %% [markdown]
# All of these diagnostics are also commands, which write files instead: `tune-app diagnose
# interpolate looked_into t0001 t0002 --to DIR`. The page on [diagnostics](../docs/diagnostics.md)
# explains these and three more: curvature, sensitivity to the batch size, and memorisation of
# random labels.
#
# **Next**: [from the laptop to a cluster](05_laptop_to_cluster.ipynb).

# %% [markdown]
# # 3 · A model and data of your own
#
# A search is not limited to the two built-in kinds of networks. Any function that returns an
# `nn.Module` can take part. Its weights are counted before anything is trained, so weight budgets
# work for it too.

# %%
import tempfile

import torch
import tune_app
from torch import nn

storage = tempfile.mkdtemp()

# %% [markdown]
# ## Fifteen lines under a budget of 20,000 weights
#
# This network has depthwise-separable convolutions with a gate on each channel. The function
# receives the shape of an input, the number of outputs, and those of the searched parameters that
# its signature names.


# %%
class Gate(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weigh = nn.Linear(channels, channels)

    def forward(self, x):
        return x * self.weigh(x.mean((2, 3))).sigmoid()[:, :, None, None]


def gated(input_shape, outputs, channels=16, depth=2, kernel=3):
    layers = [nn.Conv2d(input_shape[0], channels, 1)]
    for _ in range(depth):
        layers += [nn.Conv2d(channels, channels, kernel, padding="same", groups=channels)]
        layers += [nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels), nn.ReLU()]
        layers += [Gate(channels)]
    layers += [nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * channels, outputs)]
    return nn.Sequential(*layers)


# %% [markdown]
# A parameter that the function does not accept is reported as a mistake before anything runs:

# %%
search = {
    "name": "gated",
    "dataset": {"name": "digits", "validation": 0.2},
    "model": "my_nets:gated",  # any name; the function itself is passed below
    "budgets": ["20k"],
    "fill": "channels",
    "parameters": {
        "depth": {"int": [1, 3]},
        "kernel": {"choice": [3, 5]},
        "lr": {"float": [3e-3, 3e-2], "log": True},
        "epochs": 4,
    },
    "search": {"trials": 4},
}
mistaken = search | {"parameters": search["parameters"] | {"kernels": 7}}
try:
    tune_app.run_sweep(mistaken, model=gated, storage=storage)
except tune_app.TuneAppError as error:
    print(error)

# %%
sweep = tune_app.run_sweep(search, model=gated, storage=storage)

# %%
sweep.ranked("20k")

# %% [markdown]
# `fill: channels` found the number of channels by bisection. Every network is as close to 20,000
# weights as a whole number of channels allows; one more channel would exceed the budget:

# %%
best = sweep.best("20k")
channels = best.config["channels"]
fixed = {name: best.config[name] for name in ("depth", "kernel")}
for width in (channels, channels + 1):
    built = gated((1, 8, 8), 10, channels=width, **fixed)
    print(f"{width} channels: {sum(p.numel() for p in built.parameters()):,} weights")

# %% [markdown]
# ## Data of your own
#
# A pair of tensors can replace a data set. Here they hold 1,500 points of two classes: a ring
# around a cloud. Only one point in ten lies on the ring, so accuracy is a poor measure: a network
# that never answers "ring" is right nine times in ten. The search therefore uses F1 as its
# objective, averaged over both classes, and also records the area under the ROC curve.

# %%
generator = torch.Generator().manual_seed(0)
points = 0.8 * torch.randn(1500, 2, generator=generator)
angle = 2 * torch.pi * torch.rand(150, generator=generator)
ring = torch.stack([angle.cos(), angle.sin()], 1)
points[:150] = 2.5 * ring + 0.15 * torch.randn(150, 2, generator=generator)
labels = (torch.arange(1500) < 150).long()

rings = tune_app.run_sweep(
    {
        "name": "rings",
        "dataset": {"name": "arrays", "validation": 0.25},
        "model": "fcn",
        "budgets": ["200", "1k"],
        "metrics": ["auroc"],
        "objective": {"metric": "val_f1_macro"},
        "parameters": {
            "layers": {"int": [1, 2]},
            "width": {"int": [4, 40]},
            "lr": {"float": [3e-3, 1e-1], "log": True},
            "batch_size": 32,
            "epochs": 12,
        },
        "search": {"trials": 8},
    },
    data=(points, labels),
    storage=storage,
)
rings.ranked(top=3)

# %% [markdown]
# `dataset.path` was filled in automatically. The tensors are saved next to the record, in a file
# named by the digest of their values, so that the sweep can be resumed and its exports can be
# evaluated. This is what the best network learnt:

# %%
import matplotlib.pyplot as plt

rings.export(f"{storage}/ring", trial=rings.best("1k").trial_id)
network = tune_app.load_export(f"{storage}/ring")
side = torch.linspace(-4, 4, 200)
grid = torch.cartesian_prod(side, side)
chance = network(grid).softmax(1)[:, 1].reshape(200, 200)

figure, axes = plt.subplots(figsize=(4.6, 4), layout="constrained")
shown = axes.contourf(side, side, chance.T, levels=10, cmap="Blues", vmin=0, vmax=1)
for label, color, name in ((0, "0.45", "cloud"), (1, "tab:orange", "ring")):
    members = points[labels == label]
    axes.scatter(*members.T, s=4, color=color, label=name)
axes.set(xlim=(-4, 4), ylim=(-4, 4), aspect="equal")
axes.legend(loc="upper left")
figure.colorbar(shown, label="chance of the ring")
plt.show()

# %% [markdown]
# Bad data is rejected before any trial runs, and the message says what is wrong and where:

# %%
points[17, 1] = torch.nan
try:
    tune_app.run_sweep(
        rings.record.config | {"name": "bad"}, data=(points, labels), storage=storage
    )
except tune_app.TuneAppError as error:
    print(error)

# %% [markdown]
# You can also replace the training loop by a generator of your own; see [own
# models](../docs/own-models.md).
#
# **Next**: [looking into a trained network](04_looking_into_a_network.ipynb).

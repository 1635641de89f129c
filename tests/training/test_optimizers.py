import subprocess
import sys

import pytest
import torch

from tune_app.config.parameters import TrainingParameters
from tune_app.training.optimizers import SGD, Adam, AdamW, RMSprop, build_optimizer

CASES = {
    "sgd": ({"optimizer": "sgd"}, SGD, {}),
    "nesterov": (
        {"optimizer": "sgd", "momentum": 0.9, "nesterov": True},
        SGD,
        {"momentum": 0.9, "nesterov": True},
    ),
    "adam": ({"optimizer": "adam", "momentum": 0.9}, Adam, {}),
    "adamw": ({"optimizer": "adamw"}, AdamW, {}),
    "rmsprop": (
        {"optimizer": "rmsprop", "momentum": 0.5},
        RMSprop,
        {"momentum": 0.5},
    ),
}


def trained(make_optimizer):
    torch.manual_seed(0)
    layer = torch.nn.Linear(5, 3)
    optimizer = make_optimizer(layer.parameters())
    for _ in range(20):
        optimizer.zero_grad()
        layer(torch.randn(8, 5)).square().sum().backward()
        optimizer.step()
    return layer.weight.detach()


@pytest.mark.parametrize(("values", "theirs", "options"), CASES.values(), ids=CASES)
def test_the_fast_kernels_do_what_the_slow_ones_do(values, theirs, options):
    training = TrainingParameters(lr=1e-2, weight_decay=0.1, **values)
    ours = trained(lambda weights: build_optimizer(weights, training))
    slow = {"lr": 1e-2, "weight_decay": 0.1, "foreach": False}
    expected = trained(lambda weights: theirs(weights, **slow, **options))
    torch.testing.assert_close(ours, expected)


def test_training_does_not_wait_for_the_compiler_to_be_imported():
    code = """
import sys, torch
from tune_app.config.parameters import TrainingParameters
from tune_app.training.optimizers import build_optimizer
layer = torch.nn.Linear(2, 2)
for name in ("sgd", "adam", "adamw", "rmsprop"):
    training = TrainingParameters(optimizer=name, lr=0.1)
    optimizer = build_optimizer(layer.parameters(), training)
    optimizer.zero_grad()
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
print("torch._dynamo" in sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("False\n", "")

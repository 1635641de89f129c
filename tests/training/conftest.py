"""What the training tests share: digits in memory, small networks, complete configs."""

from pathlib import Path

import pytest
import torch
from torch import nn

from tune_app.config.sections import DatasetConfig
from tune_app.config.trial_config import resolve_parameters
from tune_app.data.sets import load_search_data
from tune_app.training.loop import TrainingData

CPU = torch.device("cpu")


def load(name, **options):
    data = load_search_data(DatasetConfig(name=name, **options), Path("/nowhere"))
    return TrainingData.from_search(data, CPU)


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def digits():
    return load("digits")


@pytest.fixture(scope="session")
def few_digits():
    return load("digits", train_size=129)


@pytest.fixture(scope="session")
def sinc():
    return load("sinc")


@pytest.fixture
def make_fcn():
    def make(dropout=0.0, seed=0):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Dropout(dropout), nn.Linear(32, 10)
        )

    return make


@pytest.fixture
def make_cnn():
    def make(dropout=0.0, seed=0):
        torch.manual_seed(seed)
        return nn.Sequential(
            *(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(8, 8, 3), nn.Dropout2d(dropout), nn.Flatten(), nn.Linear(32, 10)),
        )

    return make


@pytest.fixture
def make_config():
    def make(**values):
        return resolve_parameters("fcn", {"epochs": 3, "batch_size": 64, **values}, fill=False)

    return make

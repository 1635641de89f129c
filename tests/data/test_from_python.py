"""Data given in Python: what they become, and what is refused."""

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, TensorDataset

from tune_app.config.sections import DatasetConfig
from tune_app.data.from_python import save_data
from tune_app.data.sets import load_search_data, load_test_data
from tune_app.errors import DataError

X = torch.rand(60, 1, 6, 5, generator=torch.Generator().manual_seed(0))
Y = torch.arange(60) % 3


class Pairs(Dataset):
    """A data set that says how many it has, and would never end by itself."""

    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index % len(self.items)]


def loaded(path, folder):
    return load_search_data(DatasetConfig(name="arrays", path=str(path)), folder)


@pytest.mark.parametrize(
    "given",
    [
        (X, Y),
        (X.numpy(), Y.numpy()),
        TensorDataset(X, Y),
        Pairs([(X[i], int(Y[i])) for i in range(60)]),
    ],
    ids=["tensors", "arrays", "data set", "plain labels"],
)
def test_every_form_becomes_the_same_file(tmp_path, given):
    path = save_data(given, tmp_path)
    assert path == save_data((X, Y), tmp_path)
    with np.load(path) as file:
        assert np.array_equal(file["x_train"], X.numpy())
        assert np.array_equal(file["y_train"], Y.numpy())
    data = loaded(path, tmp_path)
    assert (data.task, data.classes, data.input_shape) == (
        "classification",
        ("0", "1", "2"),
        (1, 6, 5),
    )


def test_a_test_split_and_a_regression_are_kept(tmp_path):
    targets = X.mean((1, 2, 3))
    path = save_data((X.flatten(1), targets), tmp_path, (X[:7].flatten(1), targets[:7]))
    data = loaded(path, tmp_path)
    assert (data.task, data.y_train.dtype) == ("regression", np.float32)
    x, y = load_test_data(DatasetConfig(name="arrays", path=str(path)), tmp_path)
    assert np.array_equal(x, X[:7].flatten(1).numpy())
    assert np.array_equal(y[:, 0], targets[:7].numpy())


def holed(place):
    x = X.clone()
    x[place] = torch.nan
    return x


REFUSED = {
    "not finite": (
        (holed((17, 0, 3, 4)), Y),
        None,
        "data: x_train[17, 0, 3, 4] is nan; expected finite numbers",
    ),
    "one class": (
        (X, Y * 0),
        None,
        "data: y_train has one class only (0); at least two are needed",
    ),
    "counts": ((X, Y[:9]), None, "data: y_train holds 9 values for 60 inputs"),
    "out of range": (
        (X, Y),
        (X[:3], Y[:3] + 7),
        "data: y_test[0] is 7 (3 such labels); expected a class from 0 to 2",
    ),
    "sizes": (
        Pairs([(X[0], 0), (X[1, :, :4], 1)]),
        None,
        "data: train[1] has the shape (1, 4, 5), but train[0] has (1, 6, 5); all inputs must "
        "have one shape",
    ),
    "no pair": (Pairs([X[0]]), None, "data: train[0] is not a pair of an input and its label"),
    "empty": (Pairs([]), None, "data: train is empty; give at least one example"),
    "a number": (
        3,
        None,
        "data: train is of type int; expected a pair of tensors or arrays, or a data set whose "
        "items are pairs",
    ),
}


@pytest.mark.parametrize(("train", "test", "told"), REFUSED.values(), ids=REFUSED)
def test_bad_data_are_refused_with_what_and_where(tmp_path, train, test, told):
    with pytest.raises(DataError) as refused:
        save_data(train, tmp_path, test)
    assert str(refused.value) == told
    assert list(tmp_path.iterdir()) == []

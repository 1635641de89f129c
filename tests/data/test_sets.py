"""The data sets that need no files, and what holds for all of them."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from tune_app.config.sections import DatasetConfig
from tune_app.data.sets import DataShape, channel_moments, data_shape, load_search_data
from tune_app.data.sets import load_test_data as load_test  # pytest would collect the name
from tune_app.errors import SpaceError

NOWHERE = Path("/nowhere")


def load(name="digits", **options):
    return load_search_data(DatasetConfig(name=name, **options), NOWHERE)


OPTIONS = [
    {"name": "digits"},
    {"name": "digits", "validation": 200, "test": 100, "seed": 3},
    {"name": "digits", "classes": (3, 8, 1), "train_size": 50},
    {"name": "sinc", "validation": 0.3},
    {"name": "sin", "train_size": 100},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_shape_foretold_is_that_of_what_is_loaded(options):
    config = DatasetConfig(**options)
    data = load_search_data(config, NOWHERE)
    assert data_shape(config, NOWHERE) == DataShape(
        data.task, data.input_shape, data.outputs, len(data.x_train), len(data.x_val)
    )


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_no_example_is_in_two_parts(options):
    config = DatasetConfig(**options)
    data = load_search_data(config, NOWHERE)
    parts = [data.x_train, data.x_val, load_test(config, NOWHERE)[0]]
    rows = [{x.tobytes() for x in part} for part in parts]
    # Two pairs of scikit-learn's digits are equal to the last pixel.
    assert len(rows[0] & rows[1]) + len(rows[0] & rows[2]) + len(rows[1] & rows[2]) <= 2
    if config.train_size is None and config.classes is None:
        assert sum(map(len, parts)) == (1797 if data.name == "digits" else 2000)


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    theirs = load_digits()
    data = load(validation=0.2)
    x_test, y_test = load_test(DatasetConfig(name="digits"), NOWHERE)
    ours = {
        (pixels.tobytes(), int(label))
        for x, y in [(data.x_train, data.y_train), (data.x_val, data.y_val), (x_test, y_test)]
        for pixels, label in zip(x, y, strict=True)
    }
    expected = np.rint(theirs.images * 255 / 16).astype(np.uint8)
    assert ours == {
        (pixels.tobytes(), int(label))
        for pixels, label in zip(expected, theirs.target, strict=True)
    }


def test_the_same_seed_splits_alike_and_another_one_differently():
    first, again, other = load(), load(), load(seed=1)
    assert np.array_equal(first.x_train, again.x_train)
    assert np.array_equal(first.x_val, again.x_val)
    assert not np.array_equal(first.x_val, other.x_val)
    assert first.digest == again.digest == other.digest


def test_no_option_of_a_search_moves_the_held_out_test_split():
    plain, seeded = DatasetConfig(name="digits"), DatasetConfig(name="digits", seed=5)
    small = DatasetConfig(name="digits", validation=300, train_size=100, random_labels=True)
    x, y = load_test(plain, NOWHERE)
    assert len(x) == 359  # a fifth of 1,797
    for config in (seeded, small):
        assert np.array_equal(load_test(config, NOWHERE)[0], x)
        assert np.array_equal(load_test(config, NOWHERE)[1], y)


def test_parts_hold_the_same_share_of_each_class():
    data = load()
    shares = [np.bincount(y) / len(y) for y in (data.y_train, data.y_val)]
    assert np.abs(shares[0] - shares[1]).max() < 0.01


def test_chosen_classes_are_numbered_anew_in_the_order_given():
    everything, some = load(), load(classes=(8, 3))
    assert some.classes == ("8", "3")
    assert set(some.y_train) == {0, 1}
    eights = {x.tobytes() for x in everything.x_train[everything.y_train == 8]}
    eights |= {x.tobytes() for x in everything.x_val[everything.y_val == 8]}
    assert {x.tobytes() for x in some.x_train[some.y_train == 0]} <= eights
    _, y_test = load_test(DatasetConfig(name="digits", classes=(8, 3)), NOWHERE)
    assert set(y_test) == {0, 1}


def test_random_labels_keep_inputs_and_class_sizes_and_nothing_else():
    honest, shuffled = load(), load(random_labels=True)
    assert np.array_equal(honest.x_train, shuffled.x_train)
    assert np.array_equal(np.bincount(honest.y_train), np.bincount(shuffled.y_train))
    assert 0.05 < (honest.y_train == shuffled.y_train).mean() < 0.15
    assert 0.02 < (honest.y_val == shuffled.y_val).mean() < 0.2


def test_curves_are_their_formulas():
    for name, formula in [
        ("sin", lambda x: np.sin(5 * np.pi * x)),
        ("sinc", lambda x: np.sinc(5 * x)),
    ]:
        data = load(name)
        assert data.classes == ()
        assert (data.x_train.dtype, data.y_train.dtype) == (np.float32, np.float32)
        np.testing.assert_allclose(data.y_train, formula(data.x_train.astype(float)), atol=1e-6)
        assert (data.x_train.min(), data.x_train.max()) >= (0, 0.99)


def test_classes_of_a_regression_are_refused():
    with pytest.raises(SpaceError) as refused:
        load("sin", classes=(0, 1))
    told = "dataset.classes: sin is a regression and has no classes; remove it"
    assert str(refused.value) == told


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_mean_and_deviation_are_of_each_channel(kind):
    x = np.random.default_rng(0).integers(0, 256, (20, 3, 5, 4)).astype(kind)
    x[:, 2] = 7
    one = 255 if kind is np.uint8 else 1
    mean, std = channel_moments(x)
    np.testing.assert_allclose(mean, x.mean((0, 2, 3), dtype=float) / one)
    np.testing.assert_allclose(std[:2], x[:, :2].std((0, 2, 3), dtype=float) / one)
    assert std[2] == 1  # a constant channel is left as it is


def test_what_a_search_sees_travels_without_copies():
    buffers = []
    data = load()
    copy = pickle.loads(
        pickle.dumps(data, protocol=5, buffer_callback=buffers.append), buffers=buffers
    )
    assert len(buffers) == 4
    assert np.shares_memory(copy.x_train, data.x_train)

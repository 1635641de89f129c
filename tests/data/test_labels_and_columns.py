"""Labels of every spelling, and numbers that 32 bits would change."""

import numpy as np
import pytest
from made_images import NOWHERE, summary_of

from tune_app.config.sections import DatasetConfig
from tune_app.data.sets import load_search_data
from tune_app.data.sets import load_test_data as load_test
from tune_app.errors import DataError, SpaceError

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(600, 4))
Y = np.arange(600) % 3


@pytest.fixture
def save(tmp_path):
    """Return a function that writes arrays and returns their path."""

    def write(**arrays):
        path = tmp_path / "own.npz"
        np.savez(path, **{"x_train": X, "y_train": Y, **arrays})
        return path

    return write


def refusal(path, **options):
    with pytest.raises(DataError) as refused:
        summary_of(path, "arrays", **options)
    return str(refused.value).removeprefix(f"{path}: ")


LABELS = {
    "from 1": (Y + 1, ("1", "2", "3")),
    "with gaps": (Y * 4, ("0", "4", "8")),
    "negative": (np.where(Y == 0, -1, 1), ("-1", "1")),
    "texts": (np.array(["dog", "cat", "cow"])[Y], ("cat", "cow", "dog")),
    "bytes": (np.array([b"no", b"yes", b"no"])[Y], ("no", "yes")),
    "years": (Y + 2020, ("2020", "2021", "2022")),
    "a column": ((Y + 1)[:, None], ("1", "2", "3")),
}


@pytest.mark.parametrize(("y", "names"), LABELS.values(), ids=LABELS)
def test_labels_of_any_spelling_become_named_classes(save, y, names):
    path = save(y_train=y, x_test=X[:90], y_test=y[:90])
    summary = summary_of(path, "arrays")
    assert summary.classes == names
    assert summary.notes == (
        f"the labels {', '.join(names)} became the classes 0 to {len(names) - 1}, in this order; "
        "the names are kept",
    )
    config = DatasetConfig(name="arrays", path=str(path))
    data = load_search_data(config, NOWHERE)
    for rows, codes in ((data.x_train, data.y_train), load_test(config, NOWHERE)):
        narrow = X.astype(np.float32)
        places = [int(np.flatnonzero((narrow == row).all(axis=1))[0]) for row in rows]
        flat = y.reshape(-1)
        said = [
            str(flat[place].decode() if flat.dtype.kind == "S" else flat[place]) for place in places
        ]
        assert said == [names[code] for code in codes]


def test_labels_from_0_need_no_line(save):
    assert summary_of(save(), "arrays").notes == ()


def test_classes_can_be_chosen_by_their_names(save):
    path = save(y_train=np.array(["dog", "cat", "cow"])[Y])
    assert summary_of(path, "arrays", classes="[dog, cow]").classes == ("dog", "cow")


BAD_LABELS = {
    "an empty text": (
        {"y_train": np.where(Y == 1, "", "a")},
        "y_train[1] is an empty text; every example needs a label",
    ),
    "targets of a regression": (
        {"y_train": np.arange(600) * 7},
        "y_train holds 600 different labels for 600 examples, too many for classes; for a "
        "regression save the targets as decimal numbers, with y.astype(float)",
    ),
    "a text that training has not": (
        {
            "y_train": np.array(["a", "b", "c"])[Y],
            "x_test": X[:2],
            "y_test": np.array(["a", "bird"]),
        },
        "y_test[1] is bird; expected one of the labels of y_train: a, b, c",
    ),
    "a label of validation that training has not": (
        {"x_val": X[:2], "y_val": np.array([0, 5])},
        "y_val[1] is 5; expected a class from 0 to 2",
    ),
    "a column less in the test part": (
        {"x_test": X[:5, :3], "y_test": Y[:5]},
        "x_test has inputs of the shape (3,), but x_train of (4,); both must have one shape",
    ),
    "nan in the test part": (
        {"x_test": np.full((1, 4), np.nan), "y_test": Y[:1]},
        "x_test[0, 0] is nan (4 such values); expected finite numbers",
    ),
    "a number less in the test part": (
        {"x_test": X[:5], "y_test": Y[:4]},
        "y_test holds 4 values for 5 inputs",
    ),
}


@pytest.mark.parametrize(("arrays", "message"), BAD_LABELS.values(), ids=BAD_LABELS)
def test_faults_of_every_part_are_found_at_the_start(save, arrays, message):
    assert refusal(save(**arrays)) == message


@pytest.mark.parametrize("key", ["val", "valid", "validation"])
def test_a_validation_part_judges_the_trials(save, key):
    path = save(**{f"x_{key}": X[:50], f"y_{key}": Y[:50], "ids": np.arange(600)})
    data = load_search_data(DatasetConfig(name="arrays", path=str(path)), NOWHERE)
    assert (len(data.x_train), len(data.x_val)) == (480, 50)
    assert summary_of(path, "arrays").lines() == [
        "train       480 examples from x_train: 0 160, 1 160, 2 160",
        f"validation  50 examples from x_{key}: 0 17, 1 17, 2 16",
        "test        120 examples held out of x_train: 0 40, 1 40, 2 40",
        "not read: 1 array of other names (ids)",
    ]


WHOLE = {
    "two": Y % 2,
    "three": Y,
    "from 1": Y + 1,
    "negative": np.where(Y == 0, -1, 1),
    "in a column": Y[:, None],
    "32 bits": Y.astype(np.float32),
}


@pytest.mark.parametrize("y", WHOLE.values(), ids=WHOLE)
def test_whole_labels_stored_as_decimals_are_said_with_the_way_out(save, y):
    path = save(y_train=y.astype(np.float64 if y.dtype.kind == "i" else y.dtype))
    with pytest.raises(SpaceError) as refused:
        summary_of(path, "arrays")
    listed = ", ".join(str(float(value)) for value in np.unique(y)[:3])
    assert str(refused.value) == (
        "objective.metric: the targets are decimal numbers, a regression, without accuracy; use "
        f"val_loss. All of them are whole ({listed}): if they are classes, save y.astype(int) "
        "instead"
    )
    assert summary_of(path, "arrays", objective="val_loss").notes == (
        f"y_train holds whole numbers stored as decimals ({listed}) and is read as a regression; "
        "if they are classes, save y.astype(int)",
    )


def test_targets_that_are_measurements_need_no_line(save):
    path = save(y_train=GENERATOR.normal(size=600))
    assert summary_of(path, "arrays", objective="val_loss").notes == ()
    with pytest.raises(SpaceError, match=r"use val_loss$"):
        summary_of(path, "arrays")


def with_column(values, number=2):
    x = X.astype(np.asarray(values).dtype if np.asarray(values).dtype.kind == "i" else float)
    x[:, number] = values
    return x


END = (
    "; subtract the mean and divide by the deviation of such a column, in 64 bits, before you "
    "save it"
)
LOSSY = {
    "too large": (
        with_column(np.linspace(0, 1e39, 600)),
        "x_train[:, 2] reaches 1e+39, beyond the 1e+37 that 32-bit numbers allow",
    ),
    "much too large": (
        with_column(np.linspace(-1e300, 0, 600)),
        "x_train[:, 2] reaches 1e+300, beyond the 1e+37 that 32-bit numbers allow",
    ),
    "too small": (
        with_column(np.linspace(0, 1e-40, 600)),
        "x_train[:, 2] varies by 2.89e-41 only, too little for 32-bit numbers",
    ),
    "seconds since 1970": (
        with_column(1_700_000_000 + np.arange(600.0)),
        "x_train[:, 2] has 600 different values, of which 32-bit numbers keep 6",
    ),
    "one value is left": (
        with_column(1e9 + np.arange(600) / 100),
        "x_train[:, 2] has 600 different values, of which 32-bit numbers keep 1",
    ),
    "whole numbers of 64 bits": (
        with_column(10**12 + np.arange(600)),
        "x_train[:, 2] has 600 different values, of which 32-bit numbers keep 1",
    ),
    "near 1": (
        with_column(1 + np.arange(600) * 1e-11),
        "x_train[:, 2] has 600 different values, of which 32-bit numbers keep 1",
    ),
}


@pytest.mark.parametrize(("x", "message"), LOSSY.values(), ids=LOSSY)
def test_a_column_that_32_bits_would_change_is_refused_by_name(save, x, message):
    assert refusal(save(x_train=x)) == message + END


def test_all_such_columns_are_named(save):
    x = np.tile(1e9 + np.arange(600)[:, None] / 100, 12)
    told = refusal(save(x_train=x))
    assert "x_train[:, 0] has" in told
    assert "x_train[:, 9] has" in told
    assert "; and 2 more columns; subtract" in told


def test_targets_and_channels_and_validation_are_checked_alike(save):
    y = 1e9 + np.arange(600) / 100
    assert refusal(save(y_train=y), objective="val_loss").startswith("y_train has 600 different")
    images = np.zeros((600, 2, 3, 3))
    images[:, 1] = (1e9 + np.arange(600) / 100)[:, None, None]
    assert refusal(save(x_train=images)).startswith("x_train[:, 1, ...] has 600 different")
    bad = save(x_val=np.full((9, 4), 1e39), y_val=Y[:9])
    assert refusal(bad).startswith("x_val[:, 0] reaches 1e+39")


def test_rounding_that_does_not_matter_is_no_fault(save):
    x = with_column(1e6 + 1000 * X[:, 0])
    assert summary_of(save(x_train=x), "arrays").notes == ()


def test_constant_and_equal_columns_are_said(save):
    x = np.concatenate([X, X[:, :1], np.ones((600, 2)), X[:, 3:]], axis=1)
    assert summary_of(save(x_train=x), "arrays").notes == (
        "x_train: 2 columns (5, 6) have one value each",
        "x_train: 2 columns (0, 4) are equal to each other",
        "x_train: 2 columns (3, 7) are equal to each other",
    )
    x[:, 6] = X[:, 1] + 1
    assert "x_train: column 5 has one value only" in summary_of(save(x_train=x), "arrays").notes


@pytest.mark.parametrize(
    ("shape", "asks"),
    [
        ((16, 16, 13), True),
        ((16, 16, 10), True),
        ((9, 9, 12), True),
        ((64, 48, 13), True),
        ((12, 12, 5), True),
        ((13, 16, 16), False),
        ((3, 24, 20), False),
        ((1, 28, 27), False),
        ((6, 6, 6), False),
    ],
)
def test_channels_that_may_be_last_are_asked_about(save, shape, asks):
    path = save(x_train=GENERATOR.normal(size=(60, *shape)), y_train=Y[:60])
    notes = summary_of(path, "arrays").notes
    if asks:
        channels, height, width = shape
        assert notes == (
            f"x_train of the shape {(60, *shape)} is read as {channels} channels of {height} x "
            f"{width} pixels; are these {channels} x {height} pixels with {width} channels? Then "
            "save x.transpose(0, 3, 1, 2)",
        )
    else:
        assert notes == ()

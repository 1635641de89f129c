"""Baselines: what scikit-learn gives, in rows; and nearest neighbours that are exact."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from tune_app.config.sections import Baseline, DatasetConfig
from tune_app.data.sets import load_search_data, load_test_data
from tune_app.errors import SpaceError
from tune_app.training.baselines import BaselineData, run_baselines
from tune_app.training.neighbours import nearest, nearest_by_fold

KEYS = [
    *("model", "k", "name", "test_accuracy", "train_accuracy", "cv_mean", "cv_std", "cv_folds"),
    *("seconds", "examples"),
]


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    x = (x * 15).astype(np.uint8).reshape(-1, 1, 8, 8)
    return x[:300], y[:300], x[300:500], y[300:500]


def measured(digits, *models: str, **fields) -> list[dict]:
    baselines = [Baseline(model=model, **fields) for model in models]
    return run_baselines(baselines, BaselineData(*digits), seed=3)


def flat(digits):
    x, y, x_test, y_test = digits
    return x.reshape(len(x), -1).astype(float), y, x_test.reshape(len(x_test), -1), y_test


FOLDS = StratifiedKFold(5, shuffle=True, random_state=3)


@pytest.mark.parametrize("points", [700, 40], ids=["many", "few"])
@pytest.mark.parametrize("kind", ["bytes", "far from the origin", "many duplicates"])
def test_the_nearest_are_those_of_brute_force(points, kind):
    rng = np.random.default_rng(0)
    if kind == "bytes":
        x = rng.integers(0, 256, (points + 50, 30)).astype(np.uint8)
    elif kind == "far from the origin":
        x = (1000 + 1e-2 * rng.standard_normal((points + 50, 30))).astype(np.float32)
    else:
        x = rng.integers(0, 2, (points + 50, 3)).astype(np.uint8)
    x, queries = x[:points], x[points:]
    exact = ((queries[:, None].astype(float) - x[None].astype(float)) ** 2).sum(axis=2)
    expected = np.argsort(exact, axis=1, kind="stable")[:, :7]
    assert (nearest(x, queries, 7) == expected).all()


def test_a_points_own_fold_is_left_out():
    rng = np.random.default_rng(1)
    x = rng.integers(0, 4, (300, 5)).astype(np.uint8)
    folds = rng.integers(0, 4, 300)
    among_all, in_others = nearest_by_fold(x, folds, 5)
    assert (among_all == nearest(x, x, 5)).all()
    for fold in range(4):
        rows = np.flatnonzero(folds == fold)
        others = np.flatnonzero(folds != fold)
        assert (in_others[rows] == others[nearest(x[others], x[rows], 5)]).all()


def test_blocks_do_not_change_the_neighbours(monkeypatch):
    x = np.random.default_rng(2).random((500, 4)).astype(np.float32)
    whole = nearest(x, x, 3)
    monkeypatch.setattr("tune_app.training.neighbours._BLOCK_ENTRIES", 500 * 7)
    assert (nearest(x, x, 3) == whole).all()
    assert (whole == NearestNeighbors(n_neighbors=3).fit(x).kneighbors(x)[1]).all()


def test_a_row_has_what_a_record_holds(digits):
    seen = []
    rows = run_baselines(
        [Baseline(model="ridge")], BaselineData(*digits), seed=3, on_done=seen.append
    )
    assert [list(row) for row in rows] == [KEYS]
    assert seen == rows
    (row,) = rows
    assert (row["model"], row["k"], row["name"]) == ("ridge", None, "ridge")
    assert (row["cv_folds"], row["examples"]) == (5, 300)
    assert row["seconds"] > 0


@pytest.mark.parametrize("k", [1, 4, 9])
def test_knn_is_scikit_learns(digits, k):
    x, y, x_test, y_test = flat(digits)
    (row,) = measured(digits, "knn", k=k)
    model = KNeighborsClassifier(k, algorithm="brute").fit(x, y)
    assert row["test_accuracy"] == pytest.approx(model.score(x_test, y_test))
    assert row["train_accuracy"] == pytest.approx(model.score(x, y))
    scores = cross_val_score(KNeighborsClassifier(k), x, y, cv=FOLDS)
    assert row["cv_mean"] == pytest.approx(scores.mean())
    assert row["cv_std"] == pytest.approx(scores.std(ddof=1))


def test_several_k_are_a_row_each_and_five_is_meant_where_none_is_named(digits):
    rows = measured(digits, "knn", k=(1, 3, 5))
    assert [(row["k"], row["name"]) for row in rows] == [
        (1, "knn, k = 1"),
        (3, "knn, k = 3"),
        (5, "knn, k = 5"),
    ]
    (unnamed,) = measured(digits, "knn")
    assert unnamed | {"seconds": 0} == rows[2] | {"seconds": 0}


def test_what_is_done_is_left_out(digits):
    baselines = [Baseline(model="knn", k=(1, 3, 3)), Baseline(model="ridge")]
    done = {"knn, k = 1", "ridge"}
    rows = run_baselines(baselines, BaselineData(*digits), seed=3, done=done)
    assert [row["name"] for row in rows] == ["knn, k = 3"]
    assert run_baselines(baselines, BaselineData(*digits), seed=3, done={*done, "knn, k = 3"}) == []


@pytest.mark.parametrize(
    ("name", "model", "scale"),
    [
        ("ridge", RidgeClassifier(), 1),
        ("logistic_regression", LogisticRegression(max_iter=1000), 255),
    ],
)
def test_linear_models_are_scikit_learns(digits, name, model, scale):
    x, y, x_test, y_test = flat(digits)
    (row,) = measured(digits, name)
    scores = cross_val_score(model, x / scale, y, cv=FOLDS)
    assert row["cv_mean"] == pytest.approx(scores.mean(), abs=0.002)
    assert row["cv_std"] == pytest.approx(scores.std(ddof=1), abs=0.002)
    model.fit(x / scale, y)
    assert row["test_accuracy"] == pytest.approx(model.score(x_test / scale, y_test), abs=0.004)
    assert row["train_accuracy"] == pytest.approx(model.score(x / scale, y), abs=0.002)


def test_a_forest_is_the_same_for_the_same_seed(digits):
    first, again = measured(digits, "random_forest") + measured(digits, "random_forest")
    assert first | {"seconds": 0} == again | {"seconds": 0}
    assert first["name"] == "random forest"
    assert first["test_accuracy"] > 0.75
    assert first["train_accuracy"] == 1


def test_features_of_any_scale_suit_the_logistic_regression():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 300)
    x = np.stack([1e6 + 10 * rng.random(300), 1e-6 * (labels + rng.random(300) / 2)], axis=1)
    x = x.astype(np.float32)
    rows = run_baselines(
        [Baseline(model="logistic_regression")],
        BaselineData(x[:200], labels[:200], x[200:], labels[200:]),
        seed=0,
    )
    assert rows[0]["test_accuracy"] == 1


def test_numbers_as_targets_are_refused():
    x, y = np.zeros((4, 1), dtype=np.float32), np.zeros((4, 1), dtype=np.float32)
    with pytest.raises(SpaceError) as caught:
        run_baselines([Baseline(model="ridge")], BaselineData(x, y, x, y), seed=0)
    assert str(caught.value) == (
        "baselines: the targets are numbers, but baselines predict classes; remove baselines"
    )


def test_more_neighbours_than_examples_are_refused(digits):
    with pytest.raises(SpaceError) as caught:
        measured(digits, "knn", k=(1, 241))
    assert str(caught.value) == (
        "baselines: knn with k = 241 has only 240 examples to choose from; give a smaller k"
    )


@pytest.mark.parametrize("model", ["knn", "ridge"])
def test_a_class_of_few_examples_has_fewer_folds_and_of_one_none(digits, model):
    x, y, x_test, y_test = digits
    nines = np.flatnonzero(y == 9)
    for left, folds in ((3, 3), (1, 0)):
        kept = np.setdiff1d(np.arange(len(y)), nines[left:])
        baseline = Baseline(model=model)
        (row,) = run_baselines([baseline], BaselineData(x[kept], y[kept], x_test, y_test), seed=0)
        assert row["cv_folds"] == folds
        assert (row["cv_mean"] is None) == (row["cv_std"] is None) == (folds == 0)
        assert row["test_accuracy"] > 0.7


# ---------------------------------------------------------------- on real data


def whole(name: str, root, **fields):
    """All training examples, those for validation too, and the test split."""
    config = DatasetConfig(name=name, **fields)
    data = load_search_data(config, root)
    x, y = np.concatenate([data.x_train, data.x_val]), np.concatenate([data.y_train, data.y_val])
    return x, y, *load_test_data(config, root)


@pytest.mark.slow
def test_knn_on_fashion_mnist_has_the_published_accuracy(data_root):
    x, y, x_test, y_test = whole("fashion_mnist", data_root)
    assert len(x) == 60_000
    neighbours = nearest(x.reshape(60_000, -1), x_test.reshape(10_000, -1), 5)
    votes = (y[neighbours][:, :, None] == np.arange(10)).sum(axis=1)
    assert round(float((votes.argmax(axis=1) == y_test).mean()), 4) == 0.8554


@pytest.mark.slow
@pytest.mark.parametrize(
    ("classes", "train", "test", "cv"),
    [((1, 8), 0.965, 0.980, 0.963), ((3, 8), 0.961, 0.964, 0.959), ((2, 7), 0.981, 0.973, 0.981)],
    ids=str,
)
def test_ridge_tells_pairs_of_digits_as_published(data_root, classes, train, test, cv):
    data = whole("mnist", data_root, classes=classes)
    (row,) = run_baselines([Baseline(model="ridge")], BaselineData(*data), seed=0)
    print(row)
    assert row["train_accuracy"] == pytest.approx(train, abs=0.01)
    assert row["test_accuracy"] == pytest.approx(test, abs=0.01)
    assert row["cv_mean"] == pytest.approx(cv, abs=0.01)

"""Fit the baselines that a network should beat: classical classifiers, trained without Ray."""

import time
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tune_app.config.sections import Baseline
from tune_app.errors import SpaceError
from tune_app.training.neighbours import nearest, nearest_by_fold

Array = NDArray[np.generic]
Row = dict[str, Any]

FOLDS = 5
NEIGHBOURS = 5  # where a search file names no k
TREES = 100
ITERATIONS = 200


@dataclass(frozen=True)
class BaselineData:
    """The examples that baselines are fitted on, and those that they are tested on."""

    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array


def run_baselines(
    baselines: Sequence[Baseline],
    examples: BaselineData,
    *,
    seed: int,
    done: Collection[str] = (),
    on_done: Callable[[Row], None] | None = None,
) -> list[Row]:
    """Return a row of measurements for each baseline; for knn, one for each k.

    Inputs are flattened, `(N, ...)` to `(N, features)`; labels are int64 `(N,)`. Every baseline is
    fitted on all training examples with the fixed choices below. Bytes stay 0 to 255, except in
    the logistic regression.

    - knn: Euclidean distances, one vote per neighbour, and ties go to the first class. This is
      `KNeighborsClassifier`, but one neighbour search serves all k.
    - logistic_regression: multinomial, L2 with C = 1, at most 200 iterations of L-BFGS, accepted
      even if not converged; bytes are divided by 255, other features are standardised.
    - random_forest: 100 fully grown trees, drawn by `seed`.
    - ridge: least squares on targets of ±1 for each class, L2 with alpha = 1 (`RidgeClassifier`).

    A row has `test_accuracy`, `train_accuracy`, and `cv_mean` and `cv_std` (sample standard
    deviation) of the accuracies in a stratified cross-validation of the training examples with
    folds shuffled by `seed`. `cv_folds` is 5, or the size of the smallest class if that is less;
    with a class of one example there is no cross-validation. `seconds` is the time that the row
    would take alone, `examples` the number of training examples. `on_done` is called with each
    row as soon as it is measured; baselines whose `name` is in `done` are skipped.

    Raises:
        SpaceError: The targets are numbers, or a k exceeds the number of examples.
    """
    if not np.issubdtype(examples.y_train.dtype, np.integer):
        raise SpaceError(
            "baselines: the targets are numbers, but baselines predict classes; remove baselines"
        )
    data = _Data(examples, seed)
    rows = []
    for baseline in baselines:
        for row in _rows(baseline, data, done):
            rows.append(row)
            if on_done is not None:
                on_done(row)
    return rows


class _Data:
    """Flattened examples, and the fold of each training example (None if they cannot be split)."""

    def __init__(self, examples: BaselineData, seed: int) -> None:
        self.x_train = examples.x_train.reshape(len(examples.x_train), -1)
        self.x_test = examples.x_test.reshape(len(examples.x_test), -1)
        self.y_train, self.y_test, self.seed = examples.y_train, examples.y_test, seed
        self.folds = _folds(examples.y_train, seed)
        self.fold_count = 0 if self.folds is None else int(self.folds.max()) + 1


def _folds(labels: Array, seed: int) -> NDArray[np.int64] | None:
    from sklearn.model_selection import StratifiedKFold

    count = min(FOLDS, int(np.unique(labels, return_counts=True)[1].min()))
    if count < 2:
        return None
    folds = np.empty(len(labels), dtype=np.int64)
    splits = StratifiedKFold(count, shuffle=True, random_state=seed).split(labels, labels)
    for fold, (_, held_out) in enumerate(splits):
        folds[held_out] = fold
    return folds


def _rows(baseline: Baseline, data: _Data, done: Collection[str]) -> Iterator[Row]:
    if baseline.model == "knn":
        wanted = NEIGHBOURS if baseline.k is None else baseline.k
        ks = (wanted,) if isinstance(wanted, int) else wanted
        if left := [k for k in dict.fromkeys(ks) if _knn_name(k) not in done]:
            yield from _knn_rows(left, data)
    elif (name := baseline.model.replace("_", " ")) not in done:
        yield _fitted_row(baseline.model, name, data)


def _knn_name(k: int) -> str:
    return f"knn, k = {k}"


def _fitted_row(kind: str, name: str, data: _Data) -> Row:
    begun = time.perf_counter()
    model = _build(kind, data)
    scores = []
    with warnings.catch_warnings():
        _accept_unconverged()
        for fold in range(data.fold_count):
            held_out = data.folds == fold
            model.fit(data.x_train[~held_out], data.y_train[~held_out])
            scores.append(model.score(data.x_train[held_out], data.y_train[held_out]))
        model.fit(data.x_train, data.y_train)
    test = model.score(data.x_test, data.y_test)
    train = model.score(data.x_train, data.y_train)
    return _Accuracies(test, train, scores).row(kind, None, name, data, begun)


def _knn_rows(ks: Sequence[int], data: _Data) -> Iterator[Row]:
    most, begun = max(ks), time.perf_counter()
    folds = data.folds
    to_choose_from = len(data.y_train)
    if folds is not None:
        to_choose_from -= int(np.bincount(folds).max())
    if most > to_choose_from:
        raise SpaceError(
            f"baselines: knn with k = {most} has only {to_choose_from:,} examples to choose from; "
            "give a smaller k"
        )
    for_test = nearest(data.x_train, data.x_test, most)
    if folds is None:
        for_train, for_folds = nearest(data.x_train, data.x_train, most), None
    else:
        for_train, for_folds = nearest_by_fold(data.x_train, folds, most)
    searched = time.perf_counter() - begun
    for k in ks:
        # Each k reuses one neighbour search, but computed alone it would need the search too.
        begun = time.perf_counter() - searched
        test = _votes(data.y_train[for_test[:, :k]]) == data.y_test
        train = _votes(data.y_train[for_train[:, :k]]) == data.y_train
        scores = []
        if for_folds is not None:
            right = _votes(data.y_train[for_folds[:, :k]]) == data.y_train
            scores = [right[folds == fold].mean() for fold in range(data.fold_count)]
        accuracies = _Accuracies(test.mean(), train.mean(), scores)
        yield accuracies.row("knn", k, _knn_name(k), data, begun)


def _votes(labels: Array) -> Array:
    """Return the most frequent label of each row, `(N, k)` to `(N,)`; the smallest in a tie."""
    classes, numbers = np.unique(labels, return_inverse=True)
    numbers = numbers.reshape(labels.shape)
    counts = np.zeros((len(labels), len(classes)), dtype=np.int64)
    for column in numbers.T:
        counts[np.arange(len(labels)), column] += 1
    most_frequent: Array = classes[counts.argmax(axis=1)]
    return most_frequent


@dataclass(frozen=True)
class _Accuracies:
    """The accuracies of one baseline: on the test, on the training examples, and by fold."""

    test: float
    train: float
    folds: Sequence[float]

    def row(self, model: str, k: int | None, name: str, data: _Data, begun: float) -> Row:
        """Return the row of a baseline whose measurement began at `begun`."""
        return {
            "model": model,
            "k": k,
            "name": name,
            "test_accuracy": float(self.test),
            "train_accuracy": float(self.train),
            "cv_mean": float(np.mean(self.folds)) if self.folds else None,
            "cv_std": float(np.std(self.folds, ddof=1)) if self.folds else None,
            "cv_folds": len(self.folds),
            "seconds": time.perf_counter() - begun,
            "examples": len(data.y_train),
        }


def _build(name: str, data: _Data) -> Any:
    """Return an estimator that is not fitted yet."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression, RidgeClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    match name:
        case "logistic_regression":
            bytes_ = data.x_train.dtype == np.uint8
            scale = FunctionTransformer(_to_shares) if bytes_ else StandardScaler()
            return make_pipeline(scale, LogisticRegression(max_iter=ITERATIONS))
        case "random_forest":
            return RandomForestClassifier(TREES, random_state=data.seed, n_jobs=-1)
    # Ridge solves normal equations, which are ill-conditioned in single precision.
    return make_pipeline(FunctionTransformer(_to_doubles), RidgeClassifier())


def _to_shares(x: Array) -> Array:
    return x.astype(np.float32) / np.float32(255)


def _to_doubles(x: Array) -> Array:
    return x.astype(np.float64)


def _accept_unconverged() -> None:
    from sklearn.exceptions import ConvergenceWarning

    warnings.simplefilter("ignore", ConvergenceWarning)

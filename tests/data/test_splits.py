import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_app.config.sections import DatasetConfig
from tune_app.data.splits import allocate, divide, plan_split
from tune_app.errors import SpaceError

COUNTS = (40, 60, 100)
CLASSES = ("cat", "dog", "7")


def plan(*, has_test=True, counts=COUNTS, **options):
    return plan_split(DatasetConfig(name="digits", **options), CLASSES, counts, has_test=has_test)


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=12).flatmap(
        lambda counts: st.tuples(st.just(counts), st.integers(0, sum(counts) - len(counts)))
    )
)
def test_a_total_is_shared_out_in_proportion_and_leaves_one_of_each_class(case):
    counts, total = case
    taken = allocate(counts, total)
    assert sum(taken) == total
    for count, share in zip(counts, taken, strict=True):
        assert 0 <= share <= count - 1
    if total <= sum(counts) / 2 and min(counts) >= 3:
        exact = [total * count / sum(counts) for count in counts]
        assert all(abs(share - want) < 1 for share, want in zip(taken, exact, strict=True))


def test_a_share_and_the_same_count_make_the_same_plan():
    assert plan(validation=0.1) == plan(validation=20)


def test_test_validation_and_training_add_up():
    split = plan(has_test=False, validation=0.25, test=0.2)
    assert split.held_out == (8, 12, 20)
    assert split.validation == (8, 12, 20)
    assert split.train == (24, 36, 60)


def test_the_validation_set_is_the_same_for_every_train_size():
    small, large = plan(train_size=30), plan(train_size=100)
    assert small.validation == large.validation == plan().validation
    assert (sum(small.train), sum(large.train)) == (30, 100)


def test_classes_are_kept_in_the_order_they_are_named_in_by_number_or_name():
    assert plan(classes=("7", 0)).chosen == (2, 0)
    assert plan(classes=("dog", "cat")).train == (54, 36)


def test_a_class_named_like_a_number_is_meant_by_that_number():
    assert plan(classes=(7, "cat")).chosen == (2, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"validation": 198},
            "dataset.validation: 198 is 198 of 200 examples; expected from 1 to 197, because one "
            "example of each class stays for training",
        ),
        (
            {"validation": 0.001},
            "dataset.validation: 0.001 is 0 of 200 examples; expected from 1 to 197, because one "
            "example of each class stays for training",
        ),
        (
            {"test": 200, "has_test": False},
            "dataset.test: 200 is 200 of 200 examples; expected from 1 to 197, because one "
            "example of each class stays for training",
        ),
        (
            {"train_size": 181},
            "dataset.train_size must be from 3 (one per class) to 180 "
            "(all examples outside validation), got 181",
        ),
        (
            {"classes": ("cat", "dgo")},
            "dataset.classes: no class 'dgo' among cat, dog, 7; did you mean 'dog'?",
        ),
        ({"classes": ("cat", 3)}, "dataset.classes: no class '3' among cat, dog, 7"),
        (
            {"classes": ("cat", 0)},
            "dataset.classes must name two or more different classes, got ['cat', 0]",
        ),
    ],
)
def test_an_option_that_asks_for_too_much_is_refused(options, message):
    with pytest.raises(SpaceError) as refused:
        plan(**options)
    assert str(refused.value) == message


def test_dividing_takes_the_planned_number_of_each_class_and_loses_none():
    labels = np.repeat([0, 1, 2], COUNTS)
    rest, taken = divide(labels, (4, 6, 10), (0, 1))
    assert np.bincount(labels[taken]).tolist() == [4, 6, 10]
    assert sorted([*rest, *taken]) == list(range(200))


def test_dividing_is_by_the_seed_alone():
    labels = np.repeat([0, 1, 2], COUNTS)
    first, again, other = (divide(labels, (4, 6, 10), (seed, 1))[1] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)

"""What is said of rare and dominant classes, and of data sets that come with the program."""

import json

import numpy as np
import pytest
from made_images import NOWHERE, pictures, summary_of

from tune_app.config.search_file import parse_sweep
from tune_app.data.data_checks import summarize_data
from tune_app.errors import DataMissingError, SpaceError
from tune_app.report import background
from tune_app.results.store import Resolved, SweepRecord


def of_counts(folder, counts, **options):
    path = folder / "own.npz"
    y = np.repeat(np.arange(len(counts)), counts)
    x = np.random.default_rng(0).normal(size=(len(y), 3))
    np.savez(path, x_train=x, y_train=y)
    return summary_of(path, "arrays", **options)


def absent(part, which, total):
    return (
        f"{part} has no example of class {which} ({total} in all); what a network answers for this "
        f"class does not change its {part} accuracy"
    )


def dominant(share, name="0"):
    return (
        f"{share} of the training examples are of class {name}, so a network that always answers "
        "it has about that accuracy; consider objective: {metric: val_balanced_accuracy}"
    )


RARE = {
    "3 of 2,000": ((1997, 3), [absent("validation", 1, 3), dominant("99.9%")]),
    "1 of 100": (
        (99, 1),
        [absent("validation", 1, 1), absent("test", 1, 1), dominant("98.6%")],
    ),
    "one of three classes": ((100, 100, 2), [absent("validation", 2, 2), absent("test", 2, 2)]),
    "enough of each": ((100, 100, 100), []),
    "93 %": ((930, 70), [dominant("93.1%")]),
    "just 90 %": ((900, 100), []),
}


@pytest.mark.parametrize(("counts", "warnings"), RARE.values(), ids=RARE)
def test_a_class_that_a_split_lacks_or_that_dominates_is_said(tmp_path, counts, warnings):
    assert list(of_counts(tmp_path, counts).warnings) == warnings


def test_another_objective_needs_no_word_about_dominance(tmp_path):
    assert of_counts(tmp_path, (930, 70), objective="val_f1_macro").warnings == ()


def test_many_classes_without_examples_are_said_in_one_line(tmp_path):
    (told, *_) = of_counts(tmp_path, [2] * 10).warnings
    assert told.startswith("validation has no example of 8 of 10 classes: ")
    assert told.endswith("(2 in all); add examples, or hold out more for validation")


@pytest.mark.parametrize("count", [2, 3, 5, 10, 40])
def test_one_example_for_each_class_is_too_few(tmp_path, count):
    for number in range(count):
        pictures(tmp_path / f"c{number}", 1)
    with pytest.raises(SpaceError) as refused:
        summary_of(tmp_path)
    assert str(refused.value) == (
        f"dataset.test: too few examples: {count} of {count} classes, of which one of each class "
        "stays for training, so none is left for test; add examples"
    )


def of_set(name, more=""):
    text = f"name: some\nmodel: fcn\ndataset: {{name: {name}}}\n{more}"
    return summarize_data(parse_sweep(text, source="some.yaml"), NOWHERE)


def test_digits_and_curves_are_described():
    assert [split.total for split in of_set("digits").splits] == [1294, 144, 359]
    assert of_set("sin").lines() == [
        "train       1,440 examples from sin",
        "validation  160 examples held out of sin",
        "test        400 examples held out of sin",
    ]


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_a_published_set_need_not_be_there_yet(name):
    summary = of_set(name, "final: {top: 1}\n")
    assert [split.name for split in summary.splits] == ["train", "validation"]
    assert summary.notes[0].startswith(f"not checked, because it is not there yet: {name} is not")


def test_a_test_part_that_is_missing_matters_only_to_the_final_stage(data_root, tmp_path):
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for file in (data_root / "FashionMNIST" / "raw").glob("train-*"):
        (raw / file.name).symlink_to(file)
    text = "name: some\nmodel: fcn\ndataset: {name: fashion_mnist}\n"
    searched = summarize_data(parse_sweep(text, source="some.yaml"), tmp_path)
    assert "not checked, because it is not there yet" in searched.notes[0]
    with pytest.raises(DataMissingError, match="t10k"):
        summarize_data(parse_sweep(text + "final: {top: 1}\n", source="some.yaml"), tmp_path)


def test_the_record_keeps_the_summary_and_the_report_shows_it(tmp_path):
    summary = of_counts(tmp_path, (1997, 3))
    settled = Resolved(task="classification", data=summary.to_json())
    read = Resolved.from_json(json.loads(json.dumps(settled.to_json())))
    assert read.data_summary == summary
    assert Resolved().data_summary is None
    text = "name: some\nmodel: fcn\ndataset: {name: arrays, path: own.npz}\n"
    sweep = SweepRecord(
        name="some",
        dataset="arrays",
        model="fcn",
        config=parse_sweep(text, source="some.yaml").to_dict(),
        resolved=read,
    )
    shown = str(background.data(sweep, None))
    for line in summary.lines():
        assert line in shown

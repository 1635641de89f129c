"""Broken search files: every problem, with its line, key, rule, value and way out."""

from pathlib import Path

import pytest

from tune_app.config.search_file import load_sweep_file, parse_sweep
from tune_app.errors import SweepFileError


def read_cases():
    text = (Path(__file__).parent / "broken_files.txt").read_text()
    for case in text.split("\n=== ")[1:]:
        title, *lines = case.rstrip("\n").split("\n")
        file = "".join(f"{line}\n" for line in lines if not line.startswith("--> "))
        told = [line.removeprefix("--> ") for line in lines if line.startswith("--> ")]
        yield pytest.param(file, told, id=title)


def message(source, told):
    count = "1 problem" if len(told) == 1 else f"{len(told)} problems"
    return "\n  ".join([f"{source}: {count}", *told])


@pytest.mark.parametrize(("file", "told"), list(read_cases()))
def test_every_problem_of_a_broken_file_is_told(file, told):
    with pytest.raises(SweepFileError) as caught:
        parse_sweep(file, source="f.yaml")
    assert str(caught.value) == message("f.yaml", told)


def test_a_file_of_control_characters_is_no_text():
    with pytest.raises(SweepFileError) as caught:
        parse_sweep("name: a\0b", source="f.yaml")
    assert str(caught.value) == "f.yaml: 1 problem\n  not a text file: it has control characters"


def test_a_file_that_is_not_there_is_told_with_its_nearest_neighbour(tmp_path):
    (tmp_path / "digits.yaml").touch()
    with pytest.raises(SweepFileError) as caught:
        load_sweep_file(tmp_path / "digit.yaml")
    told = "there is no such file; did you mean 'digits.yaml'?"
    assert str(caught.value) == message(tmp_path / "digit.yaml", [told])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"name: \xff\xfe", "is not UTF-8 text; save it with that encoding"),
        (b"# " + b"x" * 1_000_000, "is larger than 1 MB"),
    ],
    ids=["not UTF-8", "too large"],
)
def test_a_file_that_cannot_be_a_search_file_is_refused(tmp_path, content, told):
    (tmp_path / "f.yaml").write_bytes(content)
    with pytest.raises(SweepFileError) as caught:
        load_sweep_file(tmp_path / "f.yaml")
    assert str(caught.value) == message(tmp_path / "f.yaml", [told])


def test_a_folder_is_no_search_file(tmp_path):
    with pytest.raises(SweepFileError) as caught:
        load_sweep_file(tmp_path)
    assert str(caught.value) == message(tmp_path, ["cannot be read: Is a directory"])


FILE = """\
name: f
dataset: {name: digits}
model: fcn
budgets: [1k, 2k]
parameters:
  lr: 0.1
  dropout: {value: 0.1, when: {budget: [1k]}}
  layers: {value: 2, when: {budget: [1k, 2k]}}
search: {trials: 4}
"""


def test_overrides_replace_values_and_make_sections():
    overrides = [
        ("search.trials", 9),
        ("scheduler.type", "none"),
        ("parameters.lr.float", [0.1, 1]),
    ]
    with pytest.raises(SweepFileError) as caught:
        parse_sweep(FILE, source="f.yaml", overrides=overrides)
    told = "parameters.lr.float: 0.1 has no float; set the whole value instead"
    assert str(caught.value) == message("f.yaml", [told])
    config = parse_sweep(FILE, source="f.yaml", overrides=overrides[:2])
    assert (config.search.trials, config.scheduler.type) == (9, "none")


def test_problems_of_overrides_have_no_line():
    overrides = [("search.trails", 5), ("parameters.lr", "fast"), ("modle", "cnn")]
    with pytest.raises(SweepFileError) as caught:
        parse_sweep(FILE.replace("trials: 4", "trials: 0"), source="f.yaml", overrides=overrides)
    assert str(caught.value) == message(
        "f.yaml",
        [
            "line 9: search.trials: must be a whole number from 1 to 100,000, got 0",
            "modle: unknown key 'modle'; did you mean 'model'?",
            "search.trails: unknown key 'trails', expected one of sampler, trials, seed, "
            "time_limit, start_with, start_from; did you mean 'trials'?",
            "parameters.lr: must be a number above 0, got 'fast'",
        ],
    )


def test_budgets_set_from_outside_drop_what_exists_only_for_others():
    config = parse_sweep(FILE, source="f.yaml", overrides=[("budgets", ["2k"])])
    assert set(config.parameters) == {"lr", "layers"}
    assert config.parameters["layers"].when == {"budget": (2000,)}

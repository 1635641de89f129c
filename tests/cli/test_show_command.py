"""`show`: the ranked table."""

import csv
import io

import pytest
from reading import call, record_sweep, said, shown

from tune_app.config.budget import parse_budget
from tune_app.errors import SpaceError, TuneAppError, UnknownSweepError
from tune_app.results.store import SweepRecord


def test_show_has_a_table_for_each_budget(store):
    record_sweep(store)
    text = said("show", "study", "--top", "2")
    assert [line.rstrip() for line in text.splitlines()] == [
        "study  complete; cnn on digits, largest val_accuracy first",
        "",
        "at most 2k weights",
        "#  trial   accuracy    loss  weights  share  epochs  seconds     lr  optimizer",
        "─" * 78,
        "1  t0011     0.1100  0.8900     1989  99.5%       1     11.0  0.011  sgd",
        "2  t0009*    0.0900  0.9100     1991  99.6%       1      9.0  0.009  sgd",
        "* ended before its last epoch, and counted with its best one",
        "the best 2 of 6 ranked trials",
        "",
        "at most 5k weights",
        "#  trial  accuracy    loss  weights  share  epochs  seconds     lr  optimizer",
        "─" * 77,
        "1  t0011    0.1100  0.8900     1989  39.8%       1     11.0  0.011  sgd",
        "2  t0010    0.1000  0.9000     4990  99.8%       1     10.0   0.01  adam",
        "the best 2 of 9 ranked trials",
        "",
        "not ranked: 3 failed; t0004: RuntimeError: out of luck",
    ]


@pytest.mark.parametrize("options", [["--budget", "2k,5000"], ["--budget", "5k", "--budget", "2k"]])
def test_budgets_are_repeated_or_comma_separated(store, options):
    record_sweep(store)
    rows = shown("study", *options, "--top", "1")
    assert [(row["table_budget"], row["trial_id"]) for row in rows] == [
        (2000, "t0011"),
        (5000, "t0011"),
    ]


def test_any_budget_can_be_asked_for(store):
    record_sweep(store)
    rows = shown("study", "--budget", "1990")
    assert [(row["trial_id"], row["rank"]) for row in rows] == [("t0011", 1)]


def test_a_budget_that_is_none_is_refused(store):
    record_sweep(store)
    with pytest.raises(SpaceError) as reason:
        parse_budget("2q")
    with pytest.raises(TuneAppError) as raised:
        call("show", "study", "--budget", "2k,2q")
    assert str(raised.value) == f"--budget: {reason.value}"


def test_show_all_holds_every_trial_unranked_ones_last(store):
    record_sweep(store)
    rows = shown("study", "--all")
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5, 6, 2, 5, 8, None, None, None]
    assert [row["budget"] for row in rows] == [2000] * 6 + [5000] * 6
    assert [row["trial_id"] for row in rows[-3:]] == ["t0004", "t0008", "t0012"]
    text = said("show", "study", "--all")
    assert "all trials" in text
    assert len([line for line in text.splitlines() if " t00" in line]) == 12 + 1  # and the note


def test_show_all_can_be_sorted_cut_and_limited_to_a_budget(store):
    record_sweep(store)
    slowest = shown("study", "--all", "--sort", "-seconds", "--top", "3")
    assert [row["seconds"] for row in slowest] == [12.0, 11.0, 10.0]
    assert [row["trial_id"] for row in shown("study", "--all", "--sort", "-val_accuracy")][-3:] == [
        "t0004",
        "t0008",
        "t0012",
    ]
    assert {row["budget"] for row in shown("study", "--all", "--budget", "2k")} == {2000}


def test_the_best_can_be_shown_in_another_order(store):
    record_sweep(store)
    rows = shown("study", "--budget", "2k", "--top", "3", "--sort", "lr")
    assert [(row["rank"], row["trial_id"]) for row in rows] == [
        (3, "t0007"),
        (2, "t0009"),
        (1, "t0011"),
    ]
    with pytest.raises(TuneAppError) as raised:
        call("show", "study", "--sort", "wieghts")
    assert str(raised.value) == "no column 'wieghts' to sort by: did you mean 'weights'?"


@pytest.mark.parametrize(
    ("suffix", "start"),
    [
        ("csv", "sweep,trial_id,"),
        ("json", "[\n  {\n"),
        ("md", "## study\n"),
        ("tex", "% needs \\usepackage{booktabs}"),
        ("html", "<!doctype html>\n"),
        ("txt", "study  complete; "),
    ],
)
def test_show_writes_a_file_in_the_format_of_its_suffix(store, tmp_path, suffix, start):
    record_sweep(store)
    path = tmp_path / f"table.{suffix}"
    result = call("show", "study", "--output", str(path))
    assert (result.stdout, result.stderr) == ("", f"wrote {path}\n")
    assert path.read_text(encoding="utf-8").startswith(start)


def test_a_file_that_cannot_be_written_is_named(store, tmp_path):
    record_sweep(store)
    path = tmp_path / "missing" / "table.csv"
    with pytest.raises(TuneAppError) as raised:
        call("show", "study", "--output", str(path))
    assert str(raised.value) == f"cannot write {path}: No such file or directory"


def test_csv_has_a_row_for_every_trial(store):
    record_sweep(store)
    rows = list(csv.DictReader(io.StringIO(said("show", "study", "--all", "--format", "csv"))))
    assert len(rows) == 12
    assert (rows[0]["trial_id"], rows[0]["lr"], rows[0]["optimizer"]) == ("t0011", "0.011", "sgd")


def test_an_unknown_sweep_is_answered_with_the_nearest(store):
    record_sweep(store)
    for command in (["show"], ["trial", "t0001"], ["note"], ["archive"], ["delete"], ["prune"]):
        with pytest.raises(UnknownSweepError) as raised:
            call(command[0], "stdy", *command[1:])
        assert str(raised.value) == (f"no sweep 'stdy' in {store.storage}: did you mean 'study'?")


def test_a_running_sweep_tells_how_far_it_is(store):
    record_sweep(store, status="running")
    store.claim("study")
    store.update_trial("study", "t0001", status="running")
    lines = said("show", "study").splitlines()
    assert lines[1] == "running: 11 of 12 trials have ended, last heartbeat 0 s ago"
    assert lines[-1] == "not ranked: 1 running, 3 failed; t0004: RuntimeError: out of luck"


def test_an_interrupted_sweep_tells_how_to_go_on(store):
    record_sweep(store, status="running", stop_reason="terminated", refused={"2000": 2, "5000": 1})
    lines = said("show", "study").splitlines()
    assert lines[1] == "interrupted (terminated); continue with: tune-app resume study"
    assert lines[-1] == (
        "3 draws were refused before training (2k: 2, 5k: 1): too large, or impossible to build; "
        "no epoch was spent on them"
    )


def test_a_sweep_that_has_just_begun_can_be_shown(store):
    store.create_sweep(SweepRecord("young", "digits", "fcn"))
    assert "no trial has a result yet" in said("show", "young")
    assert shown("young") == shown("young", "--all") == []
    for name in ("csv", "markdown", "latex", "html", "table"):
        said("show", "young", "--format", name)
        said("show", "young", "--all", "--format", name)

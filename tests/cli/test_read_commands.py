"""list, show, trial and the commands that keep a storage in order, as a user calls them."""

import csv
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from tune_app.cli.read import register
from tune_app.config.budget import parse_budget
from tune_app.errors import (
    SpaceError,
    SweepBusyError,
    TuneAppError,
    UnknownSweepError,
    UnknownTrialError,
)
from tune_app.results.store import EpochRecord, Store, SweepRecord, TrialRecord, open_store
from tune_app.results.store.schema import insert_statement, to_row


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("TUNE_APP_STORAGE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "100")
    return open_store(tmp_path)


def call(*arguments: str, **options: Any) -> Result:
    app = typer.Typer()
    register(app)
    result = CliRunner().invoke(app, arguments, **options)
    if isinstance(result.exception, TuneAppError):
        raise result.exception
    return result


def said(*arguments: str, **options: Any) -> str:
    result = call(*arguments, **options)
    assert result.exit_code == 0, result.output
    return result.stdout


def shown(*arguments: str) -> list[dict[str, Any]]:
    rows = json.loads(said("show", *arguments, "--format", "json"))
    assert isinstance(rows, list)
    return rows


def record_sweep(store: Store, name: str = "study", trials: int = 12, **fields: Any) -> None:
    """Record a complete sweep: trial n has accuracy n/100; every fourth failed."""
    config = {
        "objective": {"metric": "val_accuracy", "mode": "max"},
        "parameters": {"lr": {"float": [0.001, 0.1]}, "optimizer": {"choice": ["adam", "sgd"]}},
        "search": {"trials": trials},
    }
    values: dict[str, Any] = {"status": "complete", "budgets": (2000, 5000), "config": config}
    store.create_sweep(SweepRecord(name, "digits", "cnn", **(values | fields)))
    for number in range(1, trials + 1):
        budget = 2000 if number % 2 else 5000
        parameters = {"lr": number / 1000, "optimizer": ["adam", "sgd"][number % 2]}
        failed = number % 4 == 0
        trial_id = f"t{number:04}"
        store.add_trial(
            TrialRecord(
                name,
                trial_id,
                number,
                status="failed" if failed else "stopped" if number % 3 == 0 else "finished",
                budget=budget,
                weights=budget - number,
                parameters=parameters,
                config=parameters | {"batch_norm": True},
                val_accuracy=None if failed else number / 100,
                val_loss=None if failed else 1 - number / 100,
                best_epoch=None if failed else 1,
                seconds=float(number),
                error="Traceback:\nRuntimeError: out of luck" if failed else None,
                stop_reason="asha" if number % 3 == 0 else "epochs",
            )
        )
        if not failed:
            store.record_epoch(EpochRecord(name, trial_id, 1, val_loss=0.5, lr=0.1, seconds=1.0))


# ------------------------------------------------------------------------- list


def test_an_empty_storage_says_how_to_start(store):
    assert said("list") == (
        f"no sweeps in {store.storage} yet: `tune-app run FILE` starts one,"
        " search_spaces/digits_cnn.yaml for instance\n"
    )
    assert json.loads(said("list", "--json")) == []
    assert not (store.storage / "tune_app.db").exists()


def test_the_storage_is_the_options_then_the_environments_then_the_current_folder(
    store, tmp_path, monkeypatch
):
    record_sweep(store)
    assert "study" in said("list")
    assert "no sweeps in elsewhere yet" in said("list", "--storage", "elsewhere")
    monkeypatch.delenv("TUNE_APP_STORAGE")
    monkeypatch.chdir(tmp_path)
    assert "no sweeps in tune_results yet" in said("list")


def test_list_as_json_has_a_best_value_for_each_budget(store):
    record_sweep(store, "first", created=1.0)
    record_sweep(store, "second", created=2.0, budgets=())
    second, first = json.loads(said("list", "--json"))
    contract = {
        "name": "first",
        "status": "complete",
        "dataset": "digits",
        "model": "cnn",
        "budgets": [2000, 5000],
        "trials": 12,
        "best": {"2000": 0.11, "5000": 0.11},
    }
    assert {key: first[key] for key in contract} == contract
    assert (second["name"], second["budgets"], second["best"]) == ("second", [], {"all": 0.11})


def test_list_for_a_person(store):
    record_sweep(store, created=time.time())
    store.update_sweep("study", note="the [first] one")
    lines = [" ".join(line.split()) for line in said("list").splitlines()]
    assert lines[0] == "sweep status data model trials best per budget started"
    assert lines[2:] == [
        "study complete digits cnn 12 2k 0.1100 0 s ago",
        "the [first] one 5k 0.1100",
    ]


# ------------------------------------------------------------------------- show


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
    assert lines[1] == "running: 11 of 12 trials have ended, last heard of 0 s ago"
    assert lines[-1] == "not ranked: 1 running, 3 failed; t0004: RuntimeError: out of luck"


def test_an_interrupted_sweep_tells_how_to_go_on(store):
    record_sweep(store, status="running", stop_reason="terminated", refused={"2000": 2, "5000": 1})
    lines = said("show", "study").splitlines()
    assert lines[1] == "interrupted (terminated); go on with: tune-app resume study"
    assert lines[-1] == (
        "3 draws were refused before training (2k: 2, 5k: 1): too large, or not buildable; "
        "no epoch was spent on them"
    )


def test_a_sweep_that_has_just_begun_can_be_shown(store):
    store.create_sweep(SweepRecord("young", "digits", "fcn"))
    assert "no trial has a result yet" in said("show", "young")
    assert shown("young") == shown("young", "--all") == []
    for name in ("csv", "markdown", "latex", "html", "table"):
        said("show", "young", "--format", name)
        said("show", "young", "--all", "--format", name)


# ------------------------------------------------------------------------ trial


def test_a_trial_is_shown_with_its_epochs(store):
    record_sweep(store)
    text = said("trial", "study", "t0011")
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0] == "study t0011 finished"
    for line in (
        "rank 1 within 2k",
        "weights 1989 of 2k",
        "drawn lr 0.011, optimizer sgd",
        "fixed batch_norm true",
        "1 0.5000 0.1 1.0",
    ):
        assert line in lines
    assert "RuntimeError: out of luck" in said("trial", "study", "t0004")


def test_a_trial_as_json_is_its_row_and_its_history(store):
    record_sweep(store)
    trial = json.loads(said("trial", "study", "t0011", "--format", "json"))
    (row,) = [row for row in shown("study", "--all") if row["trial_id"] == "t0011"]
    history = trial.pop("history")
    assert trial == row
    assert [(epoch["epoch"], epoch["val_loss"]) for epoch in history] == [(1, 0.5)]


def test_an_unknown_trial_is_answered_with_the_nearest(store):
    record_sweep(store)
    with pytest.raises(UnknownTrialError) as raised:
        call("trial", "study", "t011")
    assert str(raised.value) == "no trial 't011' in sweep 'study': did you mean 't0011'?"


# ----------------------------------------------------------------- housekeeping


def test_rename_note_and_archive(store):
    record_sweep(store)
    assert said("rename", "study", "other") == "study is now other\n"
    assert said("note", "other") == "other has no note\n"
    assert said("note", "other", "a good one") == "noted on other\n"
    assert said("note", "other") == "a good one\n"
    assert said("archive", "other") == "other is archived (`list --archived`)\n"
    assert json.loads(said("list", "--json")) == []
    (sweep,) = json.loads(said("list", "--json", "--archived"))
    assert (sweep["name"], sweep["note"], sweep["archived"]) == ("other", "a good one", True)
    assert said("archive", "other", "--undo") == "other is back on the list\n"
    assert len(json.loads(said("list", "--json"))) == 1


def test_delete_asks_and_takes_no_for_an_answer(store):
    record_sweep(store)
    result = call("delete", "study", input="n\n")
    assert result.stderr == "Delete study, with 12 trials and 0 B of files, for good? [y/N] "
    assert result.stdout == "nothing was deleted\n"
    with pytest.raises(TuneAppError) as raised:
        call("delete", "study")
    assert str(raised.value) == "nobody is there to answer: add --yes to go ahead"
    assert len(store.list_sweeps()) == 1
    assert said("delete", "study", input="y\n") == "deleted study, 0 B freed\n"
    assert store.list_sweeps() == []


def test_prune_says_how_much_it_frees(store):
    record_sweep(store)
    for trial in store.trials("study"):
        folder = store.trial_folder("study", trial.trial_id)
        folder.mkdir(parents=True)
        (folder / "best.pt").write_bytes(b"x" * 1500)
    result = call("prune", "study", "--top", "2", input="no\n")
    assert result.stderr == (
        "Remove the weights of 9 trials outside the top 2? That frees 13.5 kB. [y/N] "
    )
    assert result.stdout == "nothing was removed\n"
    done = "removed the weights of 9 trials, 13.5 kB freed\n"
    assert said("prune", "study", "--top", "2", "--yes") == done
    assert len(list((store.storage / "study").iterdir())) == 3
    assert said("prune", "study", "--top", "2") == (
        "study keeps no files of trials outside the top 2\n"
    )


def test_a_live_sweep_is_not_deleted(store):
    record_sweep(store, status="running")
    store.claim("study")
    with pytest.raises(SweepBusyError):
        call("delete", "study", "--yes")


# ------------------------------------------------------------------------ speed

HEAVY = ["ray", "torch", "optuna", "matplotlib", "pandas", "sklearn", "numpy"]
READ = """
import sys, typer
from tune_app.cli.read import register
app = typer.Typer()
register(app)
app(sys.argv[1:], standalone_mode=False)
print(*sorted(set({heavy}) & set(sys.modules)), file=sys.stderr)
"""


def processor_seconds(arguments: list[str], environment: dict[str, str]) -> float:
    """Return what a reading command costs in a new process: its time where nothing else runs."""
    resource = pytest.importorskip("resource", reason="Windows does not tell processor times")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = subprocess.run(
        [sys.executable, "-c", READ.format(heavy=HEAVY), *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ran.stderr == "\n", f"{arguments[0]} imports {ran.stderr}"
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def test_reading_a_thousand_trials_takes_at_most_a_second_and_imports_nothing_heavy(
    store, tmp_path
):
    record_sweep(store, trials=1000)
    epochs = [
        EpochRecord("study", f"t{number:04}", epoch, val_loss=0.5)
        for number in range(1, 1001)
        for epoch in range(2, 11)
    ]
    with store._database.write() as connection:
        connection.executemany(insert_statement(EpochRecord), map(to_row, epochs))
    # As installed: with compiled modules, whatever this environment asks for.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path / "compiled")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    processor_seconds(["list"], environment)  # compiles
    for arguments in (
        ["list"],
        ["show", "study"],
        ["show", "study", "--all"],
        ["show", "study", "--all", "--format", "json"],
        ["trial", "study", "t0001"],
    ):
        seconds = processor_seconds(arguments, environment)
        print(f"{' '.join(arguments)}: {seconds:.2f} s")
        assert seconds <= 1.0

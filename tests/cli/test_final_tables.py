"""What show and final print after the final stage."""

import csv
import io
import json
from pathlib import Path

import pytest
from final_sweeps import KNN, FinalSweep, two_budgets
from reading import call, said, shown

from tune_app.cli.printing.winners import print_finals, render_finals
from tune_app.errors import TuneAppError
from tune_app.hints import Door
from tune_app.results.tables.consoles import make_console
from tune_app.results.tables.sweep_tables import Format


@pytest.fixture(autouse=True)
def _storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNE_APP_STORAGE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "140")


@pytest.fixture
def finals(tmp_path: Path) -> FinalSweep:
    return two_budgets(tmp_path, baselines=(KNN,))


def test_show_prints_the_final_tables_after_the_ranked_ones(finals):
    text = said("show", "study")
    ranked, final = text.split("retrained and tested, at most 20k weights")
    assert "at most 50k weights" in ranked
    assert "0.9285 ± 0.0008" in final
    assert "knn, k = 5 (baseline)" in final
    only = said("show", "study", "--budget", "50k")
    assert "retrained and tested, at most 50k weights" in only
    assert "t0002" not in only.split("retrained")[1]


def test_show_all_lists_the_replicates_unranked_with_their_test_accuracy(finals):
    rows = [row for row in shown("study", "--all") if row["stage"] == "final"]
    assert len(rows) == 19
    assert {row["rank"] for row in rows} == {None}
    assert rows[0]["test_accuracy"] == 0.9281
    assert rows[0]["val_accuracy"] is None
    assert [row["rank"] for row in shown("study")] == [1, 2, 3, 1, 2, 3, 4]


def test_show_published_is_one_table_of_all_winners(finals):
    text = said("show", "study", "--published", "--format", "markdown")
    assert "| t0002 | cnn | 19500 | 20k | 28.0 | 3 conv 8-16-19, k3, gap | adam |" in text
    rows = shown("study", "--published")
    assert [(row["id"], row["budget"], row["best"]) for row in rows] == [
        ("t0002", 20_000, True),
        ("t0001", 20_000, False),
        ("t0003", 20_000, False),
        ("t0004", 50_000, True),
        ("t0001", 50_000, False),
        ("knn, k = 5 (baseline)", None, None),
    ]
    cells = list(csv.DictReader(io.StringIO(said("show", "study", "--published", "--format=csv"))))
    assert [float(cell["test_mean"]) for cell in cells] == [row["test_mean"] for row in rows]


def test_show_pivot_has_a_table_by_validation_and_one_by_test(finals):
    text = said("show", "study", "--pivot", "optimizer,lr", "--budget", "20k")
    assert "validation accuracy by optimizer and lr, at most 20k weights" in text
    assert "test accuracy by optimizer and lr, at most 20k weights" in text
    rows = shown("study", "--pivot", "optimizer,lr", "--budget", "20k")
    assert [(row["value"], row["optimizer"], row["lr"], row["count"]) for row in rows] == [
        ("val_accuracy", "adam", 0.02, 1),
        ("val_accuracy", "sgd", 0.01, 1),
        ("val_accuracy", "sgd", 0.03, 1),
        ("test_accuracy", "adam", 0.02, 5),
        ("test_accuracy", "sgd", 0.01, 5),
        ("test_accuracy", "sgd", 0.03, 3),
    ]


def test_the_final_tables_are_in_the_files_for_readers(finals, tmp_path):
    for suffix in ("md", "tex", "html"):
        path = tmp_path / f"table.{suffix}"
        said("show", "study", "--output", str(path))
        text = path.read_text()
        assert text.count("0.9390") == 0
        assert text.count("0.9386") == 1
        assert text.count("0.8554") == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["--pivot", "lr"],
            "a pivot needs two parameters, got 'lr'; --pivot takes two, like optimizer,lr",
        ),
        (
            ["--published", "--all"],
            "these tables exclude each other; --published and --all cannot be combined; take one",
        ),
        (
            ["--pivot", "a,b", "--sort", "lr"],
            "these tables exclude each other; --pivot and --sort cannot be combined; take one",
        ),
    ],
)
def test_kinds_of_tables_do_not_combine(finals, arguments, told):
    with pytest.raises(TuneAppError) as caught:
        call("show", "study", *arguments)
    assert caught.value.worded(Door.CLI) == told


@pytest.mark.parametrize("format", list(Format))
def test_winners_are_rendered_in_every_format(finals, format):
    text = render_finals(finals.store, finals.record, (20_000,), format)
    if format is Format.json:
        rows = json.loads(text)
        assert [(row["budget"], row["trial_id"], row["seeds"]) for row in rows] == [
            (20_000, "t0002", 5),
            (20_000, "t0001", 5),
            (20_000, "t0003", 3),
        ]
        wanted = {"sweep", "weights", "test_mean", "test_std", "test_ci95", "ties_with_best"}
        assert wanted | {"config", "parameters"} <= set(rows[0])
    elif format is Format.csv:
        rows = list(csv.DictReader(io.StringIO(text)))
        assert [row["trial_id"] for row in rows] == ["t0002", "t0001", "t0003", ""]
        assert (rows[0]["epochs"], rows[0]["lr"], rows[3]["name"]) == ("18", "0.02", "knn, k = 5")
        assert not [name for name in rows[0] if name.startswith("parameters.")]
    else:
        plain = text.replace(r"$\pm$", "±")
        assert "0.9285 ± 0.0008" in plain
        assert "0.9386" not in plain


def test_without_winners_there_is_nothing_to_render(tmp_path):
    sweep = FinalSweep(tmp_path)
    assert render_finals(sweep.store, sweep.record, None, Format.json) == "[]\n"
    told = "study has no winners that were retrained yet\n"
    assert render_finals(sweep.store, sweep.record, None, Format.table) == told
    assert "retrained" not in said("show", "study")


def test_finals_are_printed_on_a_console(finals):
    page = io.StringIO()
    print_finals(make_console(page), finals.store, finals.record)
    assert page.getvalue().strip().startswith("in every trial: conv_layers 3")
    assert "at most 50k weights" in page.getvalue()

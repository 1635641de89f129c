"""What a notebook reads and shows: tables, figures, diagnoses, and records that were committed."""

import json
from pathlib import Path

import pytest

import tune_app
from tune_app.api.notebook_progress import announcer
from tune_app.errors import DiagnosisError, StorageError, SweepExistsError, TuneAppError
from tune_app.results.transfer.sweep_json import sweep_to_commit

STUDIES = Path(__file__).parents[2] / "docs" / "reproductions"


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    return tune_app.open_storage(tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="module")
def sweep(storage):
    return storage.add(STUDIES / "budgets_fcn" / "record.json")


def test_a_committed_record_reads_as_the_sweep_that_it_is_of(sweep):
    raw = json.loads((STUDIES / "budgets_fcn" / "record.json").read_text())
    assert sweep.status == "complete"
    assert sweep.config.budgets == (50_000, 100_000, 200_000)
    again = json.loads(json.dumps(sweep_to_commit(sweep.store, "budgets_fcn")))
    for now, then in zip(again["trials"], raw["trials"], strict=True):
        for added in ("metrics",):
            assert now.pop(added, {}) == {}
            now["history"].pop(added)
        assert now == then
    assert {key: again["sweep"][key] for key in raw["sweep"]} == raw["sweep"]


def test_a_record_is_added_once_and_only_where_it_is_one(storage, sweep, tmp_path):
    with pytest.raises(SweepExistsError):
        storage.add(STUDIES / "budgets_fcn" / "record.json")
    (tmp_path / "other.json").write_text('{"sweep": {"name": "x"}}')
    with pytest.raises(StorageError) as raised:
        storage.add(tmp_path / "other.json")
    assert str(raised.value).startswith(f"{tmp_path / 'other.json'} is not the record of a sweep: ")
    with pytest.raises(StorageError, match=r"cannot read .*: No such file"):
        storage.add(tmp_path / "none.json")


def test_winners_are_rows_and_a_table(sweep):
    winners = sweep.tested()
    assert [row["budget"] for row in winners] == [50_000, 100_000, 200_000]
    (largest,) = sweep.tested("200k")
    assert largest == winners[2]
    assert largest["test_mean"] == pytest.approx(sum(largest["test_values"]) / 5)
    assert sweep.tested("200k")._repr_html_().count("<table>") == 1


def test_sweeps_are_compared_budget_by_budget(storage, sweep):
    storage.add(STUDIES / "budgets_cnn" / "record.json")
    rows = storage.compare("budgets_fcn", "budgets_cnn")
    best = {row["budget"]: row["sweep"] for row in rows if row["best"]}
    assert best == {
        10_000: "budgets_cnn",
        20_000: "budgets_cnn",
        50_000: "budgets_cnn",
        100_000: "budgets_cnn",
        200_000: "budgets_fcn",
    }


def test_figures_are_found_by_name_and_shown_as_pictures(sweep):
    figures = sweep.figures()
    assert figures.names[:2] == ["pareto", "training-time"]
    assert figures["pareto"] is figures[0]
    assert repr(figures[:2]) == "<figures: pareto, training-time>"
    shown, sizes = figures["pareto"]._repr_mimebundle_()
    assert shown["image/png"].startswith(b"\x89PNG")
    assert shown["text/plain"].startswith("Validation accuracy against weights. ")
    assert sizes["image/png"]["width"] > sizes["image/png"]["height"] > 100
    with pytest.raises(TuneAppError) as raised:
        figures["paretto"]
    assert str(raised.value).startswith("no figure 'paretto': there are pareto, training-time, ")


def test_a_diagnosis_says_what_it_found(sweep):
    found = sweep.diagnose("ranking")
    assert repr(found).startswith(f"{found.title}\n- ")
    with pytest.raises(DiagnosisError, match="no diagnostic 'rankin'"):
        sweep.diagnose("rankin")


def test_outside_a_notebook_progress_is_that_of_the_command_line():
    assert type(announcer(quiet=False)).__name__ == "Announcer"

import re
import statistics

import pytest
import scipy.stats
from made_finals import BASELINES, add_finals
from small_sweeps import DIGITS, Workshop

from tune_app.config.sweep import SweepConfig
from tune_app.errors import StorageError, TuneAppError, UnknownSweepError
from tune_app.report.comparison import compare
from tune_app.report.document.blocks import Caution, Listing, plain
from tune_app.report.findings import best_networks
from tune_app.report.history import history
from tune_app.report.protocol import again, protocol
from tune_app.report.sweep_report import build_document, check_target
from tune_app.results.statistics import confidence_interval
from tune_app.results.tables.markup.parts import Grid
from tune_app.results.tables.trial_table import trial_rows

GOOD = [0.95, 0.96, 0.955]
FAIR = [0.94, 0.965, 0.95]
POOR = [0.80, 0.81, 0.805]
WINNERS = {"1000": ["t0001"], "3000": ["t0002", "t0001"]}
HOSTILE = "<script>alert('x')</script> & \"q\" $\\alpha$ _a_ `b` | # % ~ é 漢 → [a](http://x.y)"


def config_of(store, name):
    return SweepConfig.from_dict(store.get_sweep(name).config)


def words(document_or_section) -> str:
    """Return all texts of a document or section, one after the other."""
    found = []

    def visit(value):
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, list | tuple | frozenset):
            for one in value:
                visit(one)
        elif hasattr(value, "__dataclass_fields__"):
            for name in value.__dataclass_fields__:
                visit(getattr(value, name))

    visit(document_or_section)
    return " ".join(found)


def grids(document):
    return [block for block in document.blocks() if isinstance(block, Grid)]


@pytest.fixture
def finals(store):
    """The sweep 'small' with a final stage of three seeds and a baseline."""
    add_finals(store, config_of(store, "small"), WINNERS, {"t0001": FAIR, "t0002": GOOD})
    store.update_sweep("small", baselines=BASELINES)
    return store


@pytest.fixture
def rival(finals, storage):
    """'small' with finals, and 'rival' beside it, on the same data, with worse ones."""
    workshop = Workshop(storage, DIGITS.replace("name: small", "name: rival"))
    workshop.train({"width": 32, "dropout": 0.0, "optimizer": "adam", "lr": 0.001}, budget=3_000)
    add_finals(finals, workshop.config, {"3000": ["t0001"]}, {"t0001": POOR})
    return finals


def test_the_answer_without_finals_is_the_ranked_tables_and_says_that_it_is_optimistic(
    store,
):
    document = build_document(store, ["small"], store.storage, {})
    best = max(
        (trial for trial in store.trials("small") if trial.weights and trial.weights <= 1_000),
        key=lambda trial: trial.val_accuracy or 0,
    )
    table, caution = document.answer
    assert table.rows[0][:2] == ("1k", f"{best.val_accuracy:.4f}")
    assert isinstance(caution, Caution)
    assert plain(caution.text).startswith("Not tested. All of these are validation numbers.")
    assert "There was no final stage." in words(document)
    assert "The test split of this sweep has not been read." in words(document)


def test_the_answer_with_finals_has_mean_std_interval_and_ties(finals):
    document = build_document(finals, ["small"], finals.storage, {})
    (table,) = document.answer
    low, high = confidence_interval(GOOD)
    assert table.caption == "The best network of each budget, by accuracy on the test split"
    assert table.rows[1][:3] == (
        "3k",
        f"{statistics.mean(GOOD):.4f} ± {statistics.stdev(GOOD):.4f}",
        f"{low:.4f} to {high:.4f}",
    )
    assert table.rows[1][-1] == "t0001"  # Welch's test does not tell FAIR from GOOD


def test_the_protocol_of_finals_names_seeds_statistics_and_every_reading(finals):
    sweep = finals.get_sweep("small")
    said = words(protocol(sweep, finals.trials("small")))
    assert "with 3 seeds that the search had not used" in said
    assert "Welch's t-test, Holm-corrected" in said
    assert "The test split was read 1 time:" in said
    assert "final" in said
    assert "no final stage" not in said


def test_trials_drawn_after_the_test_split_was_read_are_pointed_out(finals):
    readings = ({"time": 1.0, "by": "final"},)
    finals.update_sweep("small", test_readings=readings)
    section = protocol(finals.get_sweep("small"), finals.trials("small"))
    assert "4 trials of the search started after the first of these readings" in words(section)


def test_reading_test_images_for_a_figure_is_recorded_and_reported(finals):
    document = build_document(finals, ["small"], finals.storage, {})
    readings = [reading["by"] for reading in finals.get_sweep("small").test_readings]
    assert readings[0] == "final"
    assert all(by.startswith("report: figures of trial f") for by in readings[1:])
    assert f"The test split was read {len(readings)} time" in words(document)


def test_a_report_of_a_search_reads_no_test_data(store, monkeypatch):
    def refuse(*_):
        raise AssertionError("the test split was opened")

    monkeypatch.setattr("tune_app.report.figures.networks.network_figures.load_test_data", refuse)
    build_document(store, ["small"], store.storage, {})


def test_the_history_counts_trials_epochs_and_groups_failures(store):
    store.update_sweep("small", refused={"1000": 3, "3000": 4}, epochs_saved=7)
    section = history(store.get_sweep("small"), store.trials("small"))
    said = words(section)
    trials = store.trials("small")
    trained = sum(trial.epochs for trial in trials)
    assert "4: 2 trained to the end, 1 stopped early by the scheduler, 1 failed" in said
    share = f"{7 / (7 + trained):.0%}"
    assert f"{trained} trained, 7 saved by stopping ({share} of the planned epochs)" in said
    assert "7 (1k: 3, 3k: 4)" in said
    (failures,) = [block for block in section.blocks if isinstance(block, Grid)]
    assert failures.rows == (("1", "failed", "RuntimeError: no", "t0003"),)


def test_how_to_run_it_again_gives_the_command_the_file_and_what_was_changed(store):
    store.update_sweep(
        "small",
        command="tune-app run small.yaml --trials 7",
        source=DIGITS,
        git_commit="abc123+",
        hardware={"processor": "A CPU", "cores": 2, "memory_bytes": 2**33, "gpus": ["H200"]},
    )
    config = config_of(store, "small").to_dict()
    config["search"]["trials"] = 7
    store.update_sweep("small", config=config)
    section = again(store.get_sweep("small"), store.trials("small"))
    listings = [block.text for block in section.blocks if isinstance(block, Listing)]
    assert listings == ["tune-app run small.yaml --trials 7", DIGITS]
    said = words(section)
    assert "search.trials : 7, in the file 20" in said
    assert "abc123  and uncommitted changes" in said
    assert "A CPU, 2 cores, 8 GiB of memory, H200" in said


def test_sweeps_with_finals_are_compared_by_welchs_test_over_all_budgets(rival):
    sweeps = [rival.get_sweep(name) for name in ("small", "rival")]
    found = [
        best for sweep in sweeps for best in best_networks(rival, sweep, trial_rows(rival, sweep))
    ]
    (verdict,) = compare(sweeps, found)
    assert verdict.limit == "3k"
    assert [best.sweep for best in verdict.ranked] == ["small", "rival"]
    expected = scipy.stats.ttest_ind(GOOD, POOR, equal_var=False).pvalue
    assert verdict.p_values == (pytest.approx(expected),)
    assert verdict.apart == (True,)


def test_sweeps_that_cannot_be_told_apart_make_no_difference(rival):
    for trial, accuracy in zip(
        [t for t in rival.trials("rival") if t.stage == "final"], FAIR, strict=True
    ):
        rival.update_trial("rival", trial.trial_id, test_accuracy=accuracy)
    document = build_document(rival, ["small", "rival"], rival.storage, {})
    assert "3k: no significant difference  between small and rival" in words(document.answer)


def test_sweeps_without_finals_are_compared_with_a_caution(store, storage):
    workshop = Workshop(storage, DIGITS.replace("name: small", "name: rival"))
    workshop.train({"width": 32, "dropout": 0.0, "optimizer": "sgd", "lr": 1e-4}, budget=3_000)
    document = build_document(store, ["small", "rival"], storage, {})
    said = words(document.sections[0])
    assert "Each comes from a single training run and is the best of many" in said
    assert "wins" not in words(document)


def test_sweeps_on_different_data_are_not_compared(store):
    document = build_document(store, ["small", "images"], store.storage, {})
    (block,) = document.sections[0].blocks
    assert plain(block.text).startswith("These sweeps are not compared: they")


def test_a_sweep_without_results_has_a_report_too(store, storage):
    Workshop(storage, DIGITS.replace("name: small", "name: empty"))
    document = build_document(store, ["empty"], storage, {})
    assert words(document.answer) == "No trial has a result yet."


def test_a_regression_is_reported_by_its_loss(store):
    document = build_document(store, ["curve"], store.storage, {})
    assert "Loss " in words(document.answer)
    assert "accuracy" not in words(document.answer)


def test_what_cannot_be_drawn_is_named_with_its_reason(store):
    for path in store.sweep_folder("small").rglob("*.pt"):
        path.unlink()
    document = build_document(store, ["small"], store.storage, {})
    assert "Some figures could not be drawn:" in words(document)


@pytest.mark.parametrize("name", ["report", "report.pdf"])
def test_a_suffix_that_is_no_format_is_refused(tmp_path, name):
    with pytest.raises(
        TuneAppError, match=re.escape("the name of a report must end in .html, .md or .tex")
    ):
        check_target(tmp_path / name)


def test_a_folder_that_is_not_there_is_refused_before_any_work(tmp_path):
    with pytest.raises(StorageError, match="there is no folder"):
        check_target(tmp_path / "no" / "r.html")


def test_a_sweep_that_is_not_there_is_named(store, tmp_path):
    with pytest.raises(UnknownSweepError, match="no sweep 'smal'"):
        build_document(store, ["smal"], tmp_path, {})

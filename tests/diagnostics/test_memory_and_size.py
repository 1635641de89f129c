import pytest

from tune_app.data.sets import load_search_data
from tune_app.diagnostics.studies.generalisation import (
    diagnose_generalisation,
    generalisation_table,
)
from tune_app.diagnostics.studies.random_labels import diagnose_random_labels
from tune_app.errors import DiagnosisError


def test_random_labels_are_those_of_the_search_files_option(bench):
    (subject,) = bench.subjects("digits", ["t0001"])
    found = diagnose_random_labels([subject], epochs=3)
    table = found.tables["random_labels"]
    assert dict(table["labels"].value_counts()) == {"true": 4, "random": 3}
    true, random = (table[table["labels"] == name] for name in ("true", "random"))
    assert true["train_loss"].iloc[-1] < random["train_loss"].iloc[-1]
    assert random["val_accuracy"].iloc[-1] < 0.3
    config = subject.config.dataset
    shuffled = load_search_data(config.model_copy(update={"random_labels": True}), bench.data_root)
    assert (shuffled.y_train != bench.data(config).y_train).mean() > 0.8


def test_random_labels_take_one_classifier_or_one_of_each_kind(bench):
    with pytest.raises(DiagnosisError, match="random_labels needs classes"):
        diagnose_random_labels(bench.subjects("curve", ["t0001"]))
    with pytest.raises(
        DiagnosisError, match="both trained on true labels; name one with true and one"
    ):
        diagnose_random_labels(bench.subjects("digits", ["t0001", "t0002"]))
    with pytest.raises(DiagnosisError, match=r"needs one trial, .* there are 3"):
        diagnose_random_labels(bench.subjects("digits"))


def test_sizes_are_compared_with_their_gaps(bench):
    table = generalisation_table(bench.subjects("digits"))
    assert list(table["weights"]) == sorted(table["weights"])
    assert list(table["trial"]) == ["t0001", "t0002", "t0003"]
    trial = bench.store.get_trial("digits", "t0003")
    last = table.iloc[-1]
    assert last["accuracy_gap"] == trial.train_accuracy - trial.val_accuracy
    assert last["loss_gap"] == trial.val_loss - trial.train_loss


def test_measured_numbers_are_those_of_the_kept_weights(bench):
    subjects = bench.subjects("digits")
    table = generalisation_table(subjects, measure=True)
    expected = subjects[0].examples("train").measure(subjects[0].network())
    assert (table["train_loss"][0], table["train_accuracy"][0]) == expected


def test_replicates_of_the_final_stage_are_shown_with_their_tests(bench):
    for name, accuracy in (("t0001", 0.8), ("t0003", 0.9)):
        fields = {"stage": "final", "test_accuracy": accuracy, "test_loss": 1 - accuracy}
        bench.store.update_trial("digits", name, **fields)
    found = diagnose_generalisation(bench.subjects("digits"))
    table = found.tables["generalisation"]
    assert list(table["held_out"]) == ["test", "test"]
    assert list(table["held_out_accuracy"]) == [0.8, 0.9]
    assert bench.store.get_sweep("digits").test_readings == ()


def test_one_size_is_nothing_to_compare(bench):
    with pytest.raises(DiagnosisError, match="2 trials with a result have 1; choose more trials"):
        diagnose_generalisation(bench.subjects("digits", ["t0001", "t0002"]))


def test_a_regression_is_compared_by_its_loss(bench):
    subjects = bench.subjects("curve")
    bench.store.update_trial("curve", "t0002", weights=40)
    found = diagnose_generalisation(bench.subjects("curve"))
    assert found.tables["generalisation"]["accuracy_gap"].isna().all()
    assert len(found.findings) == 1
    assert subjects[0].is_regression

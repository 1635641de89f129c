from dataclasses import replace

import pytest
import torch

from tune_app.diagnostics.workbench import refuse_different, refuse_regression
from tune_app.errors import DataError, DiagnosisError, UnknownTrialError


def message(caught):
    return str(caught.value)


def test_trials_are_named_in_their_sweep_or_in_another(bench):
    found = bench.subjects("digits", ["t0002", "images/t0001", "t0002"])
    assert [subject.full_name for subject in found] == ["digits/t0002", "images/t0001"]
    assert [subject.name for subject in bench.subjects("digits")] == ["t0001", "t0002", "t0003"]
    with pytest.raises(UnknownTrialError):
        bench.subjects("digits", ["t0009"])


def test_a_network_gives_the_recorded_numbers_again(bench):
    for subject in bench.subjects("digits"):
        loss, accuracy = subject.examples("validation").measure(subject.network())
        assert loss == pytest.approx(subject.trial.val_loss, rel=1e-6)
        assert accuracy == subject.trial.val_accuracy


def test_different_architectures_are_refused_with_the_layer_that_differs(bench):
    with pytest.raises(DiagnosisError) as caught:
        refuse_different(bench.subjects("digits", ["t0001", "t0003"]))
    assert message(caught) == (
        "trials digits/t0001 and digits/t0003 have different architectures: out_shape of layer "
        "hidden1 is (6,) or (12,); name trials of one architecture: sweep.trials() lists them"
    )


def test_a_trial_without_weights_is_refused_with_the_way_out(bench):
    (failed,) = bench.subjects("digits", ["t0004"])
    with pytest.raises(DiagnosisError) as caught:
        failed.network()
    assert message(caught) == (
        "trial t0004 (failed) has no saved weights; list trials that have them with: sweep.ranked()"
    )


def test_a_trial_without_weights_by_epoch_is_refused_with_the_way_out(bench):
    (plain,) = bench.subjects("images", ["t0001"])
    with pytest.raises(DiagnosisError) as caught:
        plain.kept_weights()
    assert message(caught) == (
        "trial images/t0001 has no weights by epoch; run it again with "
        "`record: {weights_every: 3}` in its search file"
    )


def test_a_regression_is_refused_where_classes_are_needed(bench):
    with pytest.raises(DiagnosisError) as caught:
        refuse_regression(bench.subjects("curve")[0], "network")
    assert message(caught) == (
        "network needs classes, but sinc is a regression; gradients, curvature, interpolate and "
        "paths also work for regressions"
    )


def test_kept_weights_are_those_of_their_epochs(bench):
    (subject,) = bench.subjects("digits", ["t0001"])
    kept = subject.kept_weights()
    assert list(kept) == [2, 4]
    epochs = bench.store.epochs("digits", "t0001")
    validation = subject.examples("validation")
    for epoch, path in kept.items():
        loss, _ = validation.measure(subject.network_at(path))
        assert loss == pytest.approx(epochs[epoch - 1].val_loss, rel=1e-6)


def test_fewer_examples_are_a_fixed_choice(bench):
    (subject,) = bench.subjects("digits", ["t0001"])
    every, some = subject.examples("train"), subject.examples("train", 50)
    assert len(some) == 50
    assert torch.equal(some.x, subject.examples("train", 50).x)
    rows = {row.tobytes() for row in every.x.numpy()}
    assert all(row.tobytes() in rows for row in some.x.numpy())


def test_reading_the_test_split_is_recorded_and_nothing_else_reads_it(bench):
    (subject,) = bench.subjects("digits", ["t0001"])
    assert [split.split for split in subject.splits()] == ["train", "validation"]
    assert bench.store.get_sweep("digits").test_readings == ()
    assert [split.split for split in subject.splits(test=True)] == ["train", "test"]
    (reading,) = bench.store.get_sweep("digits").test_readings
    assert reading["by"] == "tune-app diagnose, trial t0001"


def test_a_final_trial_trained_on_the_validation_examples_too(bench):
    store = bench.store
    store.update_trial("digits", "t0001", stage="final", source="t0002")
    (final,) = bench.subjects("digits", ["t0001"])
    both = store.get_sweep("digits").resolved
    count = both.train_count + both.validation_count
    assert [len(split) for split in final.splits()] == [count]
    with pytest.raises(DiagnosisError, match="test=True measures it on the test split"):
        final.examples("validation")


def test_other_data_than_it_was_trained_on_is_refused(bench):
    resolved = bench.store.get_sweep("digits").resolved
    bench.store.update_sweep("digits", resolved=replace(resolved, data_digest="other"))
    (subject,) = bench.subjects("digits", ["t0001"])
    with pytest.raises(
        DataError, match="digits has changed since sweep 'digits' was trained on it"
    ):
        subject.examples("train")


def test_the_best_is_that_of_the_ranked_table(bench):
    scores = {trial.trial_id: trial.val_accuracy for trial in bench.store.trials("digits")[:3]}
    assert scores[bench.best("digits").name] == max(scores.values())

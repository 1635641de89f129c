"""What the page of a trial shows without a training."""

from tune_app.diagnostics.quick import quick_figures


def names(bench, sweep, trial):
    told = []
    (subject,) = bench.subjects(sweep, [trial])
    figures = quick_figures(subject, on_left_out=told.append)
    return [figure.name for figure in figures], told


def test_a_classifier_has_its_calibration_its_classes_and_its_gradients(bench):
    shown, told = names(bench, "images", "t0001")
    assert shown == ["calibration-t0001", "accuracy-by-class-t0001", "gradients"]
    assert told == []
    assert bench.store.get_sweep("images").test_readings == ()


def test_a_regression_has_its_gradients_only(bench):
    assert names(bench, "curve", "t0001") == (["gradients"], [])


def test_a_trial_without_weights_says_so(bench):
    shown, (told,) = names(bench, "digits", "t0004")
    assert shown == []
    assert "calibration and accuracy by class of trial t0004" in told
    assert "has no saved weights" in told

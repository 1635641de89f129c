"""A sweep in TensorBoard's files, read back by TensorBoard itself."""

import pytest

from tune_app.errors import ExportError
from tune_app.report.export.tensorboard_export import METRICS, export_tensorboard


@pytest.fixture
def reader():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "upb")
        pytest.importorskip("tensorboard")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        def read(folder):
            found = EventAccumulator(str(folder))
            found.Reload()
            return found

        yield read


def test_tensorboard_reads_every_epoch_and_every_parameter(store, tmp_path, reader):
    to = tmp_path / "runs"
    assert export_tensorboard(store, "small", to) == len(store.trials("small"))
    for trial in store.trials("small"):
        found = reader(to / trial.trial_id)
        epochs = store.epochs("small", trial.trial_id)
        for metric in METRICS:
            wanted = [
                (e.epoch, getattr(e, metric)) for e in epochs if getattr(e, metric) is not None
            ]
            if not wanted:
                assert metric not in found.Tags()["scalars"]
                continue
            events = found.Scalars(metric)
            assert [one.step for one in events] == [epoch for epoch, _ in wanted]
            assert [one.value for one in events] == pytest.approx([v for _, v in wanted], rel=1e-6)
        hparams = found.summary_metadata["_hparams_/session_start_info"].plugin_data.content
        for name in trial.parameters:
            assert name.encode() in hparams


def test_a_folder_with_something_in_it_is_left_alone(store, tmp_path):
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(ExportError, match="is not an empty folder; pass another folder as `to`"):
        export_tensorboard(store, "small", tmp_path)
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == ["kept.txt"]

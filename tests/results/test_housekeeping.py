"""Record and files are renamed, deleted and pruned together."""

from pathlib import Path

import pytest

from tune_app.errors import StorageError, SweepBusyError
from tune_app.results import housekeeping
from tune_app.results.store import Store, SweepRecord, TrialRecord, open_store

STATUSES = ["finished", "stopped", "finished", "failed", "interrupted", "diverged", "running"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A storage with a stopped sweep of seven trials, the better the later, 1,000 bytes each."""
    opened = open_store(tmp_path)
    opened.create_sweep(SweepRecord("study", "digits", "cnn", status="stopped", budgets=(100, 200)))
    for number, status in enumerate(STATUSES, start=1):
        trial_id = f"t{number:04}"
        folder = opened.trial_folder("study", trial_id)
        folder.mkdir(parents=True)
        (folder / "best.pt").write_bytes(b"x" * 1000)
        opened.add_trial(
            TrialRecord(
                "study",
                trial_id,
                number,
                status=status,
                budget=200,
                weights=100 if number == 1 else 200,
                val_accuracy=number / 10,
                checkpoint=f"{trial_id}/best.pt",
            )
        )
    return opened


def kept(store: Store) -> list[int]:
    return [
        trial.number
        for trial in store.trials("study")
        if trial.checkpoint and (store.checkpoint_path(trial) or Path()).exists()
    ]


def test_pruning_keeps_the_best_of_each_budget_and_what_can_still_run(store):
    # Best of 100 weights: 1. Of 200: 5 (interrupted), 3. Trial 7 is under way.
    pruning = housekeeping.plan_pruning(store, store.get_sweep("study"), keep=2)
    assert [trial.number for trial in pruning.trials] == [2, 4, 6]
    assert pruning.size_bytes == 3000
    assert kept(store) == [1, 2, 3, 4, 5, 6, 7]
    housekeeping.prune(store, pruning)
    assert kept(store) == [1, 3, 5, 7]
    assert [trial.val_accuracy for trial in store.trials("study")][1] == 0.2
    again = housekeeping.plan_pruning(store, store.get_sweep("study"), keep=2)
    assert (again.trials, again.size_bytes) == ((), 0)


def test_winners_trained_again_are_never_pruned(store):
    store.update_trial("study", "t0002", stage="final")
    housekeeping.prune(store, housekeeping.plan_pruning(store, store.get_sweep("study"), keep=0))
    assert sorted(kept(store)) == [2, 5, 7]


def test_renaming_moves_the_files(store):
    housekeeping.rename_sweep(store, "study", "other")
    trial = store.get_trial("other", "t0001")
    path = store.checkpoint_path(trial)
    assert path is not None
    assert path == (store.storage / "other/t0001/best.pt").resolve()
    assert path.exists()
    assert not (store.storage / "study").exists()


def test_renaming_onto_a_folder_that_is_there_changes_nothing(store):
    (store.storage / "other").mkdir()
    with pytest.raises(StorageError) as raised:
        housekeeping.rename_sweep(store, "study", "other")
    assert str(raised.value) == (
        f"{store.sweep_folder('other')} is there already: choose another name, or move it away"
    )
    assert kept(store) == [1, 2, 3, 4, 5, 6, 7]


def test_deleting_leaves_nothing(store):
    housekeeping.delete_sweep(store, "study")
    assert store.list_sweeps() == []
    assert [path.name for path in store.storage.iterdir() if path.is_dir()] == []


def test_a_live_sweep_is_left_alone(store):
    store.claim("study")
    store.update_sweep("study", status="running")
    for call in (
        lambda: housekeeping.delete_sweep(store, "study"),
        lambda: housekeeping.rename_sweep(store, "study", "other"),
        lambda: housekeeping.plan_pruning(store, store.get_sweep("study"), keep=0),
    ):
        with pytest.raises(SweepBusyError):
            call()
    assert kept(store) == [1, 2, 3, 4, 5, 6, 7]


def test_a_sweep_whose_files_are_elsewhere_is_refused(store, tmp_path):
    housekeeping.require_files(store, "study")
    store.sweep_folder("study").rename(tmp_path / "elsewhere")
    with pytest.raises(StorageError) as raised:
        housekeeping.require_files(store, "study")
    assert str(raised.value) == (
        f"the files of sweep 'study' are not in {tmp_path / 'study'}; open the storage that it"
        " was started with"
    )
    for trial in store.trials("study"):
        store.update_trial("study", trial.trial_id, checkpoint=None)
    housekeeping.require_files(store, "study")  # it has none

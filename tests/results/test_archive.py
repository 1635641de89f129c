"""A sweep as text, from one storage to another."""

import pytest

from tune_app.errors import StorageError, SweepBusyError, SweepExistsError
from tune_app.results.store import EpochRecord, SweepRecord, TrialRecord, open_store, this_process
from tune_app.results.transfer.archive import pack_sweep, unpack_sweep


@pytest.fixture
def store(tmp_path):
    """A storage with a sweep of two trials, weights of one, and a file that is none of its."""
    store = open_store(tmp_path / "there")
    store.create_sweep(
        SweepRecord(
            name="made",
            dataset="digits",
            model="fcn",
            status="complete",
            budgets=(1000, 5000),
            final={"seeds": 2, "winners": {"1000": ["t0001"]}},
            baselines=({"model": "knn", "k": 5},),
        )
    )
    for number in (1, 2):
        trial_id = f"t000{number}"
        store.add_trial(
            TrialRecord(
                sweep="made",
                trial_id=trial_id,
                number=number,
                status="finished",
                parameters={"lr": 0.1, "widths": [3, 4]},
                checkpoint=f"{trial_id}/best-0002.pt",
            )
        )
        for epoch in (1, 2):
            store.record_epoch(EpochRecord(sweep="made", trial_id=trial_id, epoch=epoch))
    weights = store.trial_folder("made", "t0001") / "best-0002.pt"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(bytes(range(256)) * 100)
    (tmp_path / "secret").write_text("of somebody")
    (weights.parent / "link").symlink_to(tmp_path / "secret")
    return store


def test_all_of_a_sweep_arrives(store, tmp_path):
    lines = list(pack_sweep(store, "made"))
    log = "\n".join(["the job begins", *lines, "the job ends"])
    other = open_store(tmp_path / "here")
    assert unpack_sweep(other, log) == "made"
    assert other.get_sweep("made") == store.get_sweep("made")
    assert other.trials("made") == store.trials("made")
    assert other.all_epochs("made") == store.all_epochs("made")
    folder = other.sweep_folder("made")
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {"t0001/best-0002.pt"}
    kept = store.sweep_folder("made") / "t0001" / "best-0002.pt"
    assert (folder / "t0001" / "best-0002.pt").read_bytes() == kept.read_bytes()


def test_a_name_that_is_taken_is_refused(store):
    with pytest.raises(SweepExistsError):
        unpack_sweep(store, "\n".join(pack_sweep(store, "made")))


def test_a_sweep_that_runs_is_not_packed(store):
    store.update_sweep("made", owner=this_process())
    with pytest.raises(SweepBusyError):
        list(pack_sweep(store, "made"))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda lines: lines[:-1],
            "the job's output holds no complete sweep; try again",
        ),
        (
            lambda lines: ["nothing"],
            "the job's output holds no complete sweep; try again",
        ),
        (
            lambda lines: [*lines[:2], lines[2][4:], *lines[3:]],
            "the archive was damaged in transfer; try again",
        ),
    ],
    ids=["cut off", "nothing", "changed"],
)
def test_a_damaged_archive_is_refused(store, tmp_path, damage, message):
    text = "\n".join(damage(list(pack_sweep(store, "made"))))
    with pytest.raises(StorageError) as error:
        unpack_sweep(open_store(tmp_path / "here"), text)
    assert str(error.value) == message
    assert open_store(tmp_path / "here").list_sweeps() == []


def test_an_archive_of_another_version_is_refused(store, tmp_path, monkeypatch):
    lines = list(pack_sweep(store, "made"))
    monkeypatch.setattr("tune_app.results.transfer.sweep_json.RECORD_VERSION", 99)
    with pytest.raises(StorageError, match="recorded by another tune-app"):
        unpack_sweep(open_store(tmp_path / "here"), "\n".join(lines))

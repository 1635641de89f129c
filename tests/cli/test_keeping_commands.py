"""The commands that keep a storage in order."""

import json

import pytest
from reading import call, record_sweep, said

from tune_app.errors import SweepBusyError, TuneAppError


def test_rename_note_and_archive(store):
    record_sweep(store)
    assert said("rename", "study", "other") == "study is now other\n"
    assert said("note", "other") == "other has no note\n"
    assert said("note", "other", "a good one") == "wrote the note of other\n"
    assert said("note", "other") == "a good one\n"
    assert said("archive", "other") == "archived other; tune-app list --archived shows it\n"
    assert json.loads(said("list", "--json")) == []
    (sweep,) = json.loads(said("list", "--json", "--archived"))
    assert (sweep["name"], sweep["note"], sweep["archived"]) == ("other", "a good one", True)
    assert said("archive", "other", "--undo") == "restored other\n"
    assert len(json.loads(said("list", "--json"))) == 1


def test_delete_asks_and_takes_no_for_an_answer(store):
    record_sweep(store)
    result = call("delete", "study", input="n\n")
    assert result.stderr == "Delete study, with 12 trials and 0 B of files, permanently? [y/N] "
    assert result.stdout == "nothing was deleted\n"
    with pytest.raises(TuneAppError) as raised:
        call("delete", "study")
    assert str(raised.value) == "standard input is closed, so nobody can confirm; pass --yes"
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

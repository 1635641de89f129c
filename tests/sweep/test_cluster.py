"""A sweep on a cluster of two or three nodes, of which one is lost while it runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cluster_sweep import accuracies

from tune_app.results.store import open_store
from tune_app.training.checkpoints import load_weights

SCRIPT = Path(__file__).with_name("cluster_sweep.py")


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        pytest.param(2, (), id="storage elsewhere"),
        pytest.param(3, ("sent",), id="another tune_app there", marks=pytest.mark.slow),
        pytest.param(3, ("sent", "shared"), id="shared storage", marks=pytest.mark.slow),
    ],
)
def test_a_lost_node_costs_only_the_time_since_the_last_checkpoint(nodes, words, tmp_path):
    place = tmp_path / "results"
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    ran = subprocess.run(
        [sys.executable, str(SCRIPT), str(place), str(nodes), *words],
        env={**os.environ, "TMPDIR": str(scratch), "RAY_TMPDIR": "/tmp"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"complete {{'finished': {nodes + 1}}}" in ran.stdout, ran.stdout + ran.stderr
    assert "a node goes" in ran.stdout
    assert "Traceback" not in ran.stdout + ran.stderr
    store = open_store(place)
    trials = store.trials("spread")
    assert [trial.trial_id for trial in trials] == [f"t{n:04d}" for n in range(1, nodes + 2)]
    lost = [trial for trial in trials if trial.attempts > 1]
    assert lost, "no trial was on the node"
    for trial in trials:
        rows = store.epochs("spread", trial.trial_id)
        measured = accuracies(trial.seed)
        assert [row.val_accuracy for row in rows] == measured
        assert trial.val_accuracy == max(measured)
        assert load_weights(store.checkpoint_path(trial))[1] == {"epoch": trial.best_epoch}
        folder = store.trial_folder("spread", trial.trial_id)
        assert [path.name for path in folder.iterdir()] == [f"best-{trial.best_epoch:04d}.pt"]
    for trial in lost:
        rows = store.epochs("spread", trial.trial_id)
        assert rows[0].attempt == 1, "epochs before the last checkpoint are not trained again"
        assert rows[-1].attempt == trial.attempts
    notes = [line.split() for line in (tmp_path / "nodes.txt").read_text().splitlines()]
    assert len({node for node, *_ in notes}) == nodes
    begins = [(seed, float(at)) for _, seed, what, at in notes if what == "begins"]
    ends = [float(at) for _, _, what, at in notes if what == "ends"]
    for trial in lost:
        again = max(at for seed, at in begins if seed == str(trial.seed))
        free = max(at for at in ends if at < again)
        assert again - free < 5, "a worker was free, and waited for another to come up"
    assert any(scratch.glob("tune_app-*")) == ("shared" not in words)
    # Workers end shortly after their trials; what they kept on the way is gone by then.
    left = [path for path in scratch.glob("tune_app*/*/*/*") if "best" in path.name]
    assert len(left) <= len(lost), left
    assert not list(place.glob(".driver-*"))

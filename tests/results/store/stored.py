"""A sweep, a trial and an epoch for tests of the Store."""

import json
import subprocess
import sys

from tune_app.results.store import (
    EpochRecord,
    Resolved,
    Store,
    SweepRecord,
    TrialRecord,
    open_store,
)

SWEEP = SweepRecord(
    name="study",
    dataset="digits",
    model="cnn",
    budgets=(2000, 5000),
    config={"objective": {"metric": "val_accuracy", "mode": "max"}, "budgets": [2000, 5000]},
    source="name: study\n",
    command="tune-app run study.yaml",
    versions={"ray": "2.60.0"},
    git_commit="abc",
    hardware={"cpus": 2},
    seed=3,
    resolved=Resolved(precision="fp32", input_shape=(1, 8, 8)),
    run_flags={"data_root": "/data"},
    refused={"2000": 4},
    created=1000.0,
    updated=1000.0,
)
TRIAL = TrialRecord(
    sweep="study",
    trial_id="t0001",
    number=1,
    budget=2000,
    weights=1990,
    macs=64_000,
    fill_share=0.995,
    parameters={"lr": 0.01, "optimizer": "adam"},
    config={"lr": 0.01, "optimizer": "adam", "channels_list": [4, 8], "batch_norm": True},
    sampler="tpe",
    seed=11,
    created=1001.0,
)
EPOCH = EpochRecord(
    sweep="study",
    trial_id="t0001",
    epoch=1,
    attempt=1,
    started=1002.0,
    seconds=0.5,
    train_loss=1.5,
    train_accuracy=0.5,
    val_loss=1.4,
    val_accuracy=0.55,
    lr=0.01,
    grad_norm=2.0,
)


def reopened(store: Store) -> Store:
    """Return what another process would open."""
    return open_store(store.storage)


def a_dead_process() -> dict[str, object]:
    """Return the identity of a process that has ended."""
    code = (
        "import json; from tune_app.results.store import this_process;"
        "print(json.dumps(this_process()))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    return json.loads(ran.stdout)

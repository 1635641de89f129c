"""Run by test_cluster.py: a sweep on some nodes, of which one goes while it runs.

A process of its own: one process can be connected to one Ray only.
"""

import os
import random
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from ray.cluster_utils import Cluster

from tune_app.config.search_file import parse_sweep
from tune_app.errors import TuneAppError
from tune_app.results.store import open_store
from tune_app.sweep.launch import Launch
from tune_app.sweep.ray_tune import cluster as joining
from tune_app.sweep.ray_tune.cluster import quiet_environment
from tune_app.sweep.run import start_sweep
from tune_app.sweep.trial import file_transfer

EPOCHS = 20
FILE = f"""
name: spread
dataset: {{name: digits}}
model: fcn
parameters:
  width: {{int: [4, 64], log: true}}
  epochs: {EPOCHS}
search: {{sampler: random}}
scheduler: {{type: none}}
resources: {{precision: fp32}}
"""
QUICK_TO_NOTICE = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 3,
}


def accuracies(seed):
    """Return what a trial with this seed measures, an accuracy for each epoch."""
    rng = random.Random(seed)
    return [rng.random() for _ in range(EPOCHS)]


def train(model, data, config, *, seed, checkpoint, **rest):
    """Train nothing, a quarter of a second an epoch, and go on where the checkpoint is."""
    import ray

    from tune_app.training.loop import EpochResult

    def note(what):
        with Path(os.environ["NOTES"]).open("a") as notes:
            node = ray.get_runtime_context().get_node_id()
            notes.write(f"{node} {seed} {what} {time.monotonic()}\n")

    note("begins")
    rng = random.Random(seed)
    measured = [rng.random() for _ in range(config["epochs"])]
    state = checkpoint.load()
    for epoch in range((state or {"epoch": 0})["epoch"] + 1, config["epochs"] + 1):
        time.sleep(0.25)
        accuracy = measured[epoch - 1]
        if epoch == config["epochs"]:
            note("ends")
        yield EpochResult(epoch, 1.0, accuracy, 1.0 - accuracy, accuracy, 0.1, 1.0, 0.25)
        checkpoint.offer(lambda epoch=epoch: {"epoch": epoch})


@contextmanager
def marked_otherwise(storage):
    """Leave another word in the storage than workers are told, so that none takes it for ours."""
    with file_transfer.marked(storage) as mark:
        mark.path.write_text("another word", encoding="utf-8")
        yield mark


def take_away(cluster, node, store, notes):
    """Kill a node once a trial there has a checkpoint."""
    while True:
        time.sleep(0.2)
        try:
            trials = store.trials("spread")
            lines = notes.read_text().splitlines()
        except (TuneAppError, FileNotFoundError):  # not begun
            continue
        there = {int(line.split()[1]) for line in lines if line.startswith(node.node_id)}
        if any(t.epochs >= 14 and t.status == "running" and t.seed in there for t in trials):
            break
    print("a node goes", flush=True)
    cluster.remove_node(node, allow_graceful=False)


def main(storage: Path, *, shared: bool, nodes: int, sent: bool) -> None:
    quiet_environment()
    notes = storage.parent / "nodes.txt"
    os.environ["NOTES"] = str(notes)
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "_system_config": QUICK_TO_NOTICE}
    )
    stays = {}
    if sent:  # another tune_app than ours is found there first, so ours is sent to every node
        other = storage.parent / "other" / "tune_app"
        other.mkdir(parents=True)
        (other / "__init__.py").write_text("raise ImportError('this is another')")
        stays = {"env_vars": {"PYTHONPATH": str(other.parent)}}
    for _ in range(nodes - 2):
        cluster.add_node(num_cpus=1, **stays)
    goes = cluster.add_node(num_cpus=1)
    if not shared:
        joining.marked = marked_otherwise
    store = open_store(storage)
    thread = threading.Thread(target=take_away, args=(cluster, goes, store, notes), daemon=True)
    thread.start()
    launch = Launch(storage=storage, data_root=storage, address=cluster.address, train=train)
    trials = [("search.trials", nodes + 1)]
    config = parse_sweep(FILE, source="spread.yaml", overrides=trials)
    outcome = start_sweep(config, launch)
    print(outcome.status, outcome.trials)
    thread.join()
    cluster.shutdown()


if __name__ == "__main__":
    words = sys.argv[3:]
    main(
        Path(sys.argv[1]),
        nodes=int(sys.argv[2]),
        shared="shared" in words,
        sent="sent" in words,
    )

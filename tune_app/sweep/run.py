"""A SweepConfig in, a finished sweep out: run one, resume one, ask one to stop."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tune_app.config.sweep import SweepConfig
from tune_app.data.sets import DataShape, SearchData, data_shape, load_search_data
from tune_app.errors import DataError, SweepExistsError
from tune_app.results.store import Store, SweepRecord, open_store, this_process
from tune_app.sweep.cluster import ClusterResources, ray_cluster
from tune_app.sweep.engine import Watch
from tune_app.sweep.feasible import FeasibleSpace
from tune_app.sweep.provenance import git_commit, hardware, package_versions
from tune_app.sweep.session import Outcome, run_session
from tune_app.sweep.smallest import require_budgets
from tune_app.sweep.trainable import TrainEpochs
from tune_app.training.device import probe_kernels
from tune_app.training.loop import train_epochs

OBJECT_STORE_BYTES = 256 * 2**20  # beside the data set
MISSING_DATA_S = 0.2  # in which a data set that is not there is noticed, before Ray is started


@dataclass(frozen=True)
class Launch:
    """Where and how a sweep runs; what `resume` repeats."""

    storage: Path
    data_root: Path
    address: str | None = None
    command: str = ""
    source: str = ""


def run_sweep(
    config: SweepConfig,
    launch: Launch,
    *,
    new_name: bool = False,
    watch: Watch | None = None,
    train: TrainEpochs = train_epochs,
) -> Outcome:
    """Run a new sweep to its end.

    With `new_name`, a taken name gets the next free number ("digits-2"). `watch` is entered
    with the sweep's progress before the first trial and left after the last. `train` stands in
    the place of `train_epochs`.

    Raises:
        SweepExistsError: The name is taken.
        BudgetError: No configuration meets a budget.
        DataMissingError, DataError, StorageError, ClusterError: Before the first trial.
    """
    shape = data_shape(config.dataset, launch.data_root)
    feasible = FeasibleSpace(config, shape.input_shape, shape.outputs)
    require_budgets(feasible)
    store = open_store(launch.storage)
    config = config.model_copy(update={"name": _free_name(store, config.name, new_name)})
    with _ray_and_data(config, launch) as (cluster, data, kernels):
        record = _record(config, launch, data, kernels)
        store.create_sweep(record)
        return run_session(store, record, feasible, cluster, data, watch=watch, train=train)


def resume_sweep(
    name: str,
    launch: Launch,
    *,
    trials: int | None = None,
    watch: Watch | None = None,
    train: TrainEpochs = train_epochs,
) -> Outcome | None:
    """Go on with a sweep from its record: unfinished trials first, then new ones.

    `trials` extends it to that many. Returns None where there is nothing left to do.

    Raises:
        UnknownSweepError, SweepBusyError: There is no such sweep, or a live process owns it.
        DataError: The data set is not what the sweep began with.
    """
    store = open_store(launch.storage)
    record = store.get_sweep(name)
    config = SweepConfig.from_dict(record.config)
    if trials is not None:
        search = config.search.model_copy(update={"trials": trials})
        config = config.model_copy(update={"search": search})
    elif record.status == "complete":
        return None
    store.refuse_if_live(name)
    shape = data_shape(config.dataset, launch.data_root)
    feasible = FeasibleSpace(config, shape.input_shape, shape.outputs)
    require_budgets(feasible)
    with _ray_and_data(config, launch, record.resolved) as (cluster, data, _):
        if data.digest != record.resolved["data_digest"]:
            raise DataError(
                f"the data of '{config.dataset.name}' changed since sweep '{name}' began; "
                "its trials could not be compared: run a new sweep"
            )
        record = replace(record, config=config.to_dict())
        return run_session(store, record, feasible, cluster, data, watch=watch, train=train)


@contextmanager
def _ray_and_data(
    config: SweepConfig, launch: Launch, resolved: dict[str, Any] | None = None
) -> Iterator[tuple[ClusterResources, SearchData, dict[str, Any]]]:
    """Start or join Ray, and meanwhile read the data and measure the kernels."""
    loaded: dict[str, Any] = {}

    def prepare() -> None:
        try:
            loaded["data"] = load_search_data(config.dataset, launch.data_root)
            loaded["kernels"] = resolved["kernels"] if resolved else probe_kernels()
        except Exception as error:
            loaded["error"] = error

    thread = threading.Thread(target=prepare)
    thread.start()
    try:
        thread.join(MISSING_DATA_S)
        if "error" in loaded:
            raise loaded["error"]
        shape = data_shape(config.dataset, launch.data_root)
        with ray_cluster(
            launch.address, object_store_bytes=OBJECT_STORE_BYTES + 2 * _data_bytes(shape)
        ) as cluster:
            thread.join()
            if "error" in loaded:
                raise loaded["error"]
            yield cluster, loaded["data"], loaded["kernels"]
    finally:
        thread.join()


def _data_bytes(shape: DataShape) -> int:
    pixels = 1
    for size in shape.input_shape:
        pixels *= size
    return int(pixels * shape.train_count * 4)


def _free_name(store: Store, name: str, new: bool) -> str:
    taken = {record.name for record in store.list_sweeps(archived=True)}
    if name not in taken:
        return name
    if not new:
        raise SweepExistsError(
            f"a sweep named '{name}' exists; continue it with: tune-app resume {name}; "
            "or run this file under another name: --name NAME, or --new for the next free one"
        )
    number = 2
    while f"{name}-{number}" in taken:
        number += 1
    return f"{name}-{number}"


def _record(
    config: SweepConfig, launch: Launch, data: SearchData, kernels: dict[str, Any]
) -> SweepRecord:
    # bf16 is taken only when asked for: on the processors measured so far it either does not
    # help (no native bf16) or its cost in accuracy at small sizes is unknown.
    precision = "fp32" if config.resources.precision == "auto" else config.resources.precision
    return SweepRecord(
        name=config.name,
        dataset=config.dataset.name,
        model=config.model,
        budgets=config.budgets,
        config=config.to_dict(),
        source=launch.source,
        command=launch.command,
        versions=package_versions(),
        git_commit=git_commit(),
        hardware=hardware(),
        seed=config.search.seed,
        resolved={
            "precision": precision,
            "kernels": kernels,
            "task": data.task,
            "input_shape": list(data.input_shape),
            "outputs": data.outputs,
            "classes": list(data.classes),
            "mean": list(data.mean),
            "std": list(data.std),
            "data_digest": data.digest,
            "train_count": len(data.x_train),
            "validation_count": len(data.x_val),
        },
        owner=this_process(),
        run_flags={"address": launch.address, "data_root": str(launch.data_root)},
    )

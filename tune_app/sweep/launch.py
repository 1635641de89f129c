"""Starting a process that runs a part of a sweep: Ray, the data, and its circumstances."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tune_app.config.sweep import SweepConfig
from tune_app.config.user_functions import Function
from tune_app.data.sets import DataShape, SearchData, data_shape, load_search_data
from tune_app.errors import DataError
from tune_app.results.store import Resolved, SweepRecord, open_store
from tune_app.results.transfer.mirror import mirror_of
from tune_app.sweep.progress import Announce, AnnounceData, Watch
from tune_app.sweep.provenance import git_commit, hardware, package_versions
from tune_app.sweep.ray_tune.cluster import Cluster, ray_cluster
from tune_app.sweep.ray_tune.nodes import Needs
from tune_app.sweep.signals import StopSignals
from tune_app.training.device import probe_kernels

OBJECT_STORE_BYTES = 256 * 2**20  # in addition to the data set
MISSING_DATA_S = 0.2  # wait so long before Ray is started, to report missing data at once


@dataclass(frozen=True)
class Launch:
    """The caller's choices for a run: its storage, its cluster, its user code, and its viewer."""

    storage: Path
    data_root: Path
    address: str | None = None
    command: str = ""
    source: str = ""
    folders: tuple[Path, ...] = ()  # where the functions that a search file names are looked for
    # Functions handed over in Python, in the place of those that the file names or the sweep kept.
    model: Function | None = None
    train: Function | None = None
    announce: Announce | None = None  # gets the config as soon as it is known
    announce_data: AnnounceData | None = None  # gets what a new sweep's data consist of
    watch: Watch | None = None  # entered before the first trial of a stage, left after the last


@contextmanager
def ray_and_data(
    config: SweepConfig,
    launch: Launch,
    signals: StopSignals,
    resolved: Resolved | None = None,
) -> Iterator[tuple[Cluster, SearchData, Mapping[str, Any]]]:
    """Start or join Ray, and at the same time read the data and measure the kernels.

    `resolved` holds the settings of an earlier process, whose kernels are used again.
    """
    loaded: dict[str, Any] = {}

    def prepare() -> None:
        try:
            loaded["data"] = load_search_data(config.dataset, launch.data_root)
            loaded["kernels"] = resolved.kernels if resolved else probe_kernels()
        except Exception as error:
            loaded["error"] = error

    thread = threading.Thread(target=prepare, daemon=True)
    thread.start()
    thread.join(MISSING_DATA_S)
    if "error" in loaded:
        raise loaded["error"]
    shape = data_shape(config.dataset, launch.data_root)
    store_bytes = OBJECT_STORE_BYTES + 2 * _data_bytes(shape)
    mirror = mirror_of(open_store(launch.storage))
    url = None if mirror is None else mirror.url
    needs = Needs(launch.storage, _data_bytes(shape), url)
    with ray_cluster(launch.address, object_store_bytes=store_bytes, needs=needs) as cluster:
        signals.install()
        thread.join()
        if "error" in loaded:
            raise loaded["error"]
        yield cluster, loaded["data"], loaded["kernels"]


def _data_bytes(shape: DataShape) -> int:
    pixels = 1
    for size in shape.input_shape:
        pixels *= size
    return pixels * shape.train_count * 4


def surroundings(launch: Launch) -> dict[str, Any]:
    """Return the circumstances of this process for the record: command, versions, hardware."""
    return {
        "command": launch.command,
        "started": time.time(),
        "versions": package_versions(),
        "git_commit": git_commit(),
        "hardware": hardware(),
    }


def noted_again(record: SweepRecord, launch: Launch) -> SweepRecord:
    """Return `record` with this process added to those that ran a part of the sweep."""
    resumed = [*record.run_flags.get("resumed", []), surroundings(launch)]
    return replace(record, run_flags={**record.run_flags, "resumed": resumed})


def require_same_data(data: SearchData, record: SweepRecord) -> None:
    if data.digest != record.resolved.data_digest:
        raise DataError(
            f"the data of '{record.dataset}' changed since sweep '{record.name}' began; "
            "its trials could not be compared: run a new sweep"
        )

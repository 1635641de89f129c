"""Placement: how many trials run at the same time, and on which CPUs and GPUs.

The plan is made from the nodes of the cluster before the first trial, and again every two
seconds, because nodes join and leave. `Admission` then gives Tune a trial only if the plan has
room for one, so that no trial waits for resources inside Ray, where it could not be taken back.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ray.tune.search import ConcurrencyLimiter, Searcher

from tune_app.config.sections import Resources
from tune_app.errors import ClusterError
from tune_app.sweep.trial.tasks import DriverOnly

TRIALS_PER_GPU = 4
LOOK_EVERY_S = 2.0  # how often the nodes are looked at
GPUS = "gpus"  # the key, beside a trial's task in Tune's config, of its share of a GPU


@dataclass(frozen=True)
class Node:
    """The total resources of a node of the cluster."""

    address: str
    cpus: float
    gpus: float = 0.0
    name: str = ""
    node_id: str = ""
    store_bytes: float = 0.0  # of Ray's object store


@dataclass(frozen=True)
class Placement:
    """The resources of each trial, and how many trials run at the same time.

    Trials on a GPU get `gpus_per_trial` of it; the others get no GPU.
    """

    cpus_per_trial: int
    gpus_per_trial: float
    on_gpus: int
    on_cpus: int
    by_node: tuple[int, ...]  # trials on each node, before `max_concurrent`

    @property
    def concurrent(self) -> int:
        return self.on_gpus + self.on_cpus


def plan_placement(wanted: Resources, nodes: Sequence[Node]) -> Placement:
    """Return how trials are placed on `nodes`.

    A trial runs on one node, and a node runs as many trials as its CPUs hold `cpus_per_trial`.
    `gpus_per_trial: auto` shares each GPU among at most four trials, and no more than the CPUs of
    its node can feed; nodes without a GPU train on their CPUs at the same time. With a number
    (`0.25`, `1`, `2`) every trial gets that much, so nodes without a GPU stay idle; with 0 all
    trials run on CPUs. `max_concurrent` limits the sum; places on GPUs are filled first.

    Raises:
        ClusterError: No node has the resources of one trial.
    """
    cpus = wanted.cpus_per_trial
    feeds = [int(node.cpus // cpus) for node in nodes]
    if not any(feeds):
        most = max((node.cpus for node in nodes), default=0)
        there = f"there are {most:g} CPUs" if len(nodes) == 1 else _most("CPUs", most, nodes)
        raise ClusterError(f"resources.cpus_per_trial is {cpus}, but {there}")
    share = _gpu_share(wanted, nodes, feeds)
    on_gpus, on_cpus = [], []
    for node, feed in zip(nodes, feeds, strict=True):
        gpus = min(feed, _shares(node.gpus, share)) if share else 0
        on_gpus.append(gpus)
        # The other CPUs of a node with a GPU load and prepare the data for it.
        cpu_only = share == 0 or (wanted.gpus_per_trial == "auto" and not node.gpus)
        on_cpus.append(feed if cpu_only else 0)
    if not any(on_gpus) and not any(on_cpus):
        most = max(node.gpus for node in nodes)
        there = f"there are {most:g} GPUs" if len(nodes) == 1 else _most("GPUs", most, nodes)
        raise ClusterError(
            f"resources.gpus_per_trial is {share:g}, but {there}; 'auto' uses all GPUs"
        )
    by_node = tuple(map(sum, zip(on_gpus, on_cpus, strict=True)))
    limit = sum(by_node)
    if wanted.max_concurrent != "auto":
        limit = max(1, min(limit, wanted.max_concurrent))
    gpu_trials = min(limit, sum(on_gpus))
    return Placement(cpus, share, gpu_trials, limit - gpu_trials, by_node)


def _gpu_share(wanted: Resources, nodes: Sequence[Node], feeds: Sequence[int]) -> float:
    if wanted.gpus_per_trial != "auto":
        return float(wanted.gpus_per_trial)
    # Tune knows one share for all trials: the largest that the CPUs of any node need.
    per_gpu = [
        min(TRIALS_PER_GPU, max(1, int(feed // node.gpus)))
        for node, feed in zip(nodes, feeds, strict=True)
        if node.gpus and feed
    ]
    return 1 / min(per_gpu) if per_gpu else 0.0


def _shares(gpus: float, share: float) -> int:
    """Return how many trials `gpus` hold; a share below one never spans two GPUs."""
    if share < 1:
        return int(gpus) * int(1 / share + 1e-9)
    return int(gpus / share + 1e-9)


def _most(what: str, most: float, nodes: Sequence[Node]) -> str:
    return f"no node has more than {most:g} {what} (of {len(nodes)} nodes)"


class Admission(DriverOnly, ConcurrencyLimiter):
    """Tune's searcher: asks `searcher` for a trial only if the plan has room for one.

    `nodes` returns the present nodes, so that nodes which join get trials, and nodes which left
    are not planned with. A trial takes a place on a GPU if one is free, otherwise one on CPUs.
    """

    def __init__(
        self, searcher: Searcher, wanted: Resources, nodes: Callable[[], Sequence[Node]]
    ) -> None:
        self.wanted, self.nodes = wanted, nodes
        self.placement = plan_placement(wanted, nodes())
        self._looked = time.monotonic()
        self._on_gpus: set[str] = set()
        super().__init__(searcher, max_concurrent=self.placement.concurrent)

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        self._look()
        suggestion = super().suggest(trial_id)
        if isinstance(suggestion, dict):
            on_gpu = len(self._on_gpus) < self.placement.on_gpus
            if on_gpu:
                self._on_gpus.add(trial_id)
            suggestion = {**suggestion, GPUS: self.placement.gpus_per_trial if on_gpu else 0.0}
        return suggestion

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        self._on_gpus.discard(trial_id)
        super().on_trial_complete(trial_id, result=result, error=error)

    def _look(self) -> None:
        if time.monotonic() - self._looked < LOOK_EVERY_S:
            return
        self._looked = time.monotonic()
        try:
            self.placement = plan_placement(self.wanted, self.nodes())
        except ClusterError:  # running trials continue, and nodes may come back
            return
        self.max_concurrent = self.placement.concurrent

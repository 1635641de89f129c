"""The nodes of a cluster, and the check whether each can take part in a sweep.

A Ray task on each node runs the check (see node_probe.py), on all nodes at the same time.
"""

import logging
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from tune_app.errors import ClusterError
from tune_app.results.humanize import size_text
from tune_app.sweep.ray_tune import node_probe
from tune_app.sweep.ray_tune.placement import Node
from tune_app.sweep.trial.file_transfer import StorageMark

LOG = logging.getLogger("tune_app.sweep")
CHECK_S = 10.0  # for all nodes together
FIRST_S = 60.0  # for the first answer: a cluster may start workers slowly everywhere
PACKAGE = Path(__file__).resolve().parents[2]
MEMORY_FACTOR = 2.0  # the data set is in the object store, and again as a worker's tensors


@dataclass(frozen=True)
class Needs:
    """The requirements of a sweep on every node."""

    storage: Path  # which the node writes to, directly or by file transfer
    data_bytes: int
    url: str | None = None  # of the object store, if the storage is one


def alive_nodes() -> list[Node]:
    """Return the nodes of the cluster that this process is connected to."""
    import ray

    found: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [_node(node) for node in found if node["Alive"]]


def _node(found: Mapping[str, Any]) -> Node:
    has = found["Resources"]
    return Node(
        address=found["NodeManagerAddress"],
        cpus=has.get("CPU", 0.0),
        gpus=has.get("GPU", 0.0),
        name=found["NodeManagerHostname"],
        node_id=found["NodeID"],
        store_bytes=has.get("object_store_memory", 0.0),
    )


def check_nodes(nodes: Sequence[Node], needs: Needs, mark: StorageMark) -> bool:
    """Return whether every node has exactly this package, after checking everything else.

    `mark` is in the driver's storage. A node that does not answer in time is named in a warning,
    and used if it answers later.

    Raises:
        ClusterError: Nodes cannot take part; names each of them, the reason and the remedy.
    """
    reports = _ask_all(nodes, mark, needs.url)
    silent = [node for node in nodes if node.node_id not in reports]
    if len(silent) == len(nodes):
        raise ClusterError(
            f"no node of the cluster answered within {FIRST_S:g} s; look at `ray status` and the "
            "logs on the head, in /tmp/ray/session_latest/logs"
        )
    for node in silent:
        LOG.warning(
            "node %s did not answer within %g s; trials that start there may wait",
            _called(node),
            CHECK_S,
        )
    problems = [
        f"node {_called(node)}: {problem}"
        for node in nodes
        if node.node_id in reports
        for problem in node_problems(node, reports[node.node_id], needs.data_bytes)
    ]
    if problems:
        count = "a node" if len(problems) == 1 else f"{len(problems)} things are wrong: nodes"
        raise ClusterError("\n  ".join([f"{count} cannot take part in the sweep", *problems]))
    here = node_probe.package_digest()
    return all(report["package"] == here for report in reports.values())


def node_problems(node: Node, report: Mapping[str, Any], data_bytes: int) -> list[str]:
    """Return the problems that keep a node from taking part, each with its remedy."""
    problems = []
    if "error" in report:
        problems.append(f"nothing can be started there: {report['error']}")
        return problems
    for name, theirs, ours in (
        ("Python", report["python"], platform.python_version()),
        ("Ray", report["ray"], metadata.version("ray")),
    ):
        # Ray requires the same minor version of Python, and pickles need no more than that.
        if name == "Python":
            theirs, ours = theirs.rpartition(".")[0], ours.rpartition(".")[0]
        if theirs != ours:
            problems.append(
                f"{name} {theirs}, where this process has {ours}; install the same on every node"
            )
    if report["bucket_error"]:
        problems.append(
            f"the storage cannot be written from there ({report['bucket_error']}); give that node "
            "credentials for it, in the environment of `ray start` for example"
        )
    if report["write_error"]:
        problems.append(
            f"the storage is there and cannot be written ({report['write_error']}); let the user "
            "that runs Ray there write to it, or choose another storage"
        )
    need = MEMORY_FACTOR * data_bytes
    if report["memory"] is not None and report["memory"] < need:
        problems.append(
            f"{size_text(report['memory'])} of memory are free, and the data set needs "
            f"{size_text(int(need))}; free some, leave the node out, or set dataset.train_size"
        )
    if node.store_bytes and node.store_bytes < data_bytes:
        problems.append(
            f"Ray's object store there holds {size_text(int(node.store_bytes))}, and the data set "
            f"is {size_text(data_bytes)}; start Ray with --object-store-memory={2 * data_bytes}"
        )
    return problems


def _ask_all(
    nodes: Sequence[Node], mark: StorageMark, url: str | None
) -> dict[str, dict[str, Any]]:
    """Return the reports of the nodes that answered in time, by node id."""
    import ray
    from ray import cloudpickle
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    cloudpickle.register_pickle_by_value(node_probe)  # type: ignore[no-untyped-call]
    try:
        probe = ray.remote(node_probe.probe_node)
        asked = {
            probe.options(
                num_cpus=0,
                max_retries=0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node.node_id, soft=False),
            ).remote(mark.storage, mark.name, mark.word, url): node
            for node in nodes
        }
    finally:
        cloudpickle.unregister_pickle_by_value(node_probe)  # type: ignore[no-untyped-call]
    reports: dict[str, dict[str, Any]] = {}
    started = time.monotonic()
    waiting = list(asked)
    while waiting:
        left = started + (CHECK_S if reports else FIRST_S) - time.monotonic()
        if left <= 0:
            break
        done, waiting = ray.wait(waiting, timeout=min(1.0, left))
        for answer in done:
            try:
                report = ray.get(answer)
            except Exception as error:  # raised by Ray, or by the environment of that node
                lines = [line for line in str(error).splitlines() if line.strip()]
                report = {"error": lines[-1] if lines else type(error).__name__, "package": None}
            reports[asked[answer].node_id] = report
    return reports


def _called(node: Node) -> str:
    return f"{node.address} ({node.name})" if node.name else node.address

"""Starting Ray quietly on this machine, or joining a running cluster."""

import logging
import os
import secrets
import socket
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tune_app.errors import ClusterError
from tune_app.hints import hint
from tune_app.sweep.fallbacks import Fallbacks
from tune_app.sweep.ray_tune.nodes import PACKAGE, Needs, alive_nodes, check_nodes
from tune_app.sweep.ray_tune.patches import ask_head, signal_handlers_kept
from tune_app.sweep.ray_tune.placement import Node
from tune_app.sweep.signals import signals_deferred
from tune_app.sweep.trial.file_transfer import FileTransfer, StorageMark, marked, open_file_transfer
from tune_app.training.device import worker_env

# Part of Ray's message if its own processes took more than 30 s, as on a busy machine.
TOO_BUSY = "timed out during startup"
PROBE_TIMEOUT_S = 3.0
HANDSHAKE_TIMEOUT_S = 15.0  # includes the import of Ray on a busy machine
_WAY_OUT = hint("cluster_address")
_TOKEN = secrets.token_hex(32)  # of the clusters that this process starts; Ray caches the first

# Ray reads these when it is imported or started, so they are set before; the user's own win.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the Store is our record
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a trial without its metric fails alone
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # ours handles SIGTERM too
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",  # we resume from the Store, not from Tune's snapshots
    "TUNE_WARN_THRESHOLD_S": "60",
    "TUNE_FORCE_TRIAL_CLEANUP_S": "3",  # after a stop, for actors in the middle of an epoch
    "TUNE_RESULT_BUFFER_LENGTH": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative paths keep their meaning
}


@dataclass(frozen=True)
class Cluster:
    """The Ray that a sweep runs on, and how its workers reach the storage."""

    nodes: tuple[Node, ...]  # at the start
    local: bool  # started by us, for this sweep
    file_transfer: FileTransfer | None = None  # None if all workers are on this machine
    fallbacks: Fallbacks = field(default_factory=Fallbacks)  # collected from the start of Ray on

    def look(self) -> Sequence[Node]:
        """Return the present nodes."""
        return self.nodes if self.local else alive_nodes()

    @property
    def cpus(self) -> int:
        return int(sum(node.cpus for node in self.nodes))


def quiet_environment() -> None:
    """Set the variables and log levels that Ray reads when it is imported."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    for name in ("ray", "ray.tune", "ray.data", "ray.train"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # A trial whose worker died is retried, and the cause is in the record.
    logging.getLogger("ray.tune.execution.tune_controller").setLevel(logging.CRITICAL)


def cpu_count() -> int:
    """Return the CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def ray_cluster(
    address: str | None, *, object_store_bytes: int, needs: Needs | None = None
) -> Iterator[Cluster]:
    """Join the cluster at `address` or, without one, run Ray on this machine during the block.

    If this process is already connected to a Ray, that one is used and left running. Each node of
    a cluster is checked for what the sweep `needs`; if one has no tune_app, or a different one,
    ours is sent to all nodes. A local Ray gets a random token, so that nobody else on this machine
    or network can use its ports; the token is in no file, and the environment is restored at once.

    Raises:
        ClusterError: Ray cannot be reached or started (the message names the setting to check),
            or a node cannot take part.
    """
    quiet_environment()
    import ray

    fallbacks = Fallbacks()
    if ray.is_initialized():
        with _on_cluster(needs, fallbacks) as cluster:
            yield cluster
        return
    try:
        with signal_handlers_kept(fallbacks):
            if address:
                _join(address, fallbacks)
            else:
                _start(object_store_bytes)
        if not address:
            file_transfer = (
                needs
                and needs.url
                and FileTransfer(StorageMark(str(needs.storage.resolve())), url=needs.url)
            )
            yield Cluster(
                tuple(alive_nodes()),
                local=True,
                file_transfer=file_transfer or None,
                fallbacks=fallbacks,
            )
            return
        with _on_cluster(needs, fallbacks, partial(_send_package, address)) as cluster:
            yield cluster
    finally:
        ray.shutdown()


@contextmanager
def _on_cluster(
    needs: Needs | None,
    fallbacks: Fallbacks,
    send_package: Callable[[Fallbacks], None] | None = None,
) -> Iterator[Cluster]:
    """Check the nodes of a cluster, and open the file transfer to the storage.

    Without `send_package` the process was connected to Ray before; a single node is then this
    machine and needs no check.
    """
    nodes = alive_nodes()
    if needs is None:
        yield Cluster(tuple(nodes), local=False, fallbacks=fallbacks)
        return
    with ExitStack() as stack:
        with signals_deferred():
            mark = stack.enter_context(marked(needs.storage))
            own = send_package is None and len(nodes) == 1
            is_same = own or check_nodes(nodes, needs, mark)
        if not is_same:
            (send_package or _cannot_send)(fallbacks)
            with signals_deferred():
                is_same = check_nodes(nodes, needs, mark)
        if not is_same:
            raise ClusterError(
                "a node still imports another tune_app than this process has; remove the one "
                "that is installed there, or install this one"
            )
        with signals_deferred():
            file_transfer = stack.enter_context(open_file_transfer(mark, needs.url))
        yield Cluster(tuple(nodes), local=False, file_transfer=file_transfer, fallbacks=fallbacks)


def _cannot_send(_: Fallbacks) -> None:
    raise ClusterError(
        "nodes of this Ray have no tune_app, or another than this process; install it there, or "
        f"give ray.init runtime_env={{'py_modules': ['{PACKAGE}']}}"
    )


def _send_package(address: str, fallbacks: Fallbacks) -> None:
    """Reconnect so that Ray sends our package, without data, once to each node."""
    import ray

    ray.shutdown()
    with signal_handlers_kept(fallbacks):
        _connect(address, {"py_modules": [str(PACKAGE)]})


def _join(address: str, fallbacks: Fallbacks) -> None:
    _probe(address)
    _shake_hands(address, fallbacks)
    _connect(address, {})


def _connect(address: str, environment: dict[str, Any]) -> None:
    import ray

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={"env_vars": worker_env(), **environment},
            )
    except Exception as error:
        raise ClusterError(
            f"Ray at {address} did not accept this driver: {_first_line(error)}; a cluster in "
            "token mode needs RAY_AUTH_MODE=token and RAY_AUTH_TOKEN, and the same Ray and "
            "Python versions as here"
        ) from error


def _start(object_store_bytes: int) -> None:
    import ray

    # Ray requires a token in a cluster that it starts here. If we give it one, it writes none to
    # the home folder, where others could read it, and needs no home folder.
    ours = worker_env() | {"RAY_AUTH_TOKEN": _TOKEN}
    before = {name: os.environ.get(name) for name in (*ours, "RAY_AUTH_MODE", "RAY_ADDRESS")}
    for name, setting in ours.items():
        os.environ.setdefault(name, setting)
    os.environ.pop("RAY_ADDRESS", None)  # with it Ray would join and not start
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            start = partial(
                ray.init,
                address="local",  # otherwise Ray joins one that somebody started here
                num_cpus=cpu_count(),
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=object_store_bytes,
            )
            try:
                start()
            except Exception as error:
                if TOO_BUSY not in str(error):
                    raise
                start()  # processes left by the first try end with this one
    except Exception as error:
        raise ClusterError(f"Ray could not be started here: {_first_line(error)}") from error
    finally:
        # The started Ray has its copy. Left here, the token mode would break a later connection
        # to a cluster without tokens.
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _probe(address: str) -> None:
    """Check within seconds that something listens; Ray itself would try for minutes."""
    if address == "auto":
        return
    if address.startswith("ray://"):
        raise ClusterError(
            f"'{address}' is Ray's client, through which Tune does not run our part of a sweep",
            hint=hint("no_ray_client"),
        )
    host, separator, port = address.rpartition(":")
    if not separator or not port.isdigit():
        raise ClusterError(f"'{address}' is no address of a Ray cluster", hint=_WAY_OUT)
    deadline = time.monotonic() + PROBE_TIMEOUT_S
    error: OSError | None = None
    while time.monotonic() < deadline:
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=1.0):
                return
        except OSError as refused:
            error = refused
            time.sleep(0.3)
    raise ClusterError(f"nothing answers at {address} ({error})", hint=_WAY_OUT)


def _shake_hands(address: str, fallbacks: Fallbacks) -> None:
    """Check within seconds that a Ray head answers and accepts our token."""
    if address == "auto":
        return
    try:
        done = ask_head(address, HANDSHAKE_TIMEOUT_S, fallbacks)
    except subprocess.TimeoutExpired:
        raise ClusterError(
            f"what answers at {address} does not speak as the head of a Ray cluster",
            hint=_WAY_OUT,
        ) from None
    if done is not None and done.returncode:
        said = (done.stderr.strip() or "it gave no reason").splitlines()[-1]
        raise ClusterError(
            f"Ray at {address} did not accept this driver: {said}; a cluster in token mode needs "
            "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"
        )


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__

"""Starting Ray quietly on this machine, or joining a cluster that runs."""

import logging
import os
import secrets
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tune_app.errors import ClusterError
from tune_app.training.device import worker_env

PROBE_TIMEOUT_S = 3.0
HANDSHAKE_TIMEOUT_S = 15.0  # the import of Ray on a busy machine included
_WAY_OUT = "see --address and RAY_ADDRESS (host:port of the head, 6379 by default)"
_TOKEN = secrets.token_hex(32)  # of the clusters that this process starts; Ray caches the first

# Read by Ray when it is imported or started; set before either, unless the user did.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the Store is the record
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a trial without its metric fails alone
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # ours answers SIGTERM too
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",  # resuming reads the Store, not Tune's snapshots
    "TUNE_WARN_THRESHOLD_S": "60",
    "TUNE_FORCE_TRIAL_CLEANUP_S": "3",  # after a stop, for actors in the middle of an epoch
    "TUNE_RESULT_BUFFER_LENGTH": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative paths stay what the user meant
}


@dataclass(frozen=True)
class ClusterResources:
    """What a sweep may use."""

    cpus: int
    gpus: int
    nodes: int
    local: bool  # started by us, for this sweep


def quiet_environment() -> None:
    """Set what must be set before Ray is imported."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    for name in ("ray", "ray.tune", "ray.data", "ray.train"):
        logging.getLogger(name).setLevel(logging.ERROR)


def cpu_count() -> int:
    """Return the CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def ray_cluster(address: str | None, *, object_store_bytes: int) -> Iterator[ClusterResources]:
    """Join the cluster at `address` or, without one, run Ray here for as long as the block.

    A Ray that this process has running already is used, and left running. A local Ray gets a
    token of its own, so that nobody else on this machine or network can use its ports, without
    leaving a file; the environment is put back afterwards.

    Raises:
        ClusterError: Ray cannot be reached or started; says which setting to look at.
    """
    quiet_environment()
    import ray

    if ray.is_initialized():
        yield _resources(local=False)
        return
    with _handlers_of_signals_kept():
        if address:
            _join(address)
        else:
            _start(object_store_bytes)
    try:
        yield _resources(local=not address)
    finally:
        ray.shutdown()


def _join(address: str) -> None:
    import ray

    _probe(address)
    _shake_hands(address)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={"env_vars": worker_env()},
            )
    except Exception as error:
        raise ClusterError(
            f"Ray at {address} did not accept this driver: {_first_line(error)}; a cluster in "
            "token mode needs RAY_AUTH_MODE=token and RAY_AUTH_TOKEN, and the same Ray and "
            "Python versions as here"
        ) from error


def _start(object_store_bytes: int) -> None:
    import ray

    # Ray turns its token mode on for a cluster that it starts here. Given a token it writes
    # none to the home folder, where others could read it, and needs no home folder.
    ours = worker_env() | {"RAY_AUTH_TOKEN": _TOKEN}
    before = {name: os.environ.get(name) for name in (*ours, "RAY_AUTH_MODE", "RAY_ADDRESS")}
    for name, setting in ours.items():
        os.environ.setdefault(name, setting)
    os.environ.pop("RAY_ADDRESS", None)  # it would be read in place of a start
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(
                address="local",  # else one that somebody started on this machine is joined
                num_cpus=cpu_count(),
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=object_store_bytes,
            )
    except Exception as error:
        raise ClusterError(f"Ray could not be started here: {_first_line(error)}") from error
    finally:
        # What runs has its copy; left here, the mode would break a later connection to an
        # open cluster.
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _handlers_of_signals_kept() -> Iterator[None]:
    """Leave SIGTERM to who has it: Ray's own handler exits where that may be swallowed."""
    from ray._private import utils

    before = utils.set_sigterm_handler
    utils.set_sigterm_handler = lambda handler: None
    try:
        yield
    finally:
        utils.set_sigterm_handler = before


def _probe(address: str) -> None:
    """Check within seconds that something listens; Ray itself would wait for minutes."""
    if address == "auto":
        return
    host, separator, port = address.removeprefix("ray://").rpartition(":")
    if not separator or not port.isdigit():
        raise ClusterError(f"'{address}' is no address of a Ray cluster; {_WAY_OUT}")
    deadline = time.monotonic() + PROBE_TIMEOUT_S
    error: OSError | None = None
    while time.monotonic() < deadline:
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=1.0):
                return
        except OSError as refused:
            error = refused
            time.sleep(0.3)
    raise ClusterError(f"nothing answers at {address} ({error}); {_WAY_OUT}")


def _shake_hands(address: str) -> None:
    """Check within seconds that what answers is a Ray head which accepts us.

    In a process of its own: the client's first call retries for minutes in C++ where something
    else listens, or the token is wrong, and cannot be interrupted.
    """
    if address == "auto" or address.startswith("ray://"):
        return
    code = "import sys; from ray._raylet import GcsClient; GcsClient(address=sys.argv[1])"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, address],
            capture_output=True,
            text=True,
            timeout=HANDSHAKE_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise ClusterError(
            f"what answers at {address} does not speak as the head of a Ray cluster; {_WAY_OUT}"
        ) from None
    if done.returncode:
        said = (done.stderr.strip() or "it gave no reason").splitlines()[-1]
        raise ClusterError(
            f"Ray at {address} did not accept this driver: {said}; a cluster in token mode needs "
            "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"
        )


def _resources(local: bool) -> ClusterResources:
    import ray

    total: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return ClusterResources(
        cpus=int(total.get("CPU", 0)),
        gpus=int(total.get("GPU", 0)),
        nodes=len(ray.nodes()),  # type: ignore[no-untyped-call]
        local=local,
    )


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__

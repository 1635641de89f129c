"""The address of a Ray cluster's job server, and what its errors mean."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from urllib.parse import urlsplit

from tune_app.errors import ClusterError
from tune_app.sweep.ray_tune.patches import NO_SUCH_NAME, ask_job_server

ASKED_S = 60.0  # for the head to answer where its job server is
_FIRST = "RAY_API_SERVER_ADDRESS"  # takes precedence over the address that Ray's client is given


def job_address(address: str) -> str:
    """Return the address of a cluster's job server, if necessary by asking the cluster's head.

    `address` is http://head:8265, or the address by which a driver joins, such as head:6379.

    Raises:
        ClusterError: No head answers there, or it has no job server.
    """
    if "://" in address:
        return address
    hidden = ("RAY_ADDRESS", _FIRST)
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    try:
        found = ask_job_server(address, environment, ASKED_S)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        if isinstance(error, subprocess.CalledProcessError) and error.returncode == NO_SUCH_NAME:
            raise ClusterError(
                f"this release of Ray cannot tell where the job server of {address} is; give the "
                "address of its dashboard instead, such as http://head:8265"
            ) from error
        raise ClusterError(
            f"no cluster at {address} names a job server: is that a running head, does "
            "it ask for a token (RAY_AUTH_MODE=token and RAY_AUTH_TOKEN), and is ray[default] "
            "installed there? The address of its dashboard, http://head:8265, does too"
        ) from error
    return found if "://" in found else f"http://{found}"


def check_job_address(address: str) -> str:
    """Return the address of a job server, without a slash at its end.

    Raises:
        ClusterError: The address is not one of a job server.
    """
    url = urlsplit(address)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ClusterError(
            f"'{address}' is no address of a job server: that of Ray's dashboard is meant, such as "
            "http://head:8265"
        )
    return address.rstrip("/")


def why_refused(address: str, error: Exception) -> str:
    """Return the meaning of an error of Ray's job client, and the remedy."""
    text = " ".join(str(error).split())
    if any(word in text.lower() for word in ("401", "403", "unauthorized", "forbidden", "token")):
        has = "RAY_AUTH_TOKEN" in os.environ or "RAY_AUTH_TOKEN_PATH" in os.environ
        which = "another token than this process has" if has else "a token, and there is none here"
        return (
            f"the job server at {address} wants {which}: set RAY_AUTH_MODE=token and "
            "RAY_AUTH_TOKEN (or RAY_AUTH_TOKEN_PATH) to those of the cluster"
        )
    return (
        f"the job server at {address} did not answer as one ({text[:200]}); is that the address of "
        "the cluster's dashboard, port 8265 by default, and is ray[default] installed there?"
    )


@contextlib.contextmanager
def only_address(address: str) -> Iterator[None]:
    """Make Ray's client use this job server, even if the environment names a different one."""
    before = os.environ.get(_FIRST)
    os.environ[_FIRST] = address
    try:
        yield
    finally:
        if before is None:
            del os.environ[_FIRST]
        else:
            os.environ[_FIRST] = before

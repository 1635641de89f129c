"""The check that runs on each node of a cluster before a sweep starts.

It is sent by value to nodes that may not have this package, so at import it uses Python's
standard library only.
"""

import contextlib
import hashlib
import importlib.util
import os
import platform
import socket
from importlib import metadata
from pathlib import Path
from typing import Any


def probe_node(storage: str, mark: str, word: str, url: str | None) -> dict[str, Any]:
    """Return the versions and the memory of this machine, and whether it can write the storage.

    `storage` is the driver's path, where the file `mark` contains `word`. If this machine finds it
    there, the storage is shared and must be writable; `write_error` says why it is not.
    `bucket_error` says why the object store at `url` cannot be written.
    """
    shared = False
    write_error = None
    with contextlib.suppress(OSError):
        shared = Path(storage, mark).read_text(encoding="utf-8") == word
    if shared:
        trial = Path(storage, f"{mark}-{socket.gethostname()}-{os.getpid()}")
        try:
            trial.write_bytes(b"\0" * 4096)
            trial.unlink()
        except OSError as error:
            write_error = f"{type(error).__name__}: {error}"
    return {
        "bucket_error": None if url is None else _bucket_error(url, mark),
        "host": socket.gethostname(),
        "python": platform.python_version(),
        "ray": metadata.version("ray"),
        "package": package_digest(),
        "shared": shared,
        "write_error": write_error,
        "memory": available_memory(),
    }


def _bucket_error(url: str, mark: str) -> str | None:
    name = f"{mark}-{socket.gethostname()}-{os.getpid()}"
    try:
        from pyarrow import fs  # type: ignore[import-untyped]

        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        if url.startswith("s3://") and endpoint:
            files, root = fs.S3FileSystem(endpoint_override=endpoint), url[len("s3://") :]
        else:
            if url.startswith("gs://") and "retry_limit_seconds=" not in url:
                url += f"{'&' if '?' in url else '?'}retry_limit_seconds=2"
            files, root = fs.FileSystem.from_uri(url)
        with files.open_output_stream(f"{root}/{name}") as out:
            out.write(b"tune-app")
        files.delete_file(f"{root}/{name}")
    except Exception as error:
        return " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return None


def package_digest() -> str | None:
    """Return a digest of the source of the `tune_app` that this machine imports; None without."""
    try:
        found = importlib.util.find_spec("tune_app")
    except (ImportError, ValueError):
        return None
    places = list(found.submodule_search_locations or ()) if found is not None else []
    if not places:
        return None
    root = Path(places[0])
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def available_memory() -> int | None:
    """Return the available memory in bytes; None on systems that do not report it."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, amount = line.partition(":")
        if name == "MemAvailable":
            return int(amount.split()[0]) * 1024
    return None

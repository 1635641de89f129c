"""The mirror of a remote storage: a local folder with the records of an object store.

In the object store every sweep has its own record, `<sweep>/record.json.gz`, written by the
process that runs the sweep. The mirror collects them in one local store, and fetches other files
when they are read.
"""

import gzip
import json
import os
import re
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from tune_app.atomic_file import replacing
from tune_app.errors import StorageError
from tune_app.results.places import cache_folder, default_storage
from tune_app.results.store.names import MIRROR_FILE
from tune_app.results.store.ownership import is_alive, is_of_this_host
from tune_app.results.store.sqlite import RECORD_FILE, SqliteDatabase
from tune_app.results.store.store import DATABASE_VARIABLE, Store
from tune_app.results.transfer.bucket import Bucket, is_url
from tune_app.results.transfer.sweep_json import add_exact, sweep_to_json

RECORD = "record.json.gz"
STOP = "stop"  # a file next to the record: a request to stop the sweep


def storage_folder(named: str | Path | None = None) -> Path:
    """Return the folder of a storage; for a remote storage, its mirror after updating it.

    `named` is a folder or an address; the default is TUNE_APP_STORAGE, else ./tune_results.

    Raises:
        StorageError: A remote storage cannot be reached, or its record is in a database.
    """
    named = str(named or default_storage())
    if not is_url(named):
        return Path(named).expanduser()
    if os.environ.get(DATABASE_VARIABLE):
        raise StorageError(
            f"{named} holds its own record, but TUNE_APP_DB names a database: unset TUNE_APP_DB or "
            "choose a local storage"
        )
    url = named.rstrip("/")
    mark = sha256(url.encode()).hexdigest()[:12]
    slug = re.sub(r"[^A-Za-z0-9]+", "-", url)[:40]
    mirror = Mirror(cache_folder() / "storages" / f"{slug}-{mark}", url)
    mirror.pull()
    return mirror.folder


def mirror_of(store: Store) -> "Mirror | None":
    """Return the mirror that a store belongs to; None if its storage is a local folder."""
    return store.remote if isinstance(store.remote, Mirror) else None


class Mirror:
    """The local folder that mirrors an object store."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.store = Store(folder, SqliteDatabase(folder / RECORD_FILE))

    @classmethod
    def at(cls, folder: Path) -> "Mirror":
        """Return the mirror that is in a folder."""
        state = json.loads((folder / MIRROR_FILE).read_text(encoding="utf-8"))
        return cls(folder, state["url"])

    @cached_property
    def bucket(self) -> Bucket:
        return Bucket(self.url)

    def pull(self) -> None:
        """Copy the records that changed in the object store to the local store."""
        state = self._state()
        there = {
            name.rpartition("/")[0]: stamp
            for name, stamp in self.bucket.names().items()
            if name.count("/") == 1 and name.endswith(f"/{RECORD}")
        }
        known = {sweep.name for sweep in self.store.list_sweeps(archived=True)}
        for name, stamp in there.items():
            # The record of a sweep that runs on this machine is newer here than there.
            if state["seen"].get(name) == stamp or self._runs_here(name, known):
                continue
            content = self.bucket.read(f"{name}/{RECORD}")
            if content is None:
                continue
            if name in known:
                self.store.delete_sweep(name)
            add_exact(self.store, json.loads(gzip.decompress(content)))
            state["seen"][name] = stamp
            state["pushed"][name] = self.store.get_sweep(name).updated
            for file in self.bucket.names(f"{name}/code"):
                self.fetch(self.folder / file)
        for name in known & set(state["seen"]) - set(there):  # deleted in the object store
            if not self._runs_here(name, known):
                self.store.delete_sweep(name)
                del state["seen"][name], state["pushed"][name]
        self._keep(state)

    def push(self, name: str) -> None:
        """Copy the record of a sweep, and its user code, to the object store."""
        state = self._state()
        updated = self.store.get_sweep(name).updated
        record = gzip.compress(json.dumps(sweep_to_json(self.store, name)).encode(), mtime=0)
        file = f"{name}/{RECORD}"
        if name not in state["seen"]:
            code = self.folder / name / "code"
            for path in sorted(code.rglob("*.py")):
                self.bucket.write(path.relative_to(self.folder).as_posix(), path.read_bytes())
        self.bucket.write(file, record)
        state["seen"][name] = self.bucket.names(name, below=False).get(file, "")
        state["pushed"][name] = updated
        self._keep(state)

    def push_changed(self) -> None:
        """Copy locally changed records to the object store, and remove locally deleted ones."""
        state = self._state()
        here = {sweep.name: sweep.updated for sweep in self.store.list_sweeps(archived=True)}
        for name, updated in here.items():
            if state["pushed"].get(name) != updated:
                self.push(name)
        for name in set(state["pushed"]) - set(here):
            self.bucket.remove_folder(name)
            state = self._state()
            del state["seen"][name], state["pushed"][name]
            self._keep(state)

    def fetch(self, path: Path) -> None:
        """Copy a file, or all files below a folder, that are missing locally."""
        name = path.relative_to(self.folder.resolve() if path.is_absolute() else self.folder)
        wanted = self.bucket.names(name.as_posix()) or {name.as_posix(): ""}
        for file in wanted:
            place = self.folder / file
            if place.exists() or (content := self.bucket.read(file)) is None:
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)

    def ask_to_stop(self, name: str) -> None:
        """Ask the process that runs a sweep, on any machine, to stop."""
        self.bucket.write(f"{name}/{STOP}", b"")

    def was_asked_to_stop(self, name: str) -> bool:
        """Tell whether the sweep was asked to stop, and remove the request."""
        if self.bucket.read(f"{name}/{STOP}") is None:
            return False
        self.bucket.remove(f"{name}/{STOP}")
        return True

    def _runs_here(self, name: str, known: set[str]) -> bool:
        if name not in known:
            return False
        owner = self.store.get_sweep(name).owner
        return is_of_this_host(owner) and is_alive(owner, None)

    def _state(self) -> dict[str, Any]:
        try:
            text = (self.folder / MIRROR_FILE).read_text(encoding="utf-8")
        except OSError:
            return {"url": self.url, "seen": {}, "pushed": {}}
        state: dict[str, Any] = json.loads(text)
        return state

    def _keep(self, state: dict[str, Any]) -> None:
        with replacing(self.folder / MIRROR_FILE) as file:
            file.write(json.dumps(state).encode())

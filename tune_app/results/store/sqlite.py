"""A record in an SQLite file: everything that is specific to SQLite."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tune_app.errors import StorageError
from tune_app.results.store.database import (
    BUSY_S,
    RowConflictError,
    bring_up_statements,
    require_known,
)
from tune_app.results.store.names import storage_name
from tune_app.results.store.schema import RECORD_VERSION

RECORD_FILE = "tune_app.db"  # in a storage folder


class SqliteDatabase:
    """A Database in one file. Reading never creates it."""

    option = "--storage"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place, self.home = str(path), storage_name(path.parent)
        self._connection: sqlite3.Connection | None = None
        self._outdated = False  # the file has the tables of an older version
        self._lock = threading.RLock()

    def rows(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        with self._lock, self._explained():
            if self._connection is None and not self._open(create=False):
                return []
            assert self._connection is not None
            return [dict(row) for row in self._connection.execute(sql, values)]

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        with self._lock, self._explained():
            if self._outdated:
                self.close()
            if self._connection is None:
                self._open(create=True)
            connection = self._connection
            assert connection is not None
            # FULL is an fsync: 2.2 ms on a cloud disk against 0.1 ms, SQLite 3.40.
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self, *, create: bool) -> bool:
        """Connect, and return whether the file contains a record."""
        if not create and not self.path.exists():
            return False
        if create:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as err:
                raise StorageError(f"cannot create the storage {self.path.parent}: {err}") from err
        connection = sqlite3.connect(
            self._uri(create=create),
            uri=True,
            timeout=BUSY_S,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA foreign_keys = ON")
            if create:
                _in_turn(lambda: connection.execute("PRAGMA journal_mode = WAL"))
                connection.execute("BEGIN IMMEDIATE")
                for statement in bring_up_statements(self._version(connection)):
                    connection.execute(statement)
                connection.execute("COMMIT")
            version = self._version(connection)
        except BaseException:
            connection.close()
            raise
        if version is None:  # made by a process that has not come to its tables yet
            connection.close()
            return False
        self._connection = connection
        self._outdated = version < RECORD_VERSION
        return True

    def _uri(self, *, create: bool) -> str:
        uri = self.path.resolve().as_uri()
        if create:
            return f"{uri}?mode=rwc"
        if os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK):
            return f"{uri}?mode=rw"
        # Readers of a WAL file write its index beside it. Where that is not allowed and nobody
        # writes, the file cannot change under us.
        wal = self.path.with_name(self.path.name + "-wal")
        return f"{uri}?mode=ro" if wal.exists() else f"{uri}?immutable=1"

    def _version(self, connection: sqlite3.Connection) -> int | None:
        known = connection.execute(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'record_version'"
        ).fetchone()
        if known is None:
            return None
        version = connection.execute("SELECT version FROM record_version").fetchone()[0]
        return require_known(int(version), self)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError as err:
            raise RowConflictError(str(err)) from err
        except sqlite3.Error as err:
            raise StorageError(f"{self.place}: {_explain(err)}") from err


def _in_turn(action: Callable[[], object]) -> None:
    # SQLite does not wait its turn while it changes the journal mode: it fails at once.
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            action()
            return
        except sqlite3.OperationalError as err:
            if "locked" not in str(err) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _explain(err: sqlite3.Error) -> str:
    text = str(err)
    if "full" in text:
        return "the disk is full: free some space, then resume"
    if "locked" in text or "busy" in text:
        return f"another process has kept the record locked for {BUSY_S:.0f} s"
    if "readonly" in text or "unable to open" in text:
        return f"the record cannot be opened for writing ({text}): check who may write there"
    if "not a database" in text or "malformed" in text:
        return f"this is not a tune-app record, or it is damaged ({text})"
    return text

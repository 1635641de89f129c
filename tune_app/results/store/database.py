"""The interfaces that a Store needs: a database, and the remote storage that it may mirror.

Code that uses these interfaces contains only SQL that both SQLite and PostgreSQL accept.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from tune_app.errors import StorageError
from tune_app.hints import hint
from tune_app.results.store.schema import RECORD_VERSION, create_statements, upgrade_statements

# Writers of other sweeps hold a row, or a file, for milliseconds; half a minute means that one
# hangs.
BUSY_S = 30.0


class RowConflictError(Exception):
    """A key already exists, or the row that a key refers to is missing."""


class Cursor(Protocol):
    """The result of a statement."""

    @property
    def rowcount(self) -> int: ...

    def fetchone(self) -> Any: ...


class DatabaseConnection(Protocol):
    """A connection inside a transaction. Values are named in the SQL: `:name`."""

    def execute(self, sql: str, values: Mapping[str, Any] = ..., /) -> Cursor: ...


class Database(Protocol):
    """One connection to a record, opened when first needed and shared by threads.

    Reading never creates tables: without tables, a query returns no rows.
    """

    place: str  # where the record is, without secrets
    home: str  # what a message about its sweeps names: "no sweep 'x' in HOME"
    option: str  # what chose it: "--storage"

    def rows(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        """Return the rows that a SELECT finds."""

    def write(self, *, durable: bool = True) -> AbstractContextManager[DatabaseConnection]:
        """Open a transaction that is committed at the end of the block and undone on an error.

        Committed changes survive the death of the process; with `durable`, also a power cut.
        """

    def close(self) -> None:
        """Close the connection; the next use opens it again."""


class RemoteStorage(Protocol):
    """The object store that a local folder mirrors."""

    url: str

    def fetch(self, path: Path) -> None:
        """Copy missing files to the mirror: a file, or all files below a folder."""

    def push_changed(self) -> None:
        """Copy the records that changed in the mirror to the object store."""


def require_known(version: int, database: Database) -> int:
    """Return the version of a record, or raise StorageError if a newer tune-app wrote it."""
    if version <= RECORD_VERSION:
        return version
    raise StorageError(
        f"{database.place} was written by a newer tune-app (record version {version}, this one"
        f" knows {RECORD_VERSION})",
        hint=hint("upgrade_or_other_storage", option=database.option),
    )


def bring_up_statements(version: int | None, *, text: str = "TEXT") -> list[str]:
    """Return the SQL that upgrades a record of `version` (None: no tables yet) to this version.

    `text` is the type of a column of text.
    """
    if version is None:
        return create_statements(text=text)
    return upgrade_statements(version) if version < RECORD_VERSION else []

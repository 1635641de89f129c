"""A record in PostgreSQL: everything that is specific to PostgreSQL."""

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, TypeVar

import psycopg
from psycopg.rows import DictRow, dict_row

from tune_app.errors import StorageError
from tune_app.results.store.database import (
    BUSY_S,
    RowConflictError,
    bring_up_statements,
    require_known,
)
from tune_app.results.store.postgres_url import PostgresUrl, parse_postgres_url
from tune_app.results.store.schema import RECORD_VERSION, TABLES

# A server that restarts is back within seconds, one that is replaced by another within half a
# minute; drivers are believed dead after a minute without a heartbeat.
PATIENCE_S = 30.0
_PAUSES_S = (0.1, 0.2, 0.5, 1.0)  # between attempts; then the last again
_ATTEMPTS = 3  # at what may be done twice, when the connection breaks each time
# Who makes or changes the tables does it alone. Any number that nobody else uses will do.
_TABLES_LOCK = 0x74756E65  # "tune"
# As SQLite sorts: by bytes, whatever the database's language.
_TEXT = 'TEXT COLLATE "C"'

T = TypeVar("T")
Session = psycopg.Connection[DictRow]


class PostgresDatabase:
    """A Database on a server, which may be restarted at any time.

    A connection that broke is opened again, for up to 30 s, before a statement that can be
    repeated. If the connection breaks during a commit, tune_app checks whether the transaction was
    committed.
    """

    option = "TUNE_APP_DB"

    def __init__(self, url: str) -> None:
        self._url: PostgresUrl = parse_postgres_url(url)
        self.place = self.home = self._url.shown
        self._session: Session | None = None
        self._version: int | None = None
        self._lasting = False  # it answered when it was last asked
        self._lock = threading.RLock()

    def rows(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        def read(session: Session) -> list[dict[str, Any]]:
            if self._version is None:
                self._version = self._find_version(session)
            if self._version is None:
                return []
            return session.execute(_translated(sql), values).fetchall()

        with self._lock, self._explained():
            return self._repeatedly(read)

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator["_Transaction"]:
        with self._lock, self._explained():
            # Durable in any case: a sweep outlives a crash of the server, and goes on from there.
            transaction = self._repeatedly(self._begin)
            try:
                yield transaction
            except BaseException:
                with suppress(psycopg.Error):  # a server that is gone has undone it
                    transaction.session.rollback()
                raise
            try:
                transaction.session.execute("COMMIT")
            except psycopg.OperationalError:
                if not transaction.session.closed or not self._is_committed(transaction):
                    raise

    def close(self) -> None:
        with self._lock:
            if self._session is not None:
                self._session.close()
            self._session, self._version = None, None

    def __del__(self) -> None:
        # A Store may be left to itself, as with SQLite; psycopg warns of its connections.
        if getattr(self, "_session", None) is not None:
            self.close()

    # -- statements -----------------------------------------------------------------------------

    def _begin(self, session: Session) -> "_Transaction":
        if self._version != RECORD_VERSION:
            with session.transaction():
                session.execute("SELECT pg_advisory_xact_lock(%s)", [_TABLES_LOCK])
                for statement in bring_up_statements(self._find_version(session), text=_TEXT):
                    session.execute(statement.encode())
            self._version = RECORD_VERSION
        # One trip to the server.
        found = session.execute(
            f"BEGIN; SET LOCAL lock_timeout = {BUSY_S * 1000:.0f};"
            " SELECT pg_current_xact_id()::text AS id".encode()
        )
        while found.nextset():
            pass
        row = found.fetchone()
        assert row is not None
        return _Transaction(session, row["id"])

    def _is_committed(self, transaction: "_Transaction") -> bool:
        def status(session: Session) -> str | None:
            sql = "SELECT pg_xact_status(%s::xid8) AS status"
            row = session.execute(sql, [transaction.id]).fetchone()
            return None if row is None else row["status"]

        deadline = time.monotonic() + PATIENCE_S
        while (found := self._repeatedly(status)) == "in progress":
            if time.monotonic() > deadline:
                return False
            time.sleep(_PAUSES_S[0])
        return found == "committed"

    def _find_version(self, session: Session) -> int | None:
        """Return the version of the record in the first schema of the search path that has one."""
        there = session.execute("SELECT to_regclass('record_version') AS found").fetchone()
        if there is None or there["found"] is None:
            return None
        row = session.execute("SELECT version FROM record_version").fetchone()
        return None if row is None else require_known(int(row["version"]), self)

    # -- connections ----------------------------------------------------------------------------

    def _repeatedly(self, action: Callable[[Session], T]) -> T:
        """Run an action that may be repeated, on a new connection if the old one is broken."""
        for attempt in range(1, _ATTEMPTS + 1):
            session = self._connected()
            try:
                return action(session)
            except psycopg.OperationalError:
                if not session.closed or attempt == _ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    def _connected(self) -> Session:
        """Return the open connection, or open a new one.

        Retries for a while if the server answered before, or reports that it is starting.
        """
        if self._session is not None and not self._session.closed:
            return self._session
        self.close()
        deadline, attempt = time.monotonic() + PATIENCE_S, 0
        while self._session is None:
            try:
                # No prepared statements: other processes change tables, and pools lose them.
                self._session = psycopg.connect(
                    self._url.conninfo,
                    autocommit=True,
                    prepare_threshold=None,
                    row_factory=dict_row,
                )
            except psycopg.OperationalError as err:
                soon = self._lasting or "starting up" in str(err)
                if not soon or time.monotonic() > deadline:
                    self._lasting = False
                    raise
                time.sleep(_PAUSES_S[min(attempt, len(_PAUSES_S) - 1)])
                attempt += 1
        self._lasting = True
        return self._session

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except psycopg.IntegrityError as err:
            raise RowConflictError(str(err)) from err
        except psycopg.Error as err:
            # Not chained: a traceback of psycopg's would show what it was called with.
            raise StorageError(f"{self.place}: {_explain(err, self._url)}") from None


class _Transaction:
    """The connection inside one transaction."""

    def __init__(self, session: Session, id: str) -> None:
        self.session, self.id = session, id

    def execute(
        self, sql: str, values: Mapping[str, Any] | None = None, /
    ) -> psycopg.Cursor[DictRow]:
        return self.session.execute(_translated(sql), values)


@lru_cache(maxsize=256)
def _translated(sql: str) -> bytes:
    """Return `sql` with its values named as psycopg wants them: `%(name)s` for `:name`."""
    return re.sub(r":(\w+)", r"%(\1)s", sql.replace("%", "%%")).encode()


def _explain(err: psycopg.Error, url: PostgresUrl) -> str:
    text = str(err)
    first = text.partition("\n")[0].rpartition("FATAL:  ")[2] or type(err).__name__
    user = url.user or "this user"
    if isinstance(err, psycopg.errors.InsufficientPrivilege):
        return f"{user} may not do this ({first}): {_right_for(first, user)}"
    if isinstance(err, psycopg.errors.ReadOnlySqlTransaction):
        return f"this server only reads ({first}): name the one that writes"
    if isinstance(err, psycopg.errors.DiskFull):
        return "the disk of the server is full: free some space there, then resume"
    if isinstance(err, psycopg.errors.LockNotAvailable):
        return f"another process has kept the record locked for {BUSY_S:.0f} s"
    if err.pgconn is not None and err.pgconn.needs_password:
        return "the server asks for a password: put it into TUNE_APP_DB, or better into ~/.pgpass"
    if "authentication failed" in text:
        return f"the password of {user} was not accepted: look into TUNE_APP_DB, or ~/.pgpass"
    if "does not exist" in text and "FATAL" in text:
        return f"{first}: `createdb` makes a database, `createuser` a user"
    if "too many" in text or "connection slots" in text:
        return f"the server has no room for another connection ({first})"
    if "FATAL" in text:
        return f"the server refused: {first}"
    if isinstance(err, psycopg.OperationalError) and err.sqlstate is None:
        reason = first.rpartition(" failed: ")[2]
        return f"the server does not answer ({reason}): does it run, and is TUNE_APP_DB right?"
    return first


def _right_for(refusal: str, user: str) -> str:
    what, _, name = refusal.rpartition(" ")
    if what.endswith("schema"):
        return f"its owner can GRANT CREATE, USAGE ON SCHEMA {name} TO {user}"
    if what.startswith("must be owner"):
        return "the tables are of an older version, and their owner has to make the next change"
    tables = ", ".join(["record_version", *TABLES.values()])
    return f"their owner can GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO {user}"

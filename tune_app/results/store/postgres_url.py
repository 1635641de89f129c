"""The address of a PostgreSQL database in TUNE_APP_DB; messages show it without the password."""

import re
from dataclasses import dataclass
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tune_app.errors import StorageError

_SCHEMES = ("postgresql", "postgres")
_SHAPE = "postgresql://USER:PASSWORD@HOST:5432/DATABASE"
# What libpq would wait for without end: a host that does not answer, or that vanished.
_PATIENCE = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "tcp_user_timeout": "30000",  # ms
    "application_name": "tune-app",
}


@dataclass(frozen=True)
class PostgresUrl:
    """The database that TUNE_APP_DB names."""

    conninfo: str  # for libpq, with the password
    shown: str  # for people, without
    user: str | None

    def __repr__(self) -> str:
        return f"<{self.shown}>"


def parse_postgres_url(url: str) -> PostgresUrl:
    """Return the connection settings in `url`, with a default for the connection timeout.

    Raises:
        StorageError: `url` is not a PostgreSQL URL. The message repeats only its scheme, because
            any part of a malformed URL may belong to the password.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise StorageError(f"TUNE_APP_DB is not a URL: write it as {_SHAPE}, or unset it")
    if scheme not in _SCHEMES:
        raise StorageError(
            f"TUNE_APP_DB names a database of the kind '{scheme}', and a record is kept in"
            f" PostgreSQL ({_SHAPE}), or in SQLite where TUNE_APP_DB is unset"
        )
    authority = rest.partition("/")[0].partition("?")[0]
    try:
        given = {key: str(value) for key, value in conninfo_to_dict(url).items()}
    except psycopg.Error:
        raise _misread() from None
    whole = authority.count("@") == rest.count("@") <= 1
    ports = given.get("port", "").split(",")
    if not whole or not all(re.fullmatch(r"\d*", port) for port in ports):
        raise _misread()
    who, host, port, database = (
        quote(given.get(key, ""), safe=",") for key in ("user", "host", "port", "dbname")
    )
    place = f"{f'{who}@' if who else ''}{host}{f':{port}' if port else ''}/{database}"
    return PostgresUrl(
        make_conninfo("", **{**_PATIENCE, **given}), f"postgresql://{place}", given.get("user")
    )


def _misread() -> StorageError:
    return StorageError(
        f"TUNE_APP_DB cannot be read as {_SHAPE}: in a password write '@' as %40, ':' as %3A,"
        " '/' as %2F, '?' as %3F and '%' as %25"
    )

"""Opening a Store on the right database: SQLite, PostgreSQL, or the mirror of a bucket."""

import os
from pathlib import Path

from tune_app.errors import StorageError
from tune_app.results.store.database import RemoteStorage
from tune_app.results.store.names import MIRROR_FILE
from tune_app.results.store.sqlite import RECORD_FILE, SqliteDatabase
from tune_app.results.store.store import DATABASE_VARIABLE, Store


def open_store(storage: Path, url: str | None = None) -> Store:
    """Open the Store of the folder `storage`; files are created with the first sweep.

    `url`, else `TUNE_APP_DB`, names a database to use in place of `<storage>/tune_app.db`.
    """
    url = url or os.environ.get(DATABASE_VARIABLE)
    remote: RemoteStorage | None = None
    if not url:
        if (storage / MIRROR_FILE).exists():
            from tune_app.results.transfer.mirror import Mirror  # few have a remote storage

            remote = Mirror.at(storage)
        return Store(storage, SqliteDatabase(storage / RECORD_FILE), remote)
    try:
        from tune_app.results.store.postgres import PostgresDatabase  # a fifth of a second
    except ImportError as err:
        raise StorageError(
            f"TUNE_APP_DB asks for a record in PostgreSQL, and psycopg cannot be loaded ({err}):"
            " pip install 'tune-app[postgres]'"
        ) from err
    return Store(storage, PostgresDatabase(url))

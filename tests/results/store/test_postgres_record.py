"""What only a record in PostgreSQL can meet."""

import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from postgres_server import DATABASE, OWNER, PASSWORD
from stored import EPOCH, SWEEP, TRIAL, reopened

from tune_app.errors import StorageError
from tune_app.results.store import open_store

pytestmark = pytest.mark.parametrize("store", ["postgres"], indirect=True)

psycopg = pytest.importorskip("psycopg", reason="the extra postgres is not installed")


def message_of(url: str) -> str:
    """Return what is said when a record cannot be read at `url`."""
    with pytest.raises(StorageError) as raised:
        open_store(Path("storage"), url).list_sweeps()
    assert raised.value.exit_code == 3
    return str(raised.value)


# ------------------------------------------------------------------ addresses

SHAPE = "postgresql://USER:PASSWORD@HOST:5432/DATABASE"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:pa/ss@host/db",
        "postgresql://me:p@ss@host/db",
        "postgresql://me:1?ss@host/db",
        "postgresql://me:12/ss@host/db",
        "postgresql://me:ss%ss@host/db",
        "postgresql://me:ss@host:port/db",
        "postgresql://me:ss@host/db?unknown=ss",
    ],
)
def test_nothing_of_a_url_that_cannot_be_read_is_repeated(store, url):
    assert message_of(url) == (
        f"TUNE_APP_DB cannot be read as {SHAPE}: in a password write '@' as %40, ':' as %3A,"
        " '/' as %2F, '?' as %3F and '%' as %25"
    )


@pytest.mark.parametrize("scheme", ["mysql", "sqlite", "postgresql+psycopg"])
def test_another_kind_of_database_is_refused(store, scheme):
    assert message_of(f"{scheme}://me:secret@host/db") == (
        f"TUNE_APP_DB names a database of the kind '{scheme}', and a record is kept in PostgreSQL"
        f" ({SHAPE}), or in SQLite where TUNE_APP_DB is unset"
    )


def test_what_is_no_url_is_refused_without_showing_it(store):
    assert message_of("secret") == (f"TUNE_APP_DB is not a URL: write it as {SHAPE}, or unset it")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgres://me:secret@host/db", "postgresql://me@host/db"),
        ("postgresql://host:5433/db?sslmode=require", "postgresql://host:5433/db"),
        ("postgresql:///db?host=/run&password=secret", "postgresql://%2Frun/db"),
        ("postgresql://one,two:5433/db", "postgresql://one,two:,5433/db"),
    ],
)
def test_a_database_is_named_without_its_password(store, tmp_path, url, shown):
    assert open_store(tmp_path, url).place == shown


def test_a_missing_extra_is_named(store, monkeypatch):
    for name in ("postgres", "postgres_url"):
        monkeypatch.delitem(sys.modules, f"tune_app.results.store.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert message_of("postgresql://me:secret@host/db") == (
        "TUNE_APP_DB asks for a record in PostgreSQL, and psycopg cannot be loaded (import of"
        " psycopg halted; None in sys.modules): pip install 'tune-app[postgres]'"
    )


# -------------------------------------------------------------------- servers


def test_a_password_that_is_right_opens_the_record(store, postgres):
    other = open_store(store.storage, postgres.over_loopback())
    assert other.list_sweeps() == []
    assert other.place == f"postgresql://{OWNER}@127.0.0.1:{postgres.port}/{DATABASE}"
    assert PASSWORD not in f"{vars(other._database)}"


def test_the_password_may_be_in_a_file(store, postgres, tmp_path, monkeypatch):
    passwords = tmp_path / "pgpass"
    passwords.write_text(f"127.0.0.1:{postgres.port}:{DATABASE}:{OWNER}:{PASSWORD}\n")
    passwords.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    url = f"postgresql://{OWNER}@127.0.0.1:{postgres.port}/{DATABASE}"
    assert open_store(store.storage, url).list_sweeps() == []


def test_a_wrong_password_is_named_and_not_shown(store, postgres):
    assert message_of(postgres.over_loopback(password="secret")) == (
        f"postgresql://{OWNER}@127.0.0.1:{postgres.port}/{DATABASE}: the password of {OWNER} was"
        " not accepted: look into TUNE_APP_DB, or ~/.pgpass"
    )


def test_a_missing_password_is_named(store, postgres):
    where = f"{OWNER}@127.0.0.1:{postgres.port}/{DATABASE}"
    assert message_of(f"postgresql://{where}") == (
        f"postgresql://{where}: the server asks for a password: put it into TUNE_APP_DB, or better"
        " into ~/.pgpass"
    )


def test_a_missing_database_is_named(store, postgres):
    assert message_of(postgres.over_loopback(name="other")) == (
        f'postgresql://{OWNER}@127.0.0.1:{postgres.port}/other: database "other" does not exist:'
        " `createdb` makes a database, `createuser` a user"
    )


def test_a_server_that_is_not_there_is_named_at_once(store):
    started = time.monotonic()
    assert message_of("postgresql://me:secret@127.0.0.1:1/db") == (
        "postgresql://me@127.0.0.1:1/db: the server does not answer (Connection refused): does it"
        " run, and is TUNE_APP_DB right?"
    )
    assert time.monotonic() - started < 2


def test_who_lacks_a_right_is_told_which(store, postgres):
    postgres.execute(
        "CREATE ROLE reader LOGIN PASSWORD 'r'",
        f"CREATE SCHEMA rights AUTHORIZATION {OWNER}",
        "GRANT USAGE ON SCHEMA rights TO reader",
    )
    owner, reader = (
        open_store(store.storage, f"{url}?options=-csearch_path%3Drights")
        for url in (postgres.over_loopback(), postgres.over_loopback("reader", "r"))
    )
    start = f"{reader.place}: reader may not do this"

    def refusal() -> str:
        with pytest.raises(StorageError) as raised:
            reader.create_sweep(SWEEP)
        return str(raised.value)

    assert reader.list_sweeps() == []
    assert refusal() == (
        f"{start} (permission denied for schema rights): its owner can"
        " GRANT CREATE, USAGE ON SCHEMA rights TO reader"
    )
    owner.create_sweep(SWEEP)
    grant = (
        "GRANT SELECT, INSERT, UPDATE, DELETE ON record_version, sweeps, trials, epochs TO reader"
    )
    assert refusal() == (
        f"{start} (permission denied for table record_version): their owner can {grant}"
    )
    postgres.execute("SET search_path TO rights", grant)
    assert [sweep.name for sweep in reader.list_sweeps()] == ["study"]
    reader.create_sweep(replace(SWEEP, name="theirs"))
    with owner._database.write() as connection:
        connection.execute("UPDATE record_version SET version = 1")
    reader.close()
    with pytest.raises(StorageError) as raised:
        reader.update_sweep("theirs", note="mine")
    assert str(raised.value) == (
        f"{start} (must be owner of table sweeps): the tables are of an older version, and their"
        " owner has to make the next change"
    )


def test_reading_makes_no_tables(store):
    assert store.list_sweeps() == []
    found = store._database._session.execute(
        "SELECT count(*) AS tables FROM pg_tables WHERE schemaname = current_schema()"
    )
    assert found.fetchone() == {"tables": 0}


def test_names_are_sorted_by_bytes_whatever_the_language_of_the_database(store, postgres):
    postgres.execute(
        f"CREATE DATABASE english OWNER {OWNER} TEMPLATE template0"
        " LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"
    )
    english = open_store(store.storage, postgres.over_loopback(name="english"))
    for name in ("a", "B", "_".join("aB"), "b"):
        english.create_sweep(replace(SWEEP, name=name))
    assert [sweep.name for sweep in english.list_sweeps()] == ["B", "a", "a_B", "b"]
    english.close()


# ------------------------------------------------------------------- restarts


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_reading_and_writing_go_on_after_a_restart(study, postgres, mode):
    for restarts in (1, 2):
        postgres.stop(mode)
        postgres.start()
        if restarts == 1:
            assert study.get_trial("study", "t0001") == TRIAL
        study.update_trial("study", "t0001", attempts=restarts)
    assert study.get_trial("study", "t0001").attempts == 2


def test_who_writes_while_the_server_restarts_waits_for_it(study, postgres):
    epochs = 0
    ended = threading.Event()

    def write() -> None:
        nonlocal epochs
        while not ended.is_set():
            # As the recorder does: what was cut off is written again.
            try:
                study.record_epoch(replace(EPOCH, epoch=epochs + 1))
            except StorageError:
                continue
            epochs += 1

    writer = threading.Thread(target=write)
    writer.start()
    for _ in range(2):
        time.sleep(0.2)
        postgres.stop("immediate")
        time.sleep(0.2)
        postgres.start()
    before = epochs
    time.sleep(1)
    ended.set()
    writer.join()
    assert 0 < before < epochs
    written = [epoch.epoch for epoch in reopened(study).epochs("study", "t0001")]
    assert written == list(range(1, epochs + 1))


def test_a_server_that_stays_away_is_given_up_and_its_return_noticed(study, postgres, monkeypatch):
    monkeypatch.setattr("tune_app.results.store.postgres.PATIENCE_S", 0.3)
    postgres.stop()
    try:
        started = time.monotonic()
        with pytest.raises(StorageError) as raised:
            study.heartbeat("study")
        assert 0.3 <= time.monotonic() - started < 2
        assert str(raised.value) == (
            f"{postgres.shown()}: the server does not answer (No such file or directory): does it"
            " run, and is TUNE_APP_DB right?"
        )
    finally:
        postgres.start()
    study.heartbeat("study")


@pytest.mark.parametrize("done", [True, False], ids=["done", "undone"])
def test_a_commit_without_an_answer_is_looked_up(study, monkeypatch, done):
    execute = psycopg.Connection.execute

    def cut(session, query, *arguments, **options):
        if query != "COMMIT":
            return execute(session, query, *arguments, **options)
        if done:
            execute(session, query)
        session.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Connection, "execute", cut)
        if done:
            study.add_trial(replace(TRIAL, trial_id="t0002", number=2))
        else:
            with pytest.raises(StorageError, match="server closed the connection unexpectedly"):
                study.add_trial(replace(TRIAL, trial_id="t0002", number=2))
    assert len(study.trials("study")) == (2 if done else 1)

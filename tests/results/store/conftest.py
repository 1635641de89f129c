"""The contract of every Store: add an implementation to the `store` fixture to hold it to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import PostgresServer
from stored import SWEEP, TRIAL

from tune_app.results.store import Store, open_store


@pytest.fixture(params=["sqlite", "postgres"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    """An empty store; this process and those it starts open it by its folder alone."""
    monkeypatch.delenv("TUNE_APP_DB", raising=False)
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        monkeypatch.setenv("TUNE_APP_DB", server.url())
    opened = open_store(tmp_path / "storage")
    yield opened
    opened.close()


@pytest.fixture
def study(store: Store) -> Store:
    """A store with one sweep, owned by this process, and one trial."""
    store.create_sweep(SWEEP)
    store.claim("study")
    store.add_trial(TRIAL)
    return store

"""The service over a record in PostgreSQL, whose server may go away and come back."""

from pathlib import Path

import pytest
from postgres_server import OWNER, PASSWORD, PostgresServer
from served import running

from tune_app.service.settings import Settings


@pytest.fixture
def settings(
    request: pytest.FixtureRequest, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    postgres.execute(
        "DROP SCHEMA IF EXISTS served CASCADE", f"CREATE SCHEMA served AUTHORIZATION {OWNER}"
    )
    url = postgres.over_loopback() + "?options=-csearch_path%3Dserved"
    monkeypatch.setenv("TUNE_APP_DB", url)
    storage: Path = request.getfixturevalue("own_storage")
    return Settings(storage, storage / "data")


def test_the_service_reads_and_changes_what_is_in_postgresql(settings):
    with running(settings) as served:
        sweeps = served.get("/api/v1/sweeps").json()
        assert {sweep["name"] for sweep in sweeps} == {"made", "curve", "hostile"}
        assert served.get("/api/v1/sweeps/made/trials").json()["total"] == len(
            served.app.state.context.store.trials("made")
        )
        assert served.get("/sweeps/made").status == 200
        revision = served.get("/api/v1/sweeps/made").json()["revision"]
        assert served.post("/api/v1/sweeps/made/note", {"note": "seen"}).status == 200
        changed = served.get("/api/v1/sweeps/made").json()
        assert (changed["note"], changed["revision"] != revision) == ("seen", True)
    assert not (settings.storage / "tune_app.db").exists()


def test_a_database_that_is_away_is_a_503_without_its_password(settings, postgres, monkeypatch):
    monkeypatch.setattr("tune_app.results.store.postgres.PATIENCE_S", 0.2)
    monkeypatch.setattr("tune_app.service.snapshots.FRESH_S", 0.0)
    with running(settings) as served:
        assert served.get("/api/v1/sweeps").status == 200
        postgres.stop()
        try:
            for path in ("/api/v1/sweeps", "/"):
                away = served.get(path)
                assert away.status == 503
                assert "does not answer" in away.text
                assert PASSWORD not in away.text
            assert served.get("/healthz").status == 200
        finally:
            postgres.start()
        assert served.get("/api/v1/sweeps").status == 200

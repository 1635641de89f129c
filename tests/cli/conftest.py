"""A storage for the commands that read."""

from pathlib import Path

import pytest

from tune_app.results.store import Store, open_store


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.delenv("TUNE_APP_DB", raising=False)
    monkeypatch.setenv("TUNE_APP_STORAGE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "100")
    return open_store(tmp_path)

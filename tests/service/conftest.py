"""A storage of made-up sweeps, and services over it."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from served import OPEN, TOKEN, Served, running

from tune_app.results.store import Store, open_store
from tune_app.service.settings import Settings

sys.path.append(str(Path(__file__).parents[1] / "report" / "figures"))
from made_sweeps import REGRESSION, classes_text, make_sweep

SCRIPT = "<script>alert(1)</script>"
FORMULA = "=HYPERLINK(0)"


def make_storage(storage: Path) -> Store:
    """Fill a storage: `made` with budgets and finals, `curve` without, `hostile` names."""
    store = open_store(storage)
    make_sweep(store, classes_text("made"), 40, final=True)
    make_sweep(store, REGRESSION, 12, seed=1)
    make_sweep(store, classes_text("hostile", ""), 8, seed=2)
    store.update_sweep("hostile", note=f"{SCRIPT} {FORMULA}")
    store.update_trial("hostile", "t0001", status="failed", error=f"{FORMULA}\n{SCRIPT}")
    store.update_trial("hostile", "t0002", stop_reason=FORMULA, node=SCRIPT)
    return store


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("storage")
    make_storage(folder).close()
    return folder


@pytest.fixture
def own_storage(tmp_path: Path) -> Path:
    """One for a test that changes it."""
    make_storage(tmp_path / "own").close()
    return tmp_path / "own"


@pytest.fixture(scope="module")
def settings(storage: Path) -> Settings:
    return Settings(storage, storage / "data", limits=OPEN)


@pytest.fixture(scope="module")
def service(settings: Settings) -> Iterator[Served]:
    """A service for this machine's users, without a token."""
    with running(settings) as served:
        yield served


@pytest.fixture(scope="module")
def closed(settings: Settings) -> Iterator[Served]:
    """The same with a token."""
    with running(replace(settings, token=TOKEN)) as served:
        yield served

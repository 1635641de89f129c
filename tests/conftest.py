"""What tests of several rooms share: real data where it is, one Ray and one PostgreSQL for all."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import PostgresServer, postgres_server

# What takes longest, the longest first: no process then waits at the end for another.
LONG = (
    "test_run_command.py",
    "test_run.py",
    "test_final.py",
    "test_metrics_in_sweeps.py",
    "test_cluster.py",
    "test_evaluate.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest; the others keep their order."""
    rank = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(item.path.name, len(LONG)))


@pytest.fixture
def data_root() -> Path:
    """The folder of real data sets; tests that need one are skipped without it."""
    named = os.environ.get("TUNE_APP_DATA")
    if not named:
        pytest.skip("set TUNE_APP_DATA to a folder with FashionMNIST/ and MNIST/")
    return Path(named)


@pytest.fixture(scope="session")
def ray_session() -> Iterator[None]:
    """One local Ray with two CPUs, for every test that needs one in this process."""
    from tune_app.sweep.ray_tune.cluster import ray_cluster

    with ray_cluster(None, object_store_bytes=200 * 2**20):
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One PostgreSQL for every test that needs one in this process; skipped where there is none."""
    with postgres_server() as server:
        yield server

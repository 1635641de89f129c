"""How long reading takes, and what it imports."""

import os
import subprocess
import sys

import pytest
from reading import record_sweep

from tune_app.results.store import EpochRecord
from tune_app.results.store.schema import insert_statement, to_row

HEAVY = ["ray", "torch", "optuna", "matplotlib", "pandas", "sklearn", "numpy"]
READ = """
import sys, typer
from tune_app.cli.commands.read_commands import register
app = typer.Typer()
register(app)
app(sys.argv[1:], standalone_mode=False)
print(*sorted(set({heavy}) & set(sys.modules)), file=sys.stderr)
"""


def processor_seconds(arguments: list[str], environment: dict[str, str]) -> float:
    """Return what a reading command costs in a new process: its time where nothing else runs."""
    resource = pytest.importorskip("resource", reason="Windows does not tell processor times")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = subprocess.run(
        [sys.executable, "-c", READ.format(heavy=HEAVY), *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ran.stderr == "\n", f"{arguments[0]} imports {ran.stderr}"
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def test_reading_a_thousand_trials_takes_at_most_a_second_and_imports_nothing_heavy(
    store, tmp_path
):
    record_sweep(store, trials=1000)
    epochs = [
        EpochRecord("study", f"t{number:04}", epoch, val_loss=0.5)
        for number in range(1, 1001)
        for epoch in range(2, 11)
    ]
    with store._database.write() as connection:
        connection.executemany(insert_statement(EpochRecord), map(to_row, epochs))
    # As installed: with compiled modules, whatever this environment asks for.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path / "compiled")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    processor_seconds(["list"], environment)  # compiles
    for arguments in (
        ["list"],
        ["show", "study"],
        ["show", "study", "--all"],
        ["show", "study", "--all", "--format", "json"],
        ["trial", "study", "t0001"],
    ):
        seconds = processor_seconds(arguments, environment)
        print(f"{' '.join(arguments)}: {seconds:.2f} s")
        assert seconds <= 1.0

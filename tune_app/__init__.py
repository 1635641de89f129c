"""Hyperparameter search for small networks under weight budgets.

    sweep = tune_app.run_sweep("search_spaces/digits_cnn.yaml")
    sweep.ranked(budget="5k")               # a table: rows, text, HTML, .frame()
    sweep.export("best", budget="5k")

Run     run_sweep     run a search file, a SweepConfig or a mapping to its end
        resume        continue an interrupted sweep, or extend a complete one
        load_sweep_file, SweepConfig    a search file, read and checked
Read    open_storage  the sweeps of a folder or bucket, as a Storage of Sweeps
        connect       the sweeps of a service, with the same methods
        load_export   an exported network
        Table         what `ranked`, `trials` and `tested` return

A Sweep has status, config, ranked, trials, tested, best, epochs, figures, diagnose, report,
export and final. Its help is in help(tune_app.Sweep).

Every error that is raised on purpose is a TuneAppError:
    SpaceError, SweepFileError, BudgetError, BuildError, FunctionError    a mistake in what is asked
    ExportError, DiagnosisError                                           that cannot be done
    UnknownSweepError, UnknownTrialError, SweepExistsError, SweepBusyError
    EnvironmentalError: DataMissingError, DataError, StorageError, ClusterError
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tune_app.api.running import resume as resume
    from tune_app.api.running import run_sweep as run_sweep
    from tune_app.api.storage import Storage as Storage
    from tune_app.api.storage import Sweep as Sweep
    from tune_app.api.storage import open_storage as open_storage
    from tune_app.config.search_file import load_sweep_file as load_sweep_file
    from tune_app.config.sweep import SweepConfig as SweepConfig
    from tune_app.errors import BudgetError as BudgetError
    from tune_app.errors import BuildError as BuildError
    from tune_app.errors import ClusterError as ClusterError
    from tune_app.errors import DataError as DataError
    from tune_app.errors import DataMissingError as DataMissingError
    from tune_app.errors import DiagnosisError as DiagnosisError
    from tune_app.errors import EnvironmentalError as EnvironmentalError
    from tune_app.errors import ExportError as ExportError
    from tune_app.errors import FunctionError as FunctionError
    from tune_app.errors import SpaceError as SpaceError
    from tune_app.errors import StorageError as StorageError
    from tune_app.errors import SweepBusyError as SweepBusyError
    from tune_app.errors import SweepExistsError as SweepExistsError
    from tune_app.errors import SweepFileError as SweepFileError
    from tune_app.errors import TuneAppError as TuneAppError
    from tune_app.errors import UnknownSweepError as UnknownSweepError
    from tune_app.errors import UnknownTrialError as UnknownTrialError
    from tune_app.report.export.exported import load_export as load_export
    from tune_app.results.result_table import Table as Table
    from tune_app.service.client.service_client import connect as connect

    __version__: str

_ERRORS = (
    *("BudgetError", "BuildError", "ClusterError", "DataError", "DataMissingError"),
    *("DiagnosisError", "EnvironmentalError", "ExportError", "FunctionError", "SpaceError"),
    *("StorageError", "SweepBusyError", "SweepExistsError", "SweepFileError", "TuneAppError"),
    *("UnknownSweepError", "UnknownTrialError"),
)
# Imported when they are asked for: `import tune_app` waits for neither torch nor Ray. There is no
# `__all__`, with which help(tune_app) would print every class in full.
_PLACES = {
    **dict.fromkeys(_ERRORS, "errors"),
    "Storage": "api.storage",
    "Sweep": "api.storage",
    "SweepConfig": "config.sweep",
    "Table": "results.result_table",
    "connect": "service.client.service_client",
    "load_export": "report.export.exported",
    "load_sweep_file": "config.search_file",
    "open_storage": "api.storage",
    "resume": "api.running",
    "run_sweep": "api.running",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("tune-app")
    if name not in _PLACES:
        raise AttributeError(f"module 'tune_app' has no attribute '{name}'")
    return getattr(import_module(f"tune_app.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*_PLACES, "__version__"])

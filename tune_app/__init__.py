"""Hyperparameter search for small networks under weight budgets.

import tune_app

sweep = tune_app.run_sweep("search_spaces/digits_cnn.yaml")
sweep.ranked(budget="5k")
sweep.export("best", budget="5k")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tune_app.api.result_table import Table
    from tune_app.api.running import resume, run_sweep
    from tune_app.api.storage import Storage, Sweep, open_storage
    from tune_app.config.files import load_sweep_file
    from tune_app.config.sweep import SweepConfig
    from tune_app.errors import SweepFileError, TuneAppError
    from tune_app.report.export.exported import load_export
    from tune_app.service.client.service_client import connect

# Found when they are asked for: `import tune_app` waits for neither torch nor Ray.
_PLACES = {
    "Storage": "api.storage",
    "Sweep": "api.storage",
    "SweepConfig": "config.sweep",
    "SweepFileError": "errors",
    "Table": "api.result_table",
    "TuneAppError": "errors",
    "connect": "service.client.service_client",
    "load_export": "report.export.exported",
    "load_sweep_file": "config.files",
    "open_storage": "api.storage",
    "resume": "api.running",
    "run_sweep": "api.running",
}

__all__ = [
    "Storage",
    "Sweep",
    "SweepConfig",
    "SweepFileError",
    "Table",
    "TuneAppError",
    "connect",
    "load_export",
    "load_sweep_file",
    "open_storage",
    "resume",
    "run_sweep",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'tune_app' has no attribute '{name}'")
    return getattr(import_module(f"tune_app.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

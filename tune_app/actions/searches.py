"""Starting, continuing and forecasting searches."""

from pathlib import Path
from typing import TYPE_CHECKING

from tune_app.config.data_summary import DataSummary
from tune_app.config.sweep import SweepConfig
from tune_app.config.user_functions import code_folder
from tune_app.results.store import SweepRecord

if TYPE_CHECKING:
    from tune_app.data.sets import DataShape
    from tune_app.sweep.launch import Launch
    from tune_app.sweep.search.forecast import Forecast


def user_code_folders(file: Path) -> tuple[Path, ...]:
    """Return the folders in which the functions of a search file are searched, in this order."""
    return file.parent, code_folder(file.parent), Path()


def same_launch(
    record: SweepRecord,
    storage: Path,
    command: str,
    *,
    data_root: Path | None = None,
    address: str | None = None,
) -> "Launch":
    """Return the settings that continue a sweep: those of its first run, except for those given."""
    from tune_app.sweep.launch import Launch

    flags = record.run_flags
    return Launch(
        storage=storage,
        data_root=data_root or Path(flags["data_root"]),
        address=address or flags["address"],
        command=command,
    )


def check_data(config: SweepConfig, data_root: Path) -> DataSummary:
    """Read every part of the data of a search file; return the summary of the data.

    Raises:
        TuneAppError: The data are missing, cannot be used, or do not fit the file.
    """
    from tune_app.data.data_checks import summarize_data

    return summarize_data(config, data_root)


def forecast_search(
    config: SweepConfig,
    data_root: Path,
    *,
    samples: int,
    cpus: int | None = None,
    folders: tuple[Path, ...] = (),
) -> "tuple[DataShape, Forecast]":
    """Draw `samples` configurations per budget; return the shape of the data and the forecast.

    Functions that the file names are searched in `folders`. The default of `cpus` is the number of
    this machine's.

    Raises:
        TuneAppError: The data or a function is missing, or no configuration fits a budget.
    """
    from tune_app.data.sets import data_shape
    from tune_app.sweep.ray_tune.cluster import cpu_count
    from tune_app.sweep.search.forecast import forecast
    from tune_app.sweep.trial.user_code import find_user_functions

    shape = data_shape(config.dataset, data_root)
    model = find_user_functions(config, folders).model
    return shape, forecast(config, shape, samples=samples, cpus=cpus or cpu_count(), model=model)

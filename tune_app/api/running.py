"""Running sweeps in Python."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tune_app.actions.searches import same_launch, user_code_folders
from tune_app.api.notebook_progress import announcer
from tune_app.api.storage import Sweep
from tune_app.config.search_file import load_sweep_file
from tune_app.config.sweep import SweepConfig
from tune_app.config.user_functions import Function
from tune_app.data.from_python import FOLDER, save_data
from tune_app.results.places import find_data_root
from tune_app.results.store import open_store
from tune_app.results.transfer.mirror import storage_folder
from tune_app.sweep.launch import Launch
from tune_app.sweep.run import named, resume_sweep, start_sweep
from tune_app.sweep.session import Outcome

COMMAND = "tune_app.run_sweep"


def run_sweep(
    config: SweepConfig | Mapping[str, Any] | str | Path,
    *,
    data: Any = None,
    test_data: Any = None,
    model: Function | None = None,
    train: Function | None = None,
    storage: str | Path | None = None,
    data_root: str | Path | None = None,
    address: str | None = None,
    new: bool = False,
    quiet: bool = False,
) -> Sweep:
    """Run a search to its end and return the sweep.

    `config` is the path of a search file, the result of `load_sweep_file`, or the content of a file
    as a mapping. `data`, a pair of tensors or a torch data set, replaces the data set of the file
    (see `save_data`); `test_data` replaces its test split. `model` builds the networks and `train`
    trains them; functions that the file names are searched in its folder and in the working
    directory. Progress is shown as on the command line; a notebook shows it in one output, and
    `quiet` hides it. With `new`, the sweep gets the next free name if the name in the file is
    taken.

    Ctrl-C ends the sweep gracefully: its `status` is then interrupted, and `resume` continues it.

    Raises:
        TuneAppError: The sweep cannot start; see `tune_app.sweep.run.start_sweep`.
    """
    place = storage_folder(storage)
    folders: tuple[Path, ...] = (Path(),)
    source = ""
    if isinstance(config, str | Path):
        file = Path(config)
        folders = user_code_folders(file)
        config = load_sweep_file(file)
        source = file.read_text(encoding="utf-8")
    if data is not None:
        config = _with_data(config, save_data(data, place / FOLDER, test_data))
    if not isinstance(config, SweepConfig):
        config = SweepConfig.from_dict(config)
    config = named(config, place, new=new)
    say = announcer(quiet)
    launch = Launch(
        storage=place,
        data_root=find_data_root(data_root),
        address=address,
        command=COMMAND,
        source=source,
        folders=folders,
        model=model,
        train=train,
        announce=say.opening,
        announce_data=say.data,
        watch=say.watch,
    )
    return _ended(place, start_sweep(config, launch))


def resume(
    sweep: Sweep,
    *,
    trials: int | None = None,
    model: Function | None = None,
    train: Function | None = None,
    quiet: bool = False,
) -> Sweep:
    """Continue an interrupted sweep, or extend a complete one to this many `trials`.

    User code comes from the copy in the sweep's record, except for functions passed here.

    Raises:
        TuneAppError: See `tune_app.sweep.run.resume_sweep`.
    """
    launch = same_launch(sweep.record, sweep.store.storage, COMMAND)
    launch = replace(launch, model=model, train=train, watch=announcer(quiet).watch)
    outcome = resume_sweep(sweep.name, launch, trials=trials)
    return sweep if outcome is None else _ended(sweep.store.storage, outcome)


def _with_data(
    config: SweepConfig | Mapping[str, Any], path: Path
) -> SweepConfig | Mapping[str, Any]:
    own = {"name": "arrays", "path": str(path)}
    if isinstance(config, SweepConfig):
        return config.model_copy(update={"dataset": config.dataset.model_copy(update=own)})
    return {**config, "dataset": {**(config.get("dataset") or {}), **own}}


def _ended(storage: Path, outcome: Outcome) -> Sweep:
    if outcome.final_error is not None:  # the search stands in the record
        raise outcome.final_error
    return Sweep(open_store(storage), outcome.name)

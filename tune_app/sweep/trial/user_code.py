"""User code in a sweep: finding the functions, keeping their files, sending them to workers.

The file of each function is copied to `<storage>/<sweep>/code/`. Resuming, the final stage and
exports run that copy, which is the code that the sweep began with. Workers get functions by value,
so that no node needs the file. What the functions import must be installed on the nodes, or lie
in the folder of the search file if the nodes share it.
"""

import contextlib
import inspect
import shutil
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from tune_app.config.sweep import SweepConfig
from tune_app.config.user_functions import (
    MAIN,
    Function,
    code_folder,
    load_function,
    name_function,
)
from tune_app.errors import StorageError
from tune_app.models.user_networks import Model, UserModel, find_model
from tune_app.results.function_files import function_folders
from tune_app.results.store import Store, SweepRecord
from tune_app.sweep.launch import Launch
from tune_app.sweep.trial.trainable import TrainEpochs
from tune_app.training.loop import train_epochs
from tune_app.training.user_training import UserTraining


@dataclass(frozen=True)
class UserFunctions:
    """The functions that build and train a sweep's networks: the user's, or the built-in ones."""

    model: Model
    train: TrainEpochs
    folders: tuple[Path, ...] = ()  # where modules that they import may be

    def for_workers(self) -> "UserFunctions":
        """Return a copy whose functions are pickled by value."""
        model = self.model
        if isinstance(model, UserModel):
            model = replace(model, function=Shipped(model.function, self.folders))
        train = self.train
        if isinstance(train, UserTraining):
            train = replace(train, function=Shipped(train.function, self.folders))
        return UserFunctions(model, train, self.folders)


def name_user_functions(
    config: SweepConfig, model: Function | None, train: Function | None
) -> SweepConfig:
    """Return `config` with the names of functions that were passed in Python.

    Raises:
        FunctionError: A function has no name.
    """
    named: dict[str, Any] = {}
    if model is not None:
        named["model"] = name_function(model)
    if train is not None and train is not train_epochs:
        named["training"] = name_function(train)
    return config.model_copy(update=named) if named else config


def find_user_functions(
    config: SweepConfig,
    folders: Sequence[Path],
    *,
    model: Function | None = None,
    train: Function | None = None,
) -> UserFunctions:
    """Return the functions that `config` names: `model` and `train`, or from files in `folders`.

    Raises:
        FunctionError: A function is missing, or does not fit the parameters of the search file.
    """
    built: Model
    if model is not None:
        built = UserModel(config.model, model, config.fill)
    else:
        built = find_model(config.model, config.fill, folders)
    if isinstance(built, UserModel):
        built.check(config.parameters, others_read=config.training is not None)
    trained: TrainEpochs = train_epochs
    if config.training is not None:
        function = train or load_function(config.training, folders)
        trained = UserTraining(config.training, function)
        trained.check()
        if config.scheduler.pauses:
            trained.check_pausing(config.scheduler.type)
    return UserFunctions(built, trained, tuple(folder.absolute() for folder in folders))


def find_recorded_functions(
    store: Store, record: SweepRecord, config: SweepConfig, launch: Launch
) -> UserFunctions:
    """Return the functions of a recorded sweep in the state in which it began.

    `config` is the record's, typed.
    """
    folders = function_folders(store, record)
    return find_user_functions(config, folders, model=launch.model, train=launch.train)


def describe_user_functions(functions: UserFunctions) -> dict[str, Any]:
    """Return the facts about user code for the record: name, file, digest and source text."""
    named: dict[str, Function] = {}
    if isinstance(functions.model, UserModel):
        named[functions.model.reference] = functions.model.function
    if isinstance(functions.train, UserTraining):
        named[functions.train.reference] = functions.train.function
    return {reference: _describe(function) for reference, function in named.items()}


def _describe(function: Function) -> dict[str, Any]:
    file = _file_of(function)
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError):
        source = None
    digest = None if file is None else sha256(file.read_bytes()).hexdigest()
    return {"file": None if file is None else str(file), "sha256": digest, "source": source}


def copy_user_code(store: Store, name: str, functions: UserFunctions) -> None:
    """Copy the files of a sweep's user code to its folder, under the names of their modules.

    A function of a script or a notebook is not copied: importing the file would run all of it.

    Raises:
        StorageError: A file cannot be written.
    """
    for reference, described in describe_user_functions(functions).items():
        module = reference.partition(":")[0]
        if module == MAIN or described["file"] is None:
            continue
        folder = code_folder(store.sweep_folder(name))
        place = folder.joinpath(*module.split(".")).with_suffix(".py")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(described["file"], place)
        except OSError as error:
            raise StorageError(f"{place} cannot be written: {error}") from error


def _file_of(function: Function) -> Path | None:
    try:
        file = Path(inspect.getfile(function))
    except TypeError:
        return None
    return file.absolute() if file.is_file() else None


class Shipped:
    """A function that is pickled by value unless it is installed; unpickling returns the function.

    So a worker does not need the function's file.
    """

    def __init__(self, function: Function, folders: Sequence[Path]) -> None:
        self.function, self.folders = function, folders

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.function(*arguments, **named)

    def __reduce__(self) -> tuple[Any, ...]:
        from ray import cloudpickle

        with _by_value(self.function):
            packed = cloudpickle.dumps(self.function)  # type: ignore[no-untyped-call]
        return _unpack, (packed, [str(folder) for folder in self.folders])


def _unpack(packed: bytes, folders: list[str]) -> Function:
    from ray import cloudpickle

    for folder in folders:
        if folder not in sys.path and Path(folder).is_dir():
            sys.path.append(folder)
    function: Function = cloudpickle.loads(packed)
    return function


@contextlib.contextmanager
def _by_value(function: Function) -> Iterator[None]:
    from ray import cloudpickle

    module = sys.modules.get(function.__module__)
    file = _file_of(function)
    registered = cloudpickle.list_registry_pickle_by_value()  # type: ignore[no-untyped-call]
    if (
        module is None
        or module.__name__ in {MAIN, *registered}
        or file is None
        or _is_installed(file)
    ):
        yield
        return
    cloudpickle.register_pickle_by_value(module)  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(module)  # type: ignore[no-untyped-call]


def _is_installed(file: Path) -> bool:
    """Tell whether every node has a file, because Python, a package or tune_app contains it."""
    ours = Path(__file__).resolve().parents[2]
    places = [ours, *(Path(place) for place in sysconfig.get_paths().values())]
    return any(file.is_relative_to(place) for place in places if place.name != "bin")

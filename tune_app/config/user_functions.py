"""Functions of the user's own, named in a search file as `package.module:function`.

They are code, and to load one is to run it. So a name is looked for in folders on this machine
that the caller lists, never among installed packages and never over a network: `os:system` in a
file from elsewhere finds nothing.
"""

import importlib.util
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from tune_app.config.parsing.fields import did_you_mean, show
from tune_app.errors import FunctionError, SpaceError

Function = Callable[..., Any]

# What stands before "<locals>" was defined inside another function: known, but found by nobody.
_REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.(<locals>|\w+))*")
MAIN = "__main__"  # a script, or a notebook


def is_function(text: str) -> bool:
    """Tell whether `text` names a function of the user's own.

    >>> is_function("nets:small"), is_function("cnn")
    (True, False)
    """
    return _REFERENCE.fullmatch(text) is not None


def checked_function(text: str) -> str:
    """Return `text` if it is written as a function is named.

    Raises:
        SpaceError: It is not.
    """
    if not is_function(text):
        raise SpaceError(f"must be package.module:function, like my_nets:build, got {show(text)}")
    return text


def name_function(function: Function) -> str:
    """Return how a search file names `function`.

    Raises:
        FunctionError: It has no name, as a `functools.partial` has none.
    """
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", None)
    reference = f"{module}:{name}"
    if not (module and name and is_function(reference)):
        raise FunctionError(f"{function!r} has no name to be recorded by; write it as a function")
    return reference


def code_folder(folder: Path) -> Path:
    """Return where a sweep's folder, or an export, keeps the files of its own functions."""
    return folder / "code"


def function_file(reference: str, folders: Iterable[Path]) -> Path | None:
    """Return the file in the first of `folders` that has the function's module."""
    parts = reference.partition(":")[0].split(".")
    for folder in folders:
        place = folder.absolute().joinpath(*parts)
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                return file
    return None


def load_function(reference: str, folders: Sequence[Path]) -> Function:
    """Return the function that `reference` names, from a file in one of `folders`.

    Its module is run, if this process has not. What it imports itself must be installed, or lie
    in the same folder or another of `folders`: a kept copy has its neighbours where it came from.
    These are appended to `sys.path`. `__main__` is what runs now.

    Raises:
        FunctionError: There is none, or its module cannot be run.
    """
    module_name, _, name = reference.partition(":")
    if "<locals>" in name:
        raise FunctionError(
            f"{reference} was defined inside another function, where nobody can find it again; "
            "give it in Python, or move it to the top of a module"
        )
    if module_name == MAIN:
        where, module = "what runs now", sys.modules[MAIN]
    else:
        file = function_file(reference, folders)
        if file is None:
            looked = " or ".join(str(folder.absolute()) for folder in dict.fromkeys(folders))
            raise FunctionError(
                f"{reference}: no {module_name.replace('.', '/')}.py in {looked or 'any folder'}; "
                "put the file there, or give the function in Python"
            )
        where, module = str(file), _load_module(module_name, file, folders)
    function = getattr(module, name, None)
    if not callable(function):
        known = [key for key, value in vars(module).items() if callable(value)]
        raise FunctionError(
            f"{reference}: {where} has no function {name}{did_you_mean(name, known)}"
        )
    return function  # type: ignore[no-any-return]


def _load_module(name: str, file: Path, folders: Sequence[Path]) -> ModuleType:
    """Return the module in `file`; under a name of its own where another one has `name`."""
    text = file.read_bytes()
    for known_as in (name, _private_name(name, file, text)):
        known = sys.modules.get(known_as)
        if known is not None and _is_from(known, file):
            return known
    if name in sys.modules:
        name = _private_name(name, file, text)
    for place in (_root_of(name, file), *folders):
        folder = str(place.absolute())
        if folder not in sys.path and place.is_dir():
            sys.path.append(folder)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        way_out = ""
        if isinstance(error, ModuleNotFoundError):
            way_out = f"; install it, or say where {error.name}.py is: PYTHONPATH=FOLDER"
        raise FunctionError(
            f"{file} cannot be run: {type(error).__name__}: {error}{way_out}"
        ) from error
    return module


def _private_name(name: str, file: Path, text: bytes) -> str:
    return f"{name}_{sha256(str(file).encode() + text).hexdigest()[:8]}"


def _is_from(module: ModuleType, file: Path) -> bool:
    own = getattr(module, "__file__", None)
    return own is not None and Path(own).absolute() == file


def _root_of(name: str, file: Path) -> Path:
    """Return the folder from which `name` is imported."""
    levels = name.count(".") + (file.name == "__init__.py")
    return file.parents[levels]

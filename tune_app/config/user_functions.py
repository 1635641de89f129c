"""Find and load user functions, named in a search file as `package.module:function`.

Loading a function runs its code. So a name is looked up only in folders of this machine that the
caller lists, never among installed packages and never over a network: `os:system` in somebody
else's file finds nothing.
"""

import importlib.util
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from tune_app.config.parsing.fields import show
from tune_app.config.parsing.similar_names import proposal
from tune_app.errors import FunctionError, SpaceError

Function = Callable[..., Any]

# "<locals>" marks a function defined inside another one: it has a name but cannot be looked up.
_REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.(<locals>|\w+))*")
MAIN = "__main__"  # the module of a running script or notebook


def is_function(text: str) -> bool:
    """Tell whether `text` names a user function.

    >>> is_function("nets:small"), is_function("cnn")
    (True, False)
    """
    return _REFERENCE.fullmatch(text) is not None


def checked_function(text: str) -> str:
    """Return `text` if it has the form of a function's name.

    Raises:
        SpaceError: `text` has another form.
    """
    if not is_function(text):
        raise SpaceError(f"must be package.module:function, like my_nets:build, got {show(text)}")
    return text


def name_function(function: Function) -> str:
    """Return the name of `function` for a search file.

    Raises:
        FunctionError: The function has no name, as for example a `functools.partial`.
    """
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", None)
    reference = f"{module}:{name}"
    if not (module and name and is_function(reference)):
        raise FunctionError(
            f"{function!r} has no name under which it could be recorded; define it with def"
        )
    return reference


def code_folder(folder: Path) -> Path:
    """Return the folder inside a sweep or an export that keeps the files of user functions."""
    return folder / "code"


def function_file(reference: str, folders: Iterable[Path]) -> Path | None:
    """Return the file of the function's module, from the first of `folders` that has it."""
    parts = reference.partition(":")[0].split(".")
    for folder in folders:
        place = folder.absolute().joinpath(*parts)
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                return file
    return None


def load_function(reference: str, folders: Sequence[Path]) -> Function:
    """Return the function that `reference` names, from a file in one of `folders`.

    Runs its module unless this process has run it already. The modules that it imports must be
    installed, or be in the same folder or another of `folders`, because only the module itself is
    copied to a storage; these folders are appended to `sys.path`. `__main__` is the running script.

    Raises:
        FunctionError: The function is not found, or its module cannot be run.
    """
    module_name, _, name = reference.partition(":")
    if "<locals>" in name:
        raise FunctionError(
            f"{reference} is defined inside another function and cannot be found by its name; "
            "pass it in Python, or move it to the top of a module"
        )
    if module_name == MAIN:
        where, module = "the running script", sys.modules[MAIN]
    else:
        file = function_file(reference, folders)
        if file is None:
            looked = " or ".join(str(folder.absolute()) for folder in dict.fromkeys(folders))
            raise FunctionError(
                f"{reference}: no {module_name.replace('.', '/')}.py in {looked or 'any folder'}; "
                "put the file there, or pass the function in Python"
            )
        where, module = str(file), _load_module(module_name, file, folders)
    function = getattr(module, name, None)
    if not callable(function):
        known = [key for key, value in vars(module).items() if callable(value)]
        raise FunctionError(f"{reference}: {where} has no function {name}{proposal(name, known)}")
    return function  # type: ignore[no-any-return]


def _load_module(name: str, file: Path, folders: Sequence[Path]) -> ModuleType:
    """Return the module in `file`, under a private name if another module has `name` already."""
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
            way_out = f"; install it, or set PYTHONPATH to the folder of {error.name}.py"
        raise FunctionError(
            f"{file} cannot be run: {type(error).__name__}: {error}{way_out}"
        ) from error
    return module


def _private_name(name: str, file: Path, text: bytes) -> str:
    return f"{name}_{sha256(str(file).encode() + text).hexdigest()[:8]}"


def _is_from(module: ModuleType, file: Path) -> bool:
    path = getattr(module, "__file__", None)
    return path is not None and Path(path).absolute() == file


def _root_of(name: str, file: Path) -> Path:
    """Return the folder from which Python would import `name` as `file`."""
    levels = name.count(".") + (file.name == "__init__.py")
    return file.parents[levels]

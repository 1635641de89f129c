"""Functions of the user's own: named, looked for in given folders only, run once."""

import functools
import sys

import pytest

from tune_app.config.user_functions import function_file, load_function, name_function
from tune_app.errors import FunctionError


@pytest.fixture(autouse=True)
def _as_before(monkeypatch):
    """Forget the modules that a test loads, and where they were."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = dict(sys.modules)
    yield
    for name in sys.modules.keys() - before.keys():
        del sys.modules[name]


def refusal(reference, *folders):
    with pytest.raises(FunctionError) as refused:
        load_function(reference, folders)
    return str(refused.value)


def test_a_function_is_found_in_the_first_folder_that_has_its_file(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "two" / "own_nets.py").write_text("def build(): return 'two'")
    folders = [tmp_path / "one", tmp_path / "two"]
    assert load_function("own_nets:build", folders)() == "two"
    assert load_function("own_nets:build", folders) is load_function("own_nets:build", folders)


def test_a_module_imports_what_lies_beside_it_and_in_its_package(tmp_path):
    package = tmp_path / "own_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "sizes.py").write_text("SIZE = 7")
    (package / "nets.py").write_text(
        "from .sizes import SIZE\nimport own_other\ndef build(): return SIZE + own_other.MORE"
    )
    (tmp_path / "own_other.py").write_text("MORE = 1")
    assert function_file("own_package.nets:build", [tmp_path]) == package / "nets.py"
    assert load_function("own_package.nets:build", [tmp_path])() == 8


def test_a_copy_imports_what_lies_beside_the_file_that_it_is_of(tmp_path):
    package = tmp_path / "from" / "own_parts"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "sizes.py").write_text("SIZE = 7")
    (tmp_path / "from" / "own_beside.py").write_text("MORE = 1")
    (tmp_path / "kept" / "own_parts").mkdir(parents=True)
    copy = tmp_path / "kept" / "own_parts" / "nets.py"
    copy.write_text(
        "from .sizes import SIZE\nimport own_beside\ndef build(): return SIZE + own_beside.MORE"
    )
    function = load_function("own_parts.nets:build", [tmp_path / "kept", tmp_path / "from"])
    assert function() == 8
    assert function.__code__.co_filename == str(copy)


def test_two_files_of_one_name_are_two_modules(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "own_twins.py").write_text(f"def build(): return {name!r}")
    one = load_function("own_twins:build", [tmp_path / "one"])
    two = load_function("own_twins:build", [tmp_path / "two"])
    assert (one(), two()) == ("one", "two")
    assert load_function("own_twins:build", [tmp_path / "two"]) is two


def test_nothing_installed_is_found(tmp_path):
    assert refusal("os:system", tmp_path) == (
        f"os:system: no os.py in {tmp_path}; put the file there, or pass the function in Python"
    )


def test_what_is_wrong_with_a_file_is_said(tmp_path):
    file = tmp_path / "own_wrong.py"
    file.write_text("def build(): ...\nraise ValueError('not today')")
    assert refusal("own_wrong:build", tmp_path) == (f"{file} cannot be run: ValueError: not today")
    file.write_text("import own_missing")
    assert refusal("own_wrong:build", tmp_path) == (
        f"{file} cannot be run: ModuleNotFoundError: No module named 'own_missing'; install it, or "
        "set PYTHONPATH to the folder of own_missing.py"
    )
    file.write_text("def build(): ...\nsize = 3")
    assert refusal("own_wrong:biuld", tmp_path) == (
        f"own_wrong:biuld: {file} has no function biuld; did you mean 'build'?"
    )
    assert refusal("own_wrong:outer.<locals>.inner", tmp_path) == (
        "own_wrong:outer.<locals>.inner is defined inside another function and cannot be found by "
        "its name; pass it in Python, or move it to the top of a module"
    )


def test_a_function_is_named_as_a_file_names_it():
    assert name_function(refusal) == f"{__name__}:refusal"
    partial = functools.partial(refusal, "a:b")
    with pytest.raises(FunctionError) as refused:
        name_function(partial)
    assert str(refused.value) == (
        f"{partial!r} has no name under which it could be recorded; define it with def"
    )

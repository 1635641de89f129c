"""The rules of the house: which room may import which, and what stays out of a room."""

import ast
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tune_app"

BASE = {"hints", "errors", "atomic_file"}
MODELLING = BASE | {"config", "models", "data", "training"}
MAY_IMPORT = {
    "hints": set(),
    "errors": {"hints"},
    "atomic_file": {"hints", "errors"},
    "config": BASE,
    "models": BASE | {"config"},
    "data": BASE | {"config"},
    "training": BASE | {"config", "models", "data"},
    "results": BASE | {"config"},
    "sweep": MODELLING | {"results"},
    "report": MODELLING | {"results"},
    "diagnostics": MODELLING | {"results", "report"},
    "actions": MODELLING | {"results", "sweep", "report", "diagnostics"},
    # Three doors to the same actions, which do not know each other.
    "service": MODELLING | {"results", "sweep", "report", "diagnostics", "actions"},
    "cli": MODELLING | {"results", "sweep", "report", "diagnostics", "actions"},
    "api": MODELLING | {"results", "sweep", "report", "diagnostics", "actions"},
}

# `tune-app serve` runs the service in its own process.
EXCEPTIONS = {("cli/commands/serve_commands", "service")}

# A package, and the only rooms that may import it.
FENCES = {
    "ray": {"sweep"},
    "optuna": {"sweep"},
    "torch": set(MAY_IMPORT) - {"config", "results"},
    "matplotlib": {"report", "diagnostics"},
    "sqlalchemy": {"results/store"},
    "sqlite3": {"results/store"},
    "psycopg": {"results/store"},
}

HEAVY = ("ray", "torch", "optuna", "matplotlib", "pandas", "sklearn", "psycopg")
LIGHT_MODULES = (
    *("tune_app", "tune_app.config", "tune_app.results", "tune_app.cli"),
    "tune_app.api.storage",
)


def imported_names(path: Path) -> Iterator[str]:
    """Yield the dotted name of all that `path` imports, inside functions too."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


# The package's own __init__ re-exports names of any room, lazily.
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_what_its_room_may(path):
    place = path.relative_to(PACKAGE).with_suffix("").as_posix()
    room = place.split("/")[0]
    wrong = []
    for name in imported_names(path):
        top, _, rest = name.partition(".")
        target = rest.split(".")[0]
        allowed = {room, *MAY_IMPORT[room]}
        if (place, target) in EXCEPTIONS:
            continue
        if top == "tune_app" and target in MAY_IMPORT and target not in allowed:
            wrong.append(f"{room} imports upwards: {name}")
        if top in FENCES and not any(f"{place}/".startswith(f"{home}/") for home in FENCES[top]):
            wrong.append(f"{top} may not be imported here: {name}")
    assert not wrong, "\n".join(wrong)


def test_names_of_classes_and_files_are_unique():
    places: dict[str, list[str]] = {}
    for path in SOURCES:
        if path.name != "__init__.py":
            places.setdefault(path.name, []).append(str(path.relative_to(PACKAGE)))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(str(path.relative_to(PACKAGE)))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_no_folder_has_more_than_a_dozen_modules():
    counts = Counter(path.parent for path in SOURCES if path.name != "__init__.py")
    assert {str(folder): count for folder, count in counts.items() if count > 12} == {}


def test_every_room_has_its_place_in_the_order():
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms <= set(MAY_IMPORT)


@pytest.mark.parametrize("module", LIGHT_MODULES)
def test_importing_a_light_module_imports_nothing_heavy(module):
    code = f"import sys, {module}; print(*sorted(set({HEAVY}) & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout.strip(), ran.stderr) == (0, "", "")


def test_the_lock_holds_every_dependency_within_its_bounds():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    locked: dict[str, set[str]] = {}
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        name, equals, version = line.partition("==")
        if equals and not line[0].isspace():
            locked.setdefault(name, set()).add(version.split()[0])
    wanted = map(Requirement, project["dependencies"] + project["optional-dependencies"]["dev"])
    wrong = [
        f"{requirement}: run ./scripts/lock"
        for requirement in wanted
        if not (versions := locked.get(requirement.name.lower().replace("_", "-")))
        or not all(map(requirement.specifier.contains, versions))
    ]
    assert not wrong, "\n".join(wrong)


def imported_modules(path: Path) -> set[str]:
    """Return the modules of the package that `path` imports, inside functions too."""
    found = set()
    for name in imported_names(path):
        parts = name.split(".")
        for end in range(len(parts), 0, -1):  # the longest name that is a module: no classes
            place = ROOT.joinpath(*parts[:end])
            if place.with_suffix(".py").is_file() or (place / "__init__.py").is_file():
                found.add(".".join(parts[:end]))
                break
    return {name for name in found if name.startswith("tune_app.")}


def test_no_module_imports_itself_by_way_of_others():
    def named(path: Path) -> str:
        return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")

    imports = {named(path): imported_modules(path) for path in PACKAGE.rglob("*.py")}
    # Take away what imports nothing that is left, until nothing goes: the rest is in a circle,
    # or imports one.
    left = {name: wanted - {name} for name, wanted in imports.items()}
    while free := [name for name, wanted in left.items() if not wanted & left.keys()]:
        for name in free:
            del left[name]
    # The same from the other end takes away what only imports a circle.
    while unused := left.keys() - {one for wanted in left.values() for one in wanted}:
        for name in unused:
            del left[name]
    assert sorted(left) == []

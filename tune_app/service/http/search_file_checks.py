"""What of a search file is taken from the network: names of data sets and typed values."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tune_app.config.files import parse_sweep
from tune_app.config.sweep import SweepConfig
from tune_app.config.texts.search_file_docs import sweep_json_schema
from tune_app.errors import Problem, SweepFileError, TuneAppError
from tune_app.service.http.responses import problems_json
from tune_app.service.settings import Settings

SOURCE = "the search file"


def check_source(source: str) -> dict[str, Any]:
    """Return what is wrong with a search file, and what it is if nothing is."""
    try:
        config = parse_sweep(source, source=SOURCE)
        if refused := own_code(config):
            raise SweepFileError(SOURCE, refused)
    except SweepFileError as error:
        problems = problems_json(error.problems)
        return {"problems": problems, "name": None, "trials": None, "budgets": None}
    return {
        "problems": [],
        "name": config.name,
        "trials": config.search.trials,
        "budgets": list(config.budgets),
    }


def read_source(source: str, settings: Settings) -> SweepConfig:
    """Return the sweep that a search file describes, if it may be run from the network.

    Raises:
        SweepFileError: It is wrong, names a function or a path outside the data root, or asks for
            too much.
    """
    config = parse_sweep(source, source=SOURCE)
    problems = own_code(config)
    if config.dataset.path is not None:
        try:
            overrides = own_data(config, settings.data_root)
        except TuneAppError as error:
            problems.append(Problem(None, "dataset.path", str(error)))
        else:
            config = parse_sweep(source, source=SOURCE, overrides=overrides)
    if config.search.trials > settings.limits.trials:
        problems.append(Problem(None, "search.trials", f"at most {settings.limits.trials:,} here"))
    if problems:
        raise SweepFileError(SOURCE, problems)
    return config


def own_code(config: SweepConfig) -> list[Problem]:
    """Return a problem for each function that a file names: none is run for the network."""
    refusal = "names a function; functions run only from the command line and Python"
    return [
        Problem(None, "model" if reference == config.model else "training", refusal)
        for reference in config.user_functions
    ]


def own_data(config: SweepConfig, root: Path) -> list[tuple[str, str]]:
    """Return the override that makes a file's own data a whole path below the data root.

    Raises:
        TuneAppError: It is not there, its links followed.
    """
    path = config.dataset.path
    if path is None:
        return []
    refusal = "must be a path below the server's data root, such as my_images"
    try:
        root = root.resolve()
        place = (root / path).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        raise TuneAppError(refusal) from None
    if path.startswith("~") or place == root or not place.is_relative_to(root):
        raise TuneAppError(refusal)
    return [("dataset.path", str(place))]


def search_file_keys() -> dict[str, list[dict[str, str]]]:
    """Return the keys of a search file and what they mean, by section; "" is the top."""
    schema = sweep_json_schema()
    sections = {"": _keys(schema)}
    for name, part in schema["properties"].items():
        for one in [part, *part.get("anyOf", ())]:
            target = schema["$defs"].get(str(one.get("$ref")).rpartition("/")[2], one)
            if "properties" in target:
                sections[name] = _keys(target)
    return sections


def _keys(schema: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {"key": name, "text": str(part.get("description", ""))}
        for name, part in schema["properties"].items()
    ]

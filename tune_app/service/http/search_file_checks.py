"""Checks of search files that arrive over the network.

A search file may name functions and paths. A user at the command line may run and read those; for
a request over the network the service runs no user code and reads only below the data root.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tune_app.config.search_file import parse_sweep
from tune_app.config.sweep import SweepConfig
from tune_app.config.texts.search_file_docs import sweep_json_schema
from tune_app.errors import Problem, SweepFileError, TuneAppError
from tune_app.service.http.responses import problems_json
from tune_app.service.settings import Settings

SOURCE = "the search file"


def check_source(source: str) -> dict[str, Any]:
    """Return the problems of a search file or, without problems, its name and size."""
    try:
        config = parse_sweep(source, source=SOURCE)
        if refused := user_code_problems(config):
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
    """Return the sweep that a search file describes, if it may run over the network.

    Raises:
        SweepFileError: The file has problems, names a function or a path outside the data root,
            or has too many trials.
    """
    config = parse_sweep(source, source=SOURCE)
    problems = user_code_problems(config)
    if config.dataset.path is not None:
        try:
            overrides = data_override(config, settings.data_root)
        except TuneAppError as error:
            problems.append(Problem(None, "dataset.path", str(error)))
        else:
            config = parse_sweep(source, source=SOURCE, overrides=overrides)
    if config.search.trials > settings.limits.trials:
        problems.append(
            Problem(
                None, "search.trials", f"must be at most {settings.limits.trials:,} on this service"
            )
        )
    if problems:
        raise SweepFileError(SOURCE, problems)
    return config


def user_code_problems(config: SweepConfig) -> list[Problem]:
    """Return a problem for each function that a file names; the service runs no user code."""
    refusal = "names a function; the service runs no user code"
    return [
        Problem(None, "model" if reference == config.model else "training", refusal)
        for reference in config.user_functions
    ]


def data_override(config: SweepConfig, root: Path) -> list[tuple[str, str]]:
    """Return the override that makes the path of a user's data absolute, below the data root.

    Raises:
        TuneAppError: The path, with its links followed, is not below the data root.
    """
    path = config.dataset.path
    if path is None:
        return []
    refusal = "must be a path below the data root of the service, such as my_images"
    try:
        root = root.resolve()
        target = (root / path).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        raise TuneAppError(refusal) from None
    if path.startswith("~") or target == root or not target.is_relative_to(root):
        raise TuneAppError(refusal)
    return [("dataset.path", str(target))]


def search_file_keys() -> dict[str, list[dict[str, str]]]:
    """Return the keys of a search file with their descriptions by section; the top level is ""."""
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

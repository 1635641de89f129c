"""The command line's equivalent of what a button does."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tune_app.service.settings import Settings


def show_command(arguments: Sequence[str], settings: Settings) -> str:
    """Return a command as it can be typed where the service was started."""
    where = [] if settings.storage == Path("tune_results") else ["--storage", str(settings.storage)]
    return shlex.join(["tune-app", *arguments, *where])


def resume_arguments(name: str, trials: int | None = None) -> list[str]:
    """Return the arguments that go on with a sweep, or extend it to so many trials."""
    return ["resume", name, *([] if trials is None else ["--trials", str(trials)])]


def final_arguments(
    name: str, top: int | None, seeds: int | None, budgets: Sequence[str]
) -> list[str]:
    """Return the arguments of the final stage."""
    options: list[tuple[str, Any]] = [
        ("--budget", ",".join(budgets) or None),
        ("--top", top),
        ("--seeds", seeds),
    ]
    return ["final", name, *(x for key, value in options if value for x in (key, str(value)))]


def run_arguments(
    file: str,
    *,
    name: str | None = None,
    trials: int | None = None,
    no_final: bool = False,
    max_concurrent: int | None = None,
    data_path: str | None = None,
) -> list[str]:
    """Return the arguments that run a search file."""
    arguments = ["run", file]
    arguments += ["--name", name] if name else []
    arguments += ["--trials", str(trials)] if trials else []
    arguments += ["--no-final"] if no_final else []
    arguments += ["--max-concurrent", str(max_concurrent)] if max_concurrent else []
    # Quoted, so that it is read as a text whatever is in it.
    arguments += ["--set", f"dataset.path={json.dumps(data_path)}"] if data_path else []
    return arguments

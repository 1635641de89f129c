"""The command line that does the same as a request or a button.

Pages and REST answers show the command, and the queue runs it. Both come from this module, so they
cannot differ.
"""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tune_app.service.settings import Settings


def show_command(arguments: Sequence[str], settings: Settings) -> str:
    """Return a command as it can be typed in the folder where the service was started."""
    where = [] if settings.storage == Path("tune_results") else ["--storage", str(settings.storage)]
    return shlex.join(["tune-app", *arguments, *where])


def resume_arguments(name: str, trials: int | None = None) -> list[str]:
    """Return the arguments that continue a sweep, or extend it to `trials` trials."""
    return ["resume", name, *([] if trials is None else ["--trials", str(trials)])]


def final_arguments(
    name: str, top: int | None, seeds: int | None, budgets: Sequence[str]
) -> list[str]:
    """Return the arguments of the final stage."""
    options: list[tuple[str, str | int | None]] = [
        ("--budget", ",".join(budgets) or None),
        ("--top", top),
        ("--seeds", seeds),
    ]
    return ["final", name, *(x for key, value in options if value for x in (key, str(value)))]


@dataclass(frozen=True)
class RunOptions:
    """The options of `tune-app run` that a request may set."""

    name: str | None = None  # None: the name in the search file
    new: bool = False  # take the next free name
    trials: int | None = None
    no_final: bool = False


def run_arguments(
    file: str,
    options: RunOptions,
    *,
    max_concurrent: int | None = None,
    data_path: str | None = None,
) -> list[str]:
    """Return the arguments that run a search file."""
    arguments = ["run", file]
    arguments += ["--name", options.name] if options.name else []
    arguments += ["--trials", str(options.trials)] if options.trials else []
    arguments += ["--no-final"] if options.no_final else []
    arguments += ["--max-concurrent", str(max_concurrent)] if max_concurrent else []
    # Quoted as JSON: YAML then reads any path as a text, also one like `12` or `[x]`.
    arguments += ["--set", f"dataset.path={json.dumps(data_path)}"] if data_path else []
    return arguments

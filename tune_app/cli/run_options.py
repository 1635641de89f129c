"""Options of the commands that train, and how they change a search file."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tune_app.actions.searches import same_launch
from tune_app.errors import SpaceError
from tune_app.results.places import DATA_VARIABLE, find_data_root
from tune_app.results.store import SweepRecord

if TYPE_CHECKING:
    from tune_app.sweep.launch import Launch

DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        envvar=DATA_VARIABLE,
        help="Folder of the data sets.  [default: ~/.cache/tune_app]",
    ),
]
AddressOption = Annotated[
    str | None,
    typer.Option(
        "--address", envvar="RAY_ADDRESS", help="Address of a running Ray cluster: host:port."
    ),
]
SettingsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Change any key of the search file; can be repeated."
    ),
]


def command_line() -> str:
    """Return the command being run, for the record."""
    return shlex.join(["tune-app", *sys.argv[1:]])


def launch_again(
    record: SweepRecord, storage: Path, data: Path | None, address: str | None
) -> "Launch":
    """Return the settings that continue a sweep, from the options of this command."""
    root = find_data_root(data) if data else None
    return same_launch(record, storage, command_line(), data_root=root, address=address)


def parse_setting(text: str) -> tuple[str, Any]:
    """Return the key and the value of `--set KEY=VALUE`; the value is parsed as in a search file.

    Raises:
        SpaceError: There is no "=", or the value cannot be parsed.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise SpaceError(f"--set takes KEY=VALUE, such as parameters.lr=0.01; got '{text}'")
    from tune_app.config.search_file import parse_value

    return key.strip(), parse_value(value)

"""Options that several commands share, and how their values are read."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from tune_app.config.budget import parse_budget
from tune_app.errors import SpaceError, TuneAppError
from tune_app.results.places import DEFAULT_STORAGE, STORAGE_VARIABLE
from tune_app.results.store import open_store
from tune_app.results.store.names import MIRROR_FILE

STORAGE = Path(DEFAULT_STORAGE)


def _storage(named: str | Path) -> Path:
    if "://" not in str(named):
        return Path(named)
    from tune_app.results.transfer.mirror import storage_folder

    return storage_folder(named)


def _push_when_done(context: typer.Context, storage: Path) -> Path:
    """When the command ends, upload the changes that it made in the mirror of an object store."""
    if (storage / MIRROR_FILE).exists():
        context.call_on_close(lambda: open_store(storage).push_changes())
    return storage


StorageOption = Annotated[
    Path,
    typer.Option(
        "--storage",
        envvar=STORAGE_VARIABLE,
        parser=_storage,
        callback=_push_when_done,
        metavar="PLACE",
        help="Folder or bucket of all results: a path, s3://… or gs://….",
    ),
]
BudgetOption = Annotated[
    list[str] | None,
    typer.Option("--budget", metavar="N", help="Weight budget, such as 20k; several: 20k,50k."),
]
SweepArgument = Annotated[
    str, typer.Argument(metavar="SWEEP", help="Name of the sweep.", show_default=False)
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


def split_list(values: Iterable[str] | None) -> list[str]:
    """Return the entries of an option that is repeated, comma-separated, or both."""
    return [part.strip() for value in values or () for part in value.split(",") if part.strip()]


def read_budgets(values: Iterable[str] | None) -> tuple[int, ...] | None:
    """Return the budgets in `--budget`, smallest first; None without the option."""
    try:
        return tuple(sorted({parse_budget(part) for part in split_list(values)})) or None
    except SpaceError as err:
        raise TuneAppError(f"--budget: {err}") from None

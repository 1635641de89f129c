"""Tables that programs read as rows, people as text, and notebooks as HTML."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from tune_app.results.tables.consoles import make_console
from tune_app.results.tables.layout import Layout
from tune_app.results.tables.table_formats import html_tables
from tune_app.results.tables.terminal import print_layouts
from tune_app.results.tables.trial_table import to_frame

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Table(Sequence[dict[str, Any]]):
    """Rows with every column of a trial, unrounded, in the order shown."""

    rows: tuple[dict[str, Any], ...]
    layouts: tuple[Layout, ...]

    def frame(self) -> "pd.DataFrame":
        """Return the rows as a DataFrame with a column for each parameter."""
        return to_frame(self.rows)

    @overload
    def __getitem__(self, place: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[dict[str, Any], ...]: ...

    def __getitem__(self, place: int | slice) -> dict[str, Any] | tuple[dict[str, Any], ...]:
        return self.rows[place]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def __str__(self) -> str:
        page = io.StringIO()
        print_layouts(make_console(page), self.layouts)
        return page.getvalue().strip("\n")

    def __repr__(self) -> str:
        return f"<table of {len(self)} rows: {', '.join(part.title for part in self.layouts)}>"

    def _repr_html_(self) -> str:
        return html_tables(self.layouts)

"""The result of a diagnostic: findings, tables and figures, and how to save them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd

from tune_app.errors import StorageError, TuneAppError
from tune_app.report.document.blocks import Block, Bullets, Document, Section, paragraph, text
from tune_app.report.document.renderer import to_markdown
from tune_app.report.figures.frame import ReportFigure, save
from tune_app.results.tables.layout import value_text
from tune_app.results.tables.markup.parts import Code, Grid

TABLE_FORMATS = ("csv", "parquet")
THEMES = ("light", "dark")
MOST_ROWS = 40  # longer tables are only in files, not on the page


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """The result of a diagnostic. Tables and figures are saved in files with their names."""

    name: str  # file stem
    title: str
    method: str  # what was computed from which data, with a reference
    findings: tuple[str, ...]  # sentences that summarise the numbers
    tables: Mapping[str, pd.DataFrame]
    figures: tuple[ReportFigure, ...]
    cautions: tuple[str, ...] = field(default=())  # limits of the numbers

    def __repr__(self) -> str:
        return "\n".join([self.title, *(f"- {finding}" for finding in self.findings)])

    def _ipython_display_(self) -> None:
        """Show findings, figures and cautions in a notebook."""
        shown: Any = import_module("IPython.display")
        lines = [f"**{self.title}**", self.method, *(f"- {finding}" for finding in self.findings)]
        shown.display(shown.Markdown("\n\n".join(lines)), *self.figures)
        if self.cautions:
            shown.display(shown.Markdown("\n\n".join(self.cautions)))

    def section(self) -> Section:
        """Return the diagnosis as a section of a report, with its short tables."""
        blocks: list[Block] = [paragraph(self.method)]
        if self.findings:
            blocks.append(Bullets(tuple(text(finding) for finding in self.findings)))
        blocks += self.figures
        blocks += [
            _grid(name, table) for name, table in self.tables.items() if 0 < len(table) <= MOST_ROWS
        ]
        blocks += [paragraph(caution) for caution in self.cautions]
        return Section(self.title, tuple(blocks))


def save_diagnosis(
    diagnosis: Diagnosis,
    folder: Path,
    *,
    table_format: str = "csv",
    command: str = "tune-app diagnose",
) -> list[Path]:
    """Write the tables, a Markdown page, and the figures as SVG and PNG in both themes.

    Return the paths, the page first. The page names the `command` that wrote it. Existing files
    with the same names are replaced.

    Raises:
        TuneAppError: `table_format` is not in TABLE_FORMATS.
        StorageError: A file cannot be written.
    """
    if table_format not in TABLE_FORMATS:
        raise TuneAppError(
            f"no table format '{table_format}', expected {' or '.join(TABLE_FORMATS)}"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for name, table in diagnosis.tables.items():
            path = folder / f"{name}.{table_format}"
            if table_format == "csv":
                table.to_csv(path, index=False)
            else:
                table.to_parquet(path, index=False)
            written.append(path)
        files = ", ".join(path.name for path in written)
        for figure in diagnosis.figures:
            written += save(figure, folder, themes=THEMES)
        page = folder / f"{diagnosis.name}.md"
        page.write_text(_page(diagnosis, files, command), encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot write to {folder}: {error.strerror or error}") from error
    return [page, *written]


def _grid(name: str, table: pd.DataFrame) -> Grid:
    """Return a table for readers: values are rounded, and empty columns are left out."""
    shown = table.dropna(axis=1, how="all")
    columns = [str(column) for column in shown.columns]
    return Grid(
        caption=name,
        headings=tuple(columns),
        numeric=tuple(pd.api.types.is_numeric_dtype(shown[column]) for column in shown.columns),
        rows=tuple(
            tuple(
                "" if pd.isna(value) else value_text(value, column)
                for column, value in zip(columns, row, strict=True)
            )
            for row in shown.astype(object).itertuples(index=False)
        ),
    )


def _page(diagnosis: Diagnosis, files: str, command: str) -> str:
    section = diagnosis.section()
    document = Document(
        title=diagnosis.title,
        facts=f"The numbers are in {files}.",
        answer=section.blocks,
        sections=(),
        ending=text("Written by ", Code(command)),
    )
    return to_markdown(document, ".")

"""The format of a table that was asked for."""

from pathlib import Path

from tune_app.results.tables.sweep_tables import Format

_SUFFIXES = {
    ".csv": Format.csv,
    ".json": Format.json,
    ".md": Format.markdown,
    ".tex": Format.latex,
    ".html": Format.html,
}


def format_for(given: Format | None, output: Path | None) -> Format:
    """Return the format that was given, else that of the file's suffix, else a table."""
    if given is not None:
        return given
    return _SUFFIXES.get(output.suffix.lower() if output else "", Format.table)

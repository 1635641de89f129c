"""The output format of a table."""

from pathlib import Path

from tune_app.results.tables.sweep_tables import Format

_SUFFIXES = {
    ".csv": Format.csv,
    ".json": Format.json,
    ".md": Format.markdown,
    ".tex": Format.latex,
    ".html": Format.html,
}


def format_for(asked: Format | None, output: Path | None) -> Format:
    """Return the requested format; without one, that of the file's suffix, or a table."""
    if asked is not None:
        return asked
    return _SUFFIXES.get(output.suffix.lower() if output else "", Format.table)

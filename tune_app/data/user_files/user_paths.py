"""Find the user's files that a search file names."""

from pathlib import Path

from tune_app.errors import DataMissingError, SpaceError
from tune_app.hints import hint


def find_path(name: str, path: str | None, root: Path) -> Path:
    """Return the existing file or folder of `dataset.path`: as written, else in the data root."""
    if path is None:
        raise SpaceError(f"dataset.path is missing: '{name}' reads your files, so give their path")
    places = dict.fromkeys([Path(path).expanduser().absolute(), (root / path).absolute()])
    for place in places:
        if place.exists():
            return place
    looked = " and ".join(str(place) for place in places)
    raise DataMissingError(
        f"dataset.path: nothing at {looked}; a path is taken from the working directory, then "
        "from the data root",
        hint=hint("data_root"),
    )

"""Data sets in the user's files: an .npz file, or folders of images."""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tune_app.data.source import (
    Array,
    Examples,
    Source,
    check_labels,
    checked_inputs,
    checked_targets,
    count_classes,
    input_shape_of,
)
from tune_app.errors import DataError, DataMissingError, SpaceError
from tune_app.hints import hint

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"})
GREY_MODES = frozenset({"1", "L", "LA"})
COLOUR_MODES = frozenset({"RGB", "RGBA", "P", "CMYK", "YCbCr"})


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


class Arrays(Source):
    """An .npz file with x_train and y_train and, optionally, x_test and y_test.

    Whole-numbered y are classes from 0; decimal y are regression targets.
    """

    name = "arrays"

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with zipfile.ZipFile(path) as file:
                keys = {name.removesuffix(".npy") for name in file.namelist()}
        except (OSError, zipfile.BadZipFile) as error:
            raise DataError(f"{path} is not an .npz file: {error}") from error
        for key in ("x_train", "y_train"):
            if key not in keys:
                found = ", ".join(sorted(keys)) or "nothing"
                raise DataError(f"{path} has no {key}, only {found}")
        if len(keys & {"x_test", "y_test"}) == 1:
            raise DataError(f"{path} has only one of x_test and y_test; expected both or none")
        self.has_test = "x_test" in keys
        shape = self._shape("x_train")
        self.input_shape = input_shape_of(self._where("x_train"), shape)
        self._labels = checked_targets(self._where("y_train"), self._load("y_train"), shape[0])
        self.task = "regression"
        self._counts: tuple[int, ...] = (shape[0],)
        if self._labels.dtype == np.int64:
            self.task = "classification"
            self._counts = count_classes(self._where("y_train"), self._labels)
            self.classes = tuple(str(label) for label in range(len(self._counts)))

    def counts(self) -> tuple[int, ...]:
        return self._counts

    def training(self) -> Examples:
        x = checked_inputs(self._where("x_train"), self._load("x_train"))
        return Examples(x, self._labels)

    def testing(self) -> Examples:
        x = checked_inputs(self._where("x_test"), self._load("x_test"))
        if x.shape[1:] != self.input_shape:
            raise DataError(
                f"{self._where('x_test')} has inputs of the shape {x.shape[1:]}, but x_train of "
                f"{self.input_shape}; both must have one shape"
            )
        y = checked_targets(self._where("y_test"), self._load("y_test"), len(x))
        if y.dtype != self._labels.dtype:
            kinds = "decimal numbers, but y_train holds whole numbers"
            if self.task == "regression":
                kinds = "whole numbers, but y_train holds decimal numbers"
            raise DataError(f"{self._where('y_test')} holds {kinds}")
        if self.task == "classification":
            check_labels(self._where("y_test"), y, len(self.classes))
        return Examples(x, y)

    def _where(self, key: str) -> str:
        return f"{self.path}: {key}"

    def _load(self, key: str) -> Array:
        try:
            with np.load(self.path, allow_pickle=False) as file:  # lazy: reads only this key
                array: Array = file[key]
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f"{self._where(key)} cannot be read: {error}") from error
        return array

    def _shape(self, key: str) -> tuple[int, ...]:
        """Return an array's shape from its header, without reading its values."""
        try:
            with zipfile.ZipFile(self.path) as file, file.open(f"{key}.npy") as member:
                version = np.lib.format.read_magic(member)
                read_header = {
                    (1, 0): np.lib.format.read_array_header_1_0,
                    (2, 0): np.lib.format.read_array_header_2_0,
                }[version]
                shape: tuple[int, ...] = read_header(member)[0]
        except (KeyError, ValueError, zipfile.BadZipFile) as error:
            raise DataError(f"{self._where(key)} cannot be read: {error}") from error
        return shape


@dataclass(frozen=True)
class _ImageKind:
    """The size and mode that all images of a data set must share."""

    size: tuple[int, int]  # width, height
    mode: str  # L or RGB

    def __str__(self) -> str:
        return f"{self.size[0]} x {self.size[1]} {'grey' if self.mode == 'L' else 'colour'}"


class Folders(Source):
    """One folder of images per class, named for the class; or `train/` and `test/` with such.

    Classes are in the order of their folders' names. Files without an image's suffix are ignored.
    """

    name = "images"

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise DataError(f"{path} is not a folder")
        split = (path / "train").is_dir()
        self.folder = path / "train" if split else path
        self.test_folder = path / "test"
        self.has_test = split and self.test_folder.is_dir()
        self._files = _class_files(self.folder)
        self.classes = tuple(self._files)
        if len(self.classes) < 2:
            found = f"only {self.classes[0]}" if self.classes else "none"
            raise DataError(
                f"{self.folder}: expected a folder of images for each of at least two classes, "
                f"found {found}"
            )
        self._kind = _read_image(self._files[self.classes[0]][0], None)[1]
        width, height = self._kind.size
        self.input_shape = (1 if self._kind.mode == "L" else 3, height, width)

    def counts(self) -> tuple[int, ...]:
        return tuple(len(files) for files in self._files.values())

    def training(self) -> Examples:
        return self._read(self._files)

    def testing(self) -> Examples:
        files = _class_files(self.test_folder)
        for name in files:
            if name not in self.classes:
                raise DataError(
                    f"{self.test_folder / name}: {self.folder} has no class {name}; remove the "
                    "folder, or add the class to the training images"
                )
        return self._read(files)

    def _read(self, class_files: dict[str, list[Path]]) -> Examples:
        count = sum(len(files) for files in class_files.values())
        x = np.empty((count, *self.input_shape), dtype=np.uint8)
        y = np.empty(count, dtype=np.int64)
        row = 0
        for name, files in class_files.items():
            for path in files:
                pixels = _read_image(path, self._kind)[0]
                x[row] = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
                y[row] = self.classes.index(name)
                row += 1
        return Examples(x, y)


def _class_files(folder: Path) -> dict[str, list[Path]]:
    """Return the image files of each class folder; folders and files are sorted by name."""
    found = {}
    for place in sorted(folder.iterdir()):
        if not place.is_dir() or place.name.startswith((".", "__")):
            continue
        files = sorted(path for path in place.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
        if not files:
            suffixes = ", ".join(sorted(IMAGE_SUFFIXES))
            raise DataError(f"{place} has no images; expected files that end in {suffixes}")
        found[place.name] = files
    return found


def _read_image(path: Path, expected: _ImageKind | None) -> tuple[Array, _ImageKind]:
    from PIL import Image

    try:
        with Image.open(path) as image:
            kind = _ImageKind(image.size, "RGB" if image.mode in COLOUR_MODES else "L")
            depth, pixels = image.mode, np.asarray(image.convert(kind.mode))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} cannot be read as an image: {error}") from error
    if kind.mode == "L" and depth not in GREY_MODES:
        raise DataError(f"{path} has pixels of mode {depth}; expected 8 bits per channel")
    if expected is not None and kind != expected:
        raise DataError(
            f"{path} is {kind}, but the first image is {expected}; all images must have one size "
            "and mode"
        )
    return pixels, kind

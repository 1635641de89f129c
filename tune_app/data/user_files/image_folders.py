"""The data set `images`: one folder of image files for each class, with or without splits."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tune_app.data.source import Array, Examination, Examples, Source
from tune_app.data.user_files.folders import Unread, class_images, find_splits
from tune_app.data.user_files.image_files import (
    REMARKS,
    UNCHANGED,
    ImageKind,
    ImageShape,
    Mode,
    Picture,
    examine_image,
    image_kind,
    image_suffixes,
    in_parallel,
    quiet_pillow,
    read_pixels,
)
from tune_app.errors import DataError

FILES_NAMED = 5  # in a message about files that cannot be used


@dataclass(frozen=True)
class _FolderSplit:
    folder: Path
    files: Mapping[str, Sequence[Path]]  # by class, in the order of the training split's classes

    @property
    def counts(self) -> tuple[int, ...]:
        return tuple(len(files) for files in self.files.values())

    @property
    def paths(self) -> list[Path]:
        return [path for files in self.files.values() for path in files]


class Folders(Source):
    """One folder of images per class, named for the class; or splits that hold such folders.

    Classes are in the order of their folders' names. Images may lie at any depth below a class
    folder. Files that are not read are noted; see `examine`.
    """

    name = "images"

    def __init__(
        self, path: Path, *, layout: str | None = None, shape: ImageShape = UNCHANGED
    ) -> None:
        if not path.is_dir():
            raise DataError(f"{path} is not a folder")
        self.path, self.shape = path, shape
        self._unread = Unread(path)
        self._found = find_splits(path, layout, self._unread)
        self.folder = self._found.folders["train"]
        train = self._training_files()
        self.classes = tuple(train)
        self._splits = {
            name: _FolderSplit(folder, train if name == "train" else self._other_files(folder))
            for name, folder in self._found.folders.items()
        }
        self.has_test = "test" in self._splits
        self.has_validation = "validation" in self._splits
        self._mode, self.input_shape = self._shape_of_first()

    def _training_files(self) -> dict[str, list[Path]]:
        files = class_images(self.folder, self._unread)
        for name, images in files.items():
            if not images:
                raise DataError(
                    f"{self.folder / name} has no images: files of a format that Pillow reads, "
                    "such as .png or .jpg; remove the folder"
                )
        if len(files) < 2:
            raise DataError(
                f"{self.folder}: expected a folder of images for each of at least two classes, "
                f"found {_what_was_found(self.folder, list(files))}"
            )
        return files

    def _other_files(self, folder: Path) -> dict[str, list[Path]]:
        files = class_images(folder, self._unread)
        for name, images in files.items():
            if name not in self.classes and images:
                raise DataError(
                    f"{folder / name}: {self.folder} has no class {name}; remove the folder, or "
                    "add the class to the training images"
                )
        if not any(files.values()):
            raise DataError(f"{folder} has no images in class folders; remove it, or add images")
        return {name: files.get(name, []) for name in self.classes}

    def _shape_of_first(self) -> tuple[Mode, tuple[int, ...]]:
        """Return the mode and shape of the first readable image; `examine` compares the others."""
        unreadable = []
        for path in self._splits["train"].paths:
            try:
                with quiet_pillow():
                    found = image_kind(path)
            except ValueError as error:
                unreadable.append((path, str(error)))
                continue
            kind = self.shape.kind_of(found, strict=False)
            return kind.mode, (3 if kind.mode == "RGB" else 1, kind.size[1], kind.size[0])
        raise DataError(f"{self.path}: no image can be read: {self._named_faults(unreadable)}")

    def counts(self) -> tuple[int, ...]:
        return self._splits["train"].counts

    def validation_counts(self) -> tuple[int, ...]:
        return self._splits["validation"].counts

    def training(self) -> Examples:
        return self._read("train")

    def validation(self) -> Examples:
        return self._read("validation")

    def testing(self) -> Examples:
        return self._read("test")

    def examine(self) -> Examination:
        """Decode every image of every split, without keeping its pixels.

        Raises:
            DataError: Some images cannot be read, or differ in size or mode; the text has counts.
        """
        paths = [path for split in self._splits.values() for path in split.paths]
        faults: list[tuple[Path, str]] = []
        kinds: dict[ImageKind, list[Path]] = {}
        remarks: Counter[str] = Counter()
        with quiet_pillow():
            for path, found in zip(paths, in_parallel(_examined, paths), strict=True):
                if isinstance(found, str):
                    faults.append((path, found))
                else:
                    kinds.setdefault(found.kind, []).append(path)
                    remarks.update(found.remarks)
        self._refuse_faults(faults, len(paths))
        self._refuse_mixed(kinds)
        ordered = sorted(kinds.items(), key=lambda item: -len(item[1]))
        return Examination(
            origins={name: f"{self._origin(split)}" for name, split in self._splits.items()},
            test_counts=self._splits["test"].counts if self.has_test else None,
            kinds={str(kind): len(files) for kind, files in ordered},
            passed_over=self._unread.listed(),
            notes=(
                *(f"{remarks[key]:,} {text}" for key, text in REMARKS.items() if remarks[key]),
                *self._shaped_note(ordered),
            ),
        )

    def _origin(self, split: _FolderSplit) -> str:
        return f"{split.folder.name}/"

    def _shaped_note(self, kinds: Sequence[tuple[ImageKind, Sequence[Path]]]) -> tuple[str, ...]:
        channels, height, width = self.input_shape
        target = ImageKind((width, height), self._mode)
        if all(kind == target for kind, _ in kinds):
            return ()
        return (f"all images are brought to {width} x {height} with {_channels(channels)}",)

    def _refuse_faults(self, faults: Sequence[tuple[Path, str]], count: int) -> None:
        if faults:
            raise DataError(
                f"{self.path}: {len(faults)} of {count} images cannot be read: "
                f"{self._named_faults(faults)}; repair or remove them"
            )

    def _named_faults(self, faults: Sequence[tuple[Path, str]]) -> str:
        # Pillow repeats the path in its messages.
        named = [
            f"{self._name(path)} ({text.replace(repr(str(path)), 'the file')})"
            for path, text in faults[:FILES_NAMED]
        ]
        return ", ".join(
            [*named, *([f"and {len(faults) - len(named)} more"] if faults[FILES_NAMED:] else [])]
        )

    def _refuse_mixed(self, kinds: Mapping[ImageKind, Sequence[Path]]) -> None:
        """Raise DataError if images have several sizes or modes after `shape` was applied."""
        shaped: dict[ImageKind, list[Path]] = {}
        small: list[Path] = []
        for kind, files in kinds.items():
            try:
                shaped.setdefault(self.shape.kind_of(kind), []).extend(files)
            except ValueError:
                small.extend(files)
        if small:
            height, width = self.shape.crop or (0, 0)
            raise DataError(
                f"{self.path}: {len(small)} images are smaller than the {width} x {height} of "
                f"dataset.crop: {self._names(small)}; use a smaller crop, or add resize"
            )
        if len(shaped) < 2:
            return
        ordered = sorted(shaped.items(), key=lambda item: -len(item[1]))
        listed = [f"{len(ordered[0][1]):,} are {ordered[0][0]}"]
        listed += [f"{len(files):,} {kind} ({self._names(files)})" for kind, files in ordered[1:6]]
        if len(ordered) > 6:
            rest = sum(len(files) for _, files in ordered[6:])
            listed.append(f"{rest:,} of {len(ordered) - 6} other kinds")
        raise DataError(
            f"{self.path}: images differ: {', '.join(listed)}; {_way_out(list(shaped))}"
        )

    def _names(self, paths: Sequence[Path]) -> str:
        shown = ", ".join(map(self._name, paths[:FILES_NAMED]))
        return f"{shown}, ..." if len(paths) > FILES_NAMED else shown

    def _name(self, path: Path) -> str:
        return path.relative_to(self.path).as_posix()

    def _read(self, name: str) -> Examples:
        split = self._splits[name]
        count = sum(split.counts)
        dtype = np.float32 if self._mode == "F" else np.uint8
        x = np.empty((count, *self.input_shape), dtype=dtype)
        y = np.repeat(np.arange(len(self.classes)), split.counts)
        try:
            with quiet_pillow():
                for row, pixels in enumerate(in_parallel(self._pixels, split.paths)):
                    x[row] = pixels
        except ValueError as error:
            self.examine()  # names every image that is at fault, not only the first
            raise DataError(f"{split.folder}: {error}") from error
        return Examples(x, y)

    def _pixels(self, path: Path) -> Array:
        kind = self.shape.kind_of(image_kind(path))
        pixels = read_pixels(path, self.shape, self._mode)
        if kind.mode != self._mode or pixels.shape != self.input_shape:
            raise ValueError(f"{self._name(path)} is {kind}, unlike the first image")
        return pixels


def _examined(path: Path) -> Picture | str:
    """Return the kind of an image and remarks, or why it cannot be read."""
    try:
        return examine_image(path)
    except ValueError as error:
        return str(error)


def _channels(count: int) -> str:
    return "1 channel" if count == 1 else f"{count} channels"


def _way_out(kinds: Sequence[ImageKind]) -> str:
    """Return the options that convert images of these kinds to one kind."""
    options = []
    if len({kind.size for kind in kinds}) > 1:
        options.append("resize: 32 (or another size)")
    if len({kind.mode for kind in kinds}) > 1:
        if any(kind.mode == "F" for kind in kinds):
            return "convert them to one number of bits"
        options.append("channels: 3 (or 1)")
    return f"set {' and '.join(options)} under dataset"


def _what_was_found(folder: Path, classes: Sequence[str]) -> str:
    """Describe a folder without two class folders, and suggest a better path if any."""
    if not classes:
        suffixes = ", ".join(sorted(image_suffixes() & {".png", ".jpg", ".gif", ".bmp", ".tif"}))
        return f"none with images ({suffixes} and others that Pillow reads)"
    below = folder / classes[0]
    nested = [place for place in below.iterdir() if place.is_dir()]
    better = f"; did you mean path: {below}?" if len(nested) > 1 else ""
    return f"only {classes[0]}{better}"

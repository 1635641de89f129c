"""Find the splits, classes and images in a folder, and note everything else in it.

The name of a folder is not enough to know what it is: `train/` is a split if it holds class
folders, but a class if it holds images, as the folders next to it do. If both are possible, the
user decides with `dataset.layout`.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tune_app.config.data_summary import NAMES_SHOWN, PassedOver
from tune_app.data.user_files.image_files import image_suffixes
from tune_app.errors import DataError

SPLIT_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini"})
SYSTEM_FOLDERS = frozenset({"__macosx", "@eadir", "$recycle.bin", "__pycache__"})
CHOICE = (
    "write layout: splits under dataset if they are splits, or layout: classes if they are classes"
)


class Unread:
    """Collects files and folders that are found but not read, by reason."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._found: dict[str, list[Path]] = {}

    def add(self, what: str, path: Path) -> None:
        self._found.setdefault(what, []).append(path)

    def listed(self) -> tuple[PassedOver, ...]:
        return tuple(
            PassedOver(what, len(paths), tuple(map(self._name, sorted(paths)[:NAMES_SHOWN])))
            for what, paths in sorted(self._found.items())
        )

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


@dataclass(frozen=True)
class FoundSplits:
    """The folders of the splits train (always present), validation and test."""

    folders: Mapping[str, Path]
    is_split: bool  # False: `folders` has only the folder of the classes itself


def find_splits(path: Path, layout: str | None, unread: Unread) -> FoundSplits:
    """Return the folders of the splits in `path`, or `path` itself if it holds class folders.

    Raises:
        DataError: The names and the structure disagree, and `layout` does not settle it.
    """
    tree = {
        folder: _Tree(folder, _holds_images(folder), _class_names(folder))
        for folder in _folders(path)
    }
    children = [one for one in tree.values() if one.has_images]
    if not (_are_splits(path, children) if layout is None else layout == "splits"):
        return FoundSplits({"train": path}, is_split=False)
    found: dict[str, Path] = {}
    for child in children:
        split = _split_of(child.path.name, exact=any(map(_is_exact, children)))
        if split is None:
            for image in _images_below(child.path):
                unread.add("images in folders that are no split", image)
        elif split in found:
            raise DataError(
                f"{path}: {found[split].name}/ and {child.path.name}/ are both named like the "
                f"{split} split; rename or remove one of them"
            )
        else:
            found[split] = child.path
    if "train" not in found:
        raise DataError(f"{path} has no train/ folder with class folders; layout: splits needs one")
    for image in _direct_images(path):
        unread.add("images outside the splits", image)
    return FoundSplits(found, is_split=True)


@dataclass(frozen=True)
class _Tree:
    """A folder, whether images lie directly in it, and its subfolders with images."""

    path: Path
    direct: bool
    classes: frozenset[str]

    @property
    def has_images(self) -> bool:
        return self.direct or bool(self.classes)


def _are_splits(path: Path, children: list[_Tree]) -> bool:
    exact = [one for one in children if _is_exact(one)]
    others = [one for one in children if not _is_exact(one)]
    train = next((one for one in exact if _split_of(one.path.name, exact=True) == "train"), None)
    if train is None:
        return _are_named_like_splits(path, children)
    names = f"{train.path.name}/"
    if not train.classes:
        if others:
            return False
        raise DataError(
            f"{path}: {names} holds images, but no folder of images for each class; {CHOICE}"
        )
    if not others:
        return True
    peers = [one for one in exact if one is not train]
    if train.direct and any(one.direct for one in others):
        return False
    agreeing = any(one.classes & train.classes for one in peers)
    alike = any(one.classes & train.classes for one in others)
    if agreeing and not alike:
        return True
    if alike and not peers:
        return False
    beside = ", ".join(sorted(f"{one.path.name}/" for one in others)[:NAMES_SHOWN])
    raise DataError(
        f"{path}: {names} holds folders of images, as a training split does, but {beside} is "
        f"beside it, as if {names} were a class; {CHOICE}"
    )


def _are_named_like_splits(path: Path, children: list[_Tree]) -> bool:
    """Tell whether folders without a `train/` are splits, such as training_set/ and test_set/."""
    splits = [_split_of(one.path.name, exact=False) for one in children]
    nested = [one for one in children if one.classes and not one.direct]
    if len(children) < 2 or None in splits or len(nested) < len(children):
        return False
    if not frozenset.intersection(*(one.classes for one in children)):
        return False
    if "train" in splits:
        return True
    names = " and ".join(f"{one.path.name}/" for one in children)
    raise DataError(
        f"{path} has {names} with the same class folders, but no train/; name the folder of the "
        "training images train, or write layout: classes under dataset"
    )


def _is_exact(one: _Tree) -> bool:
    return one.path.name.lower() in SPLIT_WORDS


def _split_of(name: str, *, exact: bool) -> str | None:
    """Return the split that a name means: `Train` or, without `exact`, also `train_set`."""
    if exact:
        return SPLIT_WORDS.get(name.lower())
    named = {
        SPLIT_WORDS[word] for word in re.findall("[a-z]+", name.lower()) if word in SPLIT_WORDS
    }
    return named.pop() if len(named) == 1 else None


def class_images(folder: Path, unread: Unread) -> dict[str, list[Path]]:
    """Return the images of each class folder at any depth; classes and images sorted by name.

    A class folder without images has an empty list.
    """
    for image in _direct_images(folder):
        unread.add("images outside class folders", image)
    for place in sorted(folder.iterdir()):
        if place.is_dir() and _is_hidden(place):
            for image in _images_below(place):
                unread.add("images in hidden folders", image)
        elif place.is_file() and not _is_image(place):
            unread.add(_kind_of_other(place), place)
    return {place.name: sorted(_listed(place, unread)) for place in _folders(folder)}


def _listed(folder: Path, unread: Unread) -> Iterator[Path]:
    for path in _walk(folder):
        hidden = any(
            _is_hidden(parent) for parent in path.relative_to(folder).parents if parent.name
        )
        if hidden:
            if _is_image(path):
                unread.add("images in hidden folders", path)
        elif _is_image(path):
            yield path
        else:
            unread.add(_kind_of_other(path), path)


def _kind_of_other(path: Path) -> str:
    if _is_hidden(path):
        return "hidden files"
    if path.name.lower() in SYSTEM_FILES:
        return "system files"
    return f"{path.suffix.lower()} files" if path.suffix else "files without a suffix"


def _folders(path: Path) -> list[Path]:
    return sorted(place for place in path.iterdir() if place.is_dir() and not _is_hidden(place))


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".") or path.name.lower() in SYSTEM_FOLDERS


def _is_image(path: Path) -> bool:
    return not path.name.startswith(".") and path.suffix.lower() in image_suffixes()


def _direct_images(folder: Path) -> Iterable[Path]:
    return (path for path in sorted(folder.iterdir()) if path.is_file() and _is_image(path))


def _holds_images(folder: Path) -> bool:
    return any(True for _ in _direct_images(folder))


def _class_names(folder: Path) -> frozenset[str]:
    return frozenset(place.name for place in _folders(folder) if any(_images_below(place)))


def _images_below(folder: Path) -> Iterator[Path]:
    return (path for path in _walk(folder) if _is_image(path))


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder; links to folders are followed, each folder once."""
    seen = set()
    for place, below, files in os.walk(folder, followlinks=True):
        status = Path(place).stat()
        if (status.st_dev, status.st_ino) in seen:
            below.clear()  # a link to a folder above itself
            continue
        seen.add((status.st_dev, status.st_ino))
        below.sort()
        yield from (Path(place) / name for name in files)

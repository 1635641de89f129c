"""Read image files of any kind as grey or colour pixels, upright and of one size."""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

from tune_app.data.source import Array

if TYPE_CHECKING:
    from PIL import Image

_T = TypeVar("_T")
_R = TypeVar("_R")
Mode = Literal["L", "RGB", "F"]  # grey bytes, colour bytes, grey of more than 8 bits
MODE_WORDS: dict[Mode, str] = {"L": "grey", "RGB": "colour", "F": "grey of more than 8 bits"}
GREY_MODES = frozenset({"1", "L", "LA", "La"})
DEEP_MODES = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
# Formats whose files Pillow recognises but cannot decode without other programs, or never.
STUB_FORMATS = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"})
ORIENTATION = 0x0112  # the EXIF tag; values from 5 on exchange width and height

# What happened to an image while it was read, and how a summary says it.
REMARKS = {
    "turned": "images were turned upright, as their EXIF data say",
    "alpha": "images have transparent pixels, which are shown on white",
    "animated": "images are animated or have several pages; only the first picture is used",
    "cmyk": "images were converted from CMYK to RGB",
    "deep": "colour images have 16 bits per channel, of which 8 are kept",
}


@dataclass(frozen=True)
class ImageKind:
    """The size and mode that all images of a data set must share."""

    size: tuple[int, int]  # width, height
    mode: Mode

    def __str__(self) -> str:
        return f"{self.size[0]} x {self.size[1]} {MODE_WORDS[self.mode]}"


@dataclass(frozen=True)
class ImageShape:
    """The size and channels to which images are converted; None leaves them unchanged."""

    resize: int | tuple[int, int] | None = None  # with crop, an int is the shorter side
    crop: tuple[int, int] | None = None  # height, width of the middle that is kept
    channels: int | None = None  # 1 or 3

    def kind_of(self, kind: ImageKind, *, strict: bool = True) -> ImageKind:
        """Return the kind of an image of `kind` after its conversion to this shape.

        Raises:
            ValueError: With `strict`, the image is smaller than the size of `crop`.
        """
        width, height = self._scaled(kind.size)
        if self.crop is not None:
            if strict and (height < self.crop[0] or width < self.crop[1]):
                raise ValueError(
                    f"{width} x {height} pixels are less than the {self.crop[1]} x {self.crop[0]} "
                    "of crop"
                )
            height, width = self.crop
        mode = kind.mode
        if self.channels is not None:
            mode = "RGB" if self.channels == 3 else ("L" if mode == "RGB" else mode)
        return ImageKind((width, height), mode)

    def _scaled(self, size: tuple[int, int]) -> tuple[int, int]:
        if self.resize is None:
            return size
        if isinstance(self.resize, tuple):
            return self.resize[1], self.resize[0]
        if self.crop is None:
            return self.resize, self.resize
        short = min(size)
        return (
            max(self.resize, round(size[0] * self.resize / short)),
            max(self.resize, round(size[1] * self.resize / short)),
        )

    def apply(self, image: "Image.Image") -> "Image.Image":
        from PIL import Image

        if self.channels == 1 and image.mode == "RGB":
            image = image.convert("L")
        if (size := self._scaled(image.size)) != image.size:
            image = image.resize(size, Image.Resampling.BILINEAR)
        if self.crop is not None:
            left = (image.width - self.crop[1]) // 2
            top = (image.height - self.crop[0]) // 2
            image = image.crop((left, top, left + self.crop[1], top + self.crop[0]))
        return image


UNCHANGED = ImageShape()


@dataclass(frozen=True)
class Picture:
    """An image as found in its file: its kind before any conversion, and remarks."""

    kind: ImageKind
    remarks: tuple[str, ...]  # keys of REMARKS


@cache
def image_suffixes() -> frozenset[str]:
    """Return the suffixes, in small letters, of all files that Pillow can decode by itself."""
    from PIL import Image

    Image.init()
    return frozenset(
        suffix
        for suffix, kind in Image.registered_extensions().items()
        if kind in Image.OPEN and kind not in STUB_FORMATS
    )


def image_kind(path: Path) -> ImageKind:
    """Return the kind of an image, from its header.

    Raises:
        ValueError: The file cannot be read as an image; the text says why.
    """
    with _opened(path) as image:
        return _kind_of(image)


def _kind_of(image: "Image.Image") -> ImageKind:
    width, height = image.size
    if image.format != "TIFF" and image.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8):
        width, height = height, width  # Pillow turns a TIFF itself
    return ImageKind((width, height), _mode_of(image))


def examine_image(path: Path) -> Picture:
    """Decode an image, to see whether it can be read, and return its kind and remarks.

    Raises:
        ValueError: The file cannot be read as an image; the text says why.
    """
    with _opened(path) as image:
        kind = _kind_of(image)
        remarks = _remarks(image)
        # A JPEG is decoded at an eighth of its size: three times as fast, and a file that was cut
        # off fails all the same.
        image.draft(None, (max(1, image.width // 8), max(1, image.height // 8)))
        image.load()
        if _is_transparent(image):
            remarks = (*remarks, "alpha")
        return Picture(kind, remarks)


def read_pixels(path: Path, shape: ImageShape, mode: Mode) -> Array:
    """Return an image as `(C, H, W)` with the channels of `mode`: bytes, or float32 for F.

    Raises:
        ValueError: The file cannot be read as an image; the text says why.
    """
    from PIL import Image, ImageOps

    with _opened(path) as opened:
        image = ImageOps.exif_transpose(opened)
        found = _mode_of(image)
        if found == "F":
            image = Image.fromarray(np.asarray(image).astype(np.float32))
        else:
            image = _opaque(image, found)
        pixels = np.asarray(shape.apply(image))
    if mode == "RGB" and pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def in_parallel(read: Callable[[_T], _R], items: Iterable[_T]) -> Iterator[_R]:
    """Yield what `read` returns for each of `items`, in their order, computed by several threads.

    Pillow releases Python's lock while it decodes, so the threads use all cores.
    """
    with ThreadPoolExecutor(min(16, 2 * (os.cpu_count() or 1))) as pool:
        yield from pool.map(read, items)


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Silence Pillow's warnings about odd metadata and very large images, in all threads.

    The filters of warnings belong to the whole process, so only the thread that starts the others
    may change them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _opened(path: Path) -> Iterator["Image.Image"]:
    from PIL import Image

    try:
        with Image.open(path) as image:
            yield image
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(str(error)) from error


def _mode_of(image: "Image.Image") -> Mode:
    if image.mode in DEEP_MODES:
        return "F"
    return "L" if image.mode in GREY_MODES else "RGB"


def _remarks(image: "Image.Image") -> tuple[str, ...]:
    found = []
    if image.getexif().get(ORIENTATION, 1) != 1:
        found.append("turned")
    if getattr(image, "is_animated", False):
        found.append("animated")
    if image.mode == "CMYK":
        found.append("cmyk")
    # The decoder is described by the raw mode in the file, as in "RGB;16B".
    if image.mode not in DEEP_MODES and ";16" in str(getattr(image, "tile", "")):
        found.append("deep")
    return tuple(found)


def _is_transparent(image: "Image.Image") -> bool:
    if not image.has_transparency_data:
        return False
    lowest = image.convert("RGBA").getchannel("A").getextrema()[0]
    return isinstance(lowest, int | float) and lowest < 255


def _opaque(image: "Image.Image", mode: Mode) -> "Image.Image":
    """Return the image in `mode`, its transparent pixels on white."""
    from PIL import Image

    if not image.has_transparency_data:
        return image.convert(mode)
    clear = image.convert("RGBA")
    white = Image.new("RGBA", clear.size, "white")
    return Image.alpha_composite(white, clear).convert(mode)

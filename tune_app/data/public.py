"""The data sets that are available by name: one inside scikit-learn, published ones, formulas."""

import gzip
import hashlib
import importlib.util
import pickle
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tune_app.data.source import Array, Examples, Source, check_labels
from tune_app.errors import DataError, DataMissingError
from tune_app.hints import hint

DIGIT_NAMES = tuple("0123456789")
FASHION_NAMES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
CIFAR10_NAMES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
CURVE_POINTS = 2_000


class Digits(Source):
    """scikit-learn's 1,797 digits of 8 x 8 pixels, with 17 grey levels scaled to 0 to 255."""

    name = "digits"
    classes = DIGIT_NAMES
    input_shape = (1, 8, 8)

    def counts(self) -> tuple[int, ...]:
        return (178, 182, 177, 183, 181, 182, 181, 179, 174, 180)

    def training(self) -> Examples:
        # Reads scikit-learn's file directly: importing scikit-learn takes seconds.
        package = importlib.util.find_spec("sklearn")
        assert package is not None
        assert package.origin is not None
        path = Path(package.origin).with_name("datasets") / "data" / "digits.csv.gz"
        table = np.loadtxt(path, delimiter=",", dtype=np.int64)
        pixels = np.rint(table[:, :-1] * (255 / 16)).astype(np.uint8)
        return Examples(pixels.reshape(-1, *self.input_shape), table[:, -1].copy())


class Mnist(Source):
    """MNIST or Fashion-MNIST, in the idx files that torchvision downloads."""

    input_shape = (1, 28, 28)
    has_test = True

    def __init__(
        self, name: str, folder: Path, classes: tuple[str, ...], counts: tuple[int, ...]
    ) -> None:
        self.name, self.folder, self.classes = name, folder, classes
        self.known_counts = counts  # used until the files are downloaded

    @property
    def is_here(self) -> bool:
        return not self._missing("train")

    def counts(self) -> tuple[int, ...]:
        if not self.is_here:
            return self.known_counts
        return tuple(int(n) for n in np.bincount(self._labels("train"), minlength=10))

    def training(self) -> Examples:
        return self._read("train")

    def testing(self) -> Examples:
        return self._read("t10k")

    def _path(self, part: str, kind: str) -> Path:
        return self.folder / f"{part}-{kind}-ubyte"

    def _missing(self, part: str) -> list[str]:
        paths = [self._path(part, "images-idx3"), self._path(part, "labels-idx1")]
        return [path.name for path in paths if not (path.is_file() or _zipped(path).is_file())]

    def _read(self, part: str) -> Examples:
        if missing := self._missing(part):
            raise DataMissingError(
                f"{self.name} is not in {self.folder}: {' and '.join(missing)} not found",
                hint=hint(
                    "fetch_data",
                    name=self.name,
                    by_hand="put the files there yourself, as they are or with .gz",
                ),
            )
        path = self._path(part, "images-idx3")
        images, labels = read_idx(path), self._labels(part)
        if images.shape[1:] != self.input_shape[1:]:
            raise DataError(f"{path} has the shape {images.shape}, expected (N, 28, 28)")
        if len(images) != len(labels):
            raise DataError(f"{path} holds {len(images)} images for {len(labels)} labels")
        return Examples(images[:, None], labels.astype(np.int64))

    def _labels(self, part: str) -> Array:
        path = self._path(part, "labels-idx1")
        labels = read_idx(path)
        if labels.ndim != 1:
            raise DataError(f"{path} has the shape {labels.shape}, expected (N,)")
        check_labels(str(path), labels, len(self.classes))
        return labels


def _zipped(path: Path) -> Path:
    return path.with_name(f"{path.name}.gz")


def read_idx(path: Path) -> Array:
    """Return the bytes of an idx file (or of the same name with .gz) in the shape of its header.

    Raises:
        DataError: The file is not an idx file, or its length does not match its header.
    """
    try:
        if path.is_file():
            content = path.read_bytes()
        else:
            path = _zipped(path)
            content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    # The header: two zero bytes, 8 for "unsigned bytes", the number of axes, 4 bytes per axis.
    if content[:3] != b"\0\0\x08" or len(content) < 4 + 4 * content[3]:
        raise DataError(f"{path} is not an idx file of bytes; it starts with {content[:4].hex()}")
    start = 4 + 4 * content[3]
    shape = tuple(np.frombuffer(content[4:start], dtype=">u4").tolist())
    if len(content) - start != int(np.prod(shape)):
        raise DataError(
            f"{path} has {len(content) - start} bytes after its header, but the header says {shape}"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


class Cifar10(Source):
    """CIFAR-10 in its published Python pickles, each checked against its published checksum."""

    name = "cifar10"
    classes = CIFAR10_NAMES
    input_shape = (3, 32, 32)
    has_test = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def is_here(self) -> bool:
        return all((self.folder / name).is_file() for name in CIFAR10_TRAIN_MD5)

    def counts(self) -> tuple[int, ...]:
        return (5000,) * 10

    def training(self) -> Examples:
        return self._read(CIFAR10_TRAIN_MD5)

    def testing(self) -> Examples:
        return self._read(CIFAR10_TEST_MD5)

    def _read(self, files: Mapping[str, str]) -> Examples:
        missing = [name for name in files if not (self.folder / name).is_file()]
        if missing:
            raise DataMissingError(
                f"cifar10 is not in {self.folder}: {', '.join(missing)} not found",
                hint=hint(
                    "fetch_data",
                    name="cifar10",
                    by_hand=f"unpack cifar-10-python.tar.gz in {self.folder.parent}",
                ),
            )
        images, labels = [], []
        for name, md5 in files.items():
            content = (self.folder / name).read_bytes()
            # The checksum also makes unpickling safe: a pickle can run any code.
            if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
                raise DataError(
                    f"{self.folder / name} is damaged: its MD5 is not {md5}",
                    hint=hint("fetch_again", name="cifar10"),
                )
            batch = pickle.loads(content, encoding="bytes")
            images.append(batch[b"data"].reshape(-1, *self.input_shape))
            labels.append(np.array(batch[b"labels"], dtype=np.int64))
        return Examples(np.concatenate(images), np.concatenate(labels))


CIFAR10_TRAIN_MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
}
CIFAR10_TEST_MD5 = {"test_batch": "40351d587109b95175f43aff81a1287e"}


class FormulaSource(Source):
    """2,000 evenly spaced points of `sin(5πx)` or `sin(5πx) / (5πx)`, with x from 0 to 1."""

    task = "regression"
    input_shape = (1,)

    def __init__(self, name: str) -> None:
        self.name = name

    def counts(self) -> tuple[int, ...]:
        return (CURVE_POINTS,)

    def training(self) -> Examples:
        x = np.linspace(0, 1, CURVE_POINTS).reshape(-1, 1)
        y = np.sinc(5 * x) if self.name == "sinc" else np.sin(5 * np.pi * x)
        return Examples(x.astype(np.float32), y.astype(np.float32))

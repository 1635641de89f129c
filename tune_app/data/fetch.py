"""Download published data sets ahead of time."""

import socket
from pathlib import Path

from tune_app.errors import DataMissingError, SpaceError

PUBLISHED = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST", "cifar10": "CIFAR10"}
TIMEOUT_S = 30.0  # without an answer; torchvision would wait forever


def fetch_data(name: str, root: Path) -> Path:
    """Return the folder of a published data set under `root`; download it if it is missing.

    torchvision downloads, verifies, and prints its progress.

    Raises:
        DataMissingError: The download failed.
        SpaceError: No data set of this name can be downloaded.
    """
    if name not in PUBLISHED:
        fetched = ", ".join(PUBLISHED)
        if name in ("digits", "sinc", "sin"):
            raise SpaceError(f"'{name}' needs no download; data sets to download are {fetched}")
        if name in ("images", "arrays"):
            raise SpaceError(
                f"'{name}' needs no download: it reads the files at dataset.path of a search file"
            )
        raise SpaceError(f"no data set '{name}' to download, expected one of {fetched}")
    from torchvision import datasets

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_S)
    try:
        data_set = getattr(datasets, PUBLISHED[name])(root, download=True)
    except (OSError, RuntimeError) as error:
        raise DataMissingError(
            f"{name} could not be downloaded to {root}: {error}\n"
            "Without a network, fetch it elsewhere with the same command and copy the folder"
        ) from error
    finally:
        socket.setdefaulttimeout(before)
    return root / "cifar-10-batches-py" if name == "cifar10" else Path(data_set.raw_folder)

"""Data sets, fetched ahead of time."""

import socket
from pathlib import Path

from tune_app.errors import DataMissingError, SpaceError

PUBLISHED = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST", "cifar10": "CIFAR10"}
TIMEOUT_S = 30.0  # without an answer; torchvision itself would wait for ever


def fetch_data(name: str, root: Path) -> Path:
    """Download a published data set under `root`, where it is not there yet; return its folder.

    torchvision downloads and verifies; it prints its progress.

    Raises:
        DataMissingError: The download failed.
        SpaceError: There is nothing to fetch under this name.
    """
    if name not in PUBLISHED:
        fetched = ", ".join(PUBLISHED)
        if name in ("digits", "sinc", "sin"):
            raise SpaceError(f"'{name}' is always at hand; what can be fetched is {fetched}")
        if name in ("images", "arrays"):
            raise SpaceError(f"'{name}' is your own data; dataset.path says where it is")
        raise SpaceError(f"no data set '{name}' to fetch, expected one of {fetched}")
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

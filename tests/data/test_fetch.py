import socket

import pytest
from torchvision import datasets

from tune_app.data.fetch import fetch_data
from tune_app.errors import DataMissingError, SpaceError


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sin", "'sin' needs no download; data sets to download are mnist, fashion_mnist, cifar10"),
        (
            "arrays",
            "'arrays' needs no download: it reads the files at dataset.path of a search file",
        ),
        ("mnits", "no data set 'mnits' to download, expected one of mnist, fashion_mnist, cifar10"),
    ],
)
def test_what_cannot_be_fetched_is_refused(tmp_path, name, message):
    with pytest.raises(SpaceError) as refused:
        fetch_data(name, tmp_path)
    assert str(refused.value) == message


def test_a_failed_download_says_what_to_do(tmp_path, monkeypatch):
    def no_network(root, download):
        assert download
        assert socket.getdefaulttimeout() is not None
        raise RuntimeError("no route to host")

    monkeypatch.setattr(datasets, "FashionMNIST", no_network)
    before = socket.getdefaulttimeout()
    with pytest.raises(DataMissingError) as failed:
        fetch_data("fashion_mnist", tmp_path)
    assert str(failed.value) == (
        f"fashion_mnist could not be downloaded to {tmp_path}: no route to host\n"
        "Without a network, fetch it elsewhere with the same command and copy the folder"
    )
    assert socket.getdefaulttimeout() == before


def test_the_folder_of_the_files_comes_back(tmp_path, monkeypatch):
    # Where the files are already, torchvision downloads nothing.
    monkeypatch.setattr(datasets.MNIST, "_check_exists", lambda _: True)
    monkeypatch.setattr(datasets.MNIST, "_load_data", lambda _: (None, None))
    assert fetch_data("mnist", tmp_path) == tmp_path / "MNIST" / "raw"

"""Published data sets: read from files made here, in the published formats."""

import gzip
import hashlib
import os
import pickle
import struct

import numpy as np
import pytest

from tune_app.config.sections import DatasetConfig
from tune_app.data import public
from tune_app.data.sets import DataShape, data_shape, load_search_data
from tune_app.data.sets import load_test_data as load_test
from tune_app.errors import DataError, DataMissingError

FASHION = DatasetConfig(name="fashion_mnist")
CIFAR10 = DatasetConfig(name="cifar10")


def idx(array):
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return b"\0\0\x08" + bytes([array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def write_idx_pair(folder, part, count):
    folder.mkdir(parents=True, exist_ok=True)
    images = np.random.default_rng(0).integers(0, 256, (count, 28, 28))
    (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(images))
    (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(count) % 10))
    return images


@pytest.fixture
def fashion(tmp_path):
    """A data root with 200 training images; tests write what else they need."""
    write_idx_pair(tmp_path / "FashionMNIST" / "raw", "train", 200)
    return tmp_path


def test_idx_files_give_back_their_images(fashion):
    images = write_idx_pair(fashion / "FashionMNIST" / "raw", "t10k", 30)
    x, y = load_test(FASHION, fashion)
    assert np.array_equal(x[:, 0], images)
    assert np.array_equal(y, np.arange(30) % 10)


def test_a_search_opens_no_test_file(fashion):
    data = load_search_data(FASHION, fashion)  # there are none
    raw = fashion / "FashionMNIST" / "raw"
    for kind in ("images-idx3", "labels-idx1"):
        (raw / f"t10k-{kind}-ubyte").write_bytes(b"nonsense")
    assert load_search_data(FASHION, fashion).digest == data.digest
    with pytest.raises(DataError):
        load_test(FASHION, fashion)


def test_zipped_files_do_as_well(fashion):
    plain = load_search_data(FASHION, fashion)
    for path in (fashion / "FashionMNIST" / "raw").iterdir():
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert load_search_data(FASHION, fashion).digest == plain.digest


def test_the_shape_is_known_without_files_and_follows_them_where_they_are(fashion, tmp_path):
    known = DataShape("classification", (1, 28, 28), 10, 54000, 6000)
    assert data_shape(FASHION, tmp_path / "elsewhere") == known
    assert data_shape(FASHION, fashion).train_count == 180


def test_missing_files_say_where_and_how(tmp_path):
    folder = tmp_path / "MNIST" / "raw"
    with pytest.raises(DataMissingError) as missing:
        load_search_data(DatasetConfig(name="mnist"), tmp_path)
    assert str(missing.value) == (
        f"mnist is not in {folder}: train-images-idx3-ubyte and train-labels-idx1-ubyte not "
        "found; get it with: tune-app data mnist; or put the files there yourself, as they are "
        "or with .gz; another data root is named by `data_root` or TUNE_APP_DATA"
    )


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (
            "train-images-idx3-ubyte",
            idx(np.zeros((200, 28, 28)))[:-1],
            "has 156799 bytes after its header, but the header says (200, 28, 28)",
        ),
        (
            "train-images-idx3-ubyte",
            b"<html>",
            "is not an idx file of bytes; it starts with 3c68746d",
        ),
        (
            "train-images-idx3-ubyte",
            idx(np.zeros((200, 8, 8))),
            "has the shape (200, 8, 8), expected (N, 28, 28)",
        ),
        (
            "train-images-idx3-ubyte",
            idx(np.zeros((199, 28, 28))),
            "holds 199 images for 200 labels",
        ),
        (
            "train-labels-idx1-ubyte",
            idx(np.zeros((200, 1))),
            "has the shape (200, 1), expected (N,)",
        ),
    ],
    ids=["cut off", "web page", "other size", "other number", "other labels"],
)
def test_a_bad_idx_file_is_refused(fashion, file, content, message):
    path = fashion / "FashionMNIST" / "raw" / file
    path.write_bytes(content)
    with pytest.raises(DataError) as refused:
        load_search_data(FASHION, fashion)
    assert str(refused.value) == f"{path} {message}"


def test_a_label_beyond_the_classes_is_refused(fashion):
    path = fashion / "FashionMNIST" / "raw" / "train-labels-idx1-ubyte"
    path.write_bytes(idx(np.arange(200) % 11))
    with pytest.raises(DataError) as refused:
        load_search_data(FASHION, fashion)
    assert str(refused.value) == f"{path}[10] is 10; expected a class from 0 to 9"


@pytest.fixture
def cifar10(tmp_path, monkeypatch):
    """A data root with five batches of 20 images, and their checksums in place of the real."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    sums = {}
    generator = np.random.default_rng(0)
    for name in public.CIFAR10_TRAIN_MD5:
        pixels = generator.integers(0, 256, (20, 3072)).astype(np.uint8)
        batch = {b"data": pixels, b"labels": [label % 10 for label in range(20)]}
        content = pickle.dumps(batch)
        (folder / name).write_bytes(content)
        sums[name] = hashlib.md5(content).hexdigest()
    monkeypatch.setattr(public, "CIFAR10_TRAIN_MD5", sums)
    return tmp_path


def test_cifar10_is_read_from_its_batches_without_the_test_batch(cifar10):
    data = load_search_data(CIFAR10, cifar10)
    assert data.input_shape == (3, 32, 32)
    assert (len(data.x_train), len(data.x_val), data.outputs) == (90, 10, 10)
    assert len(data.mean) == 3


def test_a_damaged_batch_is_refused_before_it_is_unpickled(cifar10):
    path = cifar10 / "cifar-10-batches-py" / "data_batch_3"
    path.write_bytes(b"not a pickle")
    with pytest.raises(DataError) as refused:
        load_search_data(CIFAR10, cifar10)
    assert str(refused.value) == (
        f"{path} is damaged: its MD5 is not {public.CIFAR10_TRAIN_MD5['data_batch_3']}; remove "
        "it and get it again with: tune-app data cifar10"
    )


def test_a_missing_batch_is_named(cifar10):
    folder = cifar10 / "cifar-10-batches-py"
    (folder / "data_batch_2").unlink()
    with pytest.raises(DataMissingError) as missing:
        load_search_data(CIFAR10, cifar10)
    assert str(missing.value) == (
        f"cifar10 is not in {folder}: data_batch_2 not found; get it with: tune-app data "
        f"cifar10; or unpack cifar-10-python.tar.gz in {cifar10}; another data root is named "
        "by `data_root` or TUNE_APP_DATA"
    )


def test_the_checksums_of_cifar10_are_those_of_torchvision():
    from torchvision.datasets import CIFAR10 as THEIRS

    assert dict(THEIRS.train_list) == public.CIFAR10_TRAIN_MD5
    assert dict(THEIRS.test_list) == public.CIFAR10_TEST_MD5


@pytest.mark.skipif("TUNE_APP_DATA" not in os.environ, reason="TUNE_APP_DATA names no data root")
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_the_real_files_have_the_known_shape(name, tmp_path):
    from pathlib import Path

    root = Path(os.environ["TUNE_APP_DATA"])
    config = DatasetConfig(name=name)
    assert data_shape(config, tmp_path) == data_shape(config, root)
    assert load_test(config, root)[0].shape == (10000, 1, 28, 28)

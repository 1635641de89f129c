"""The user's own data: .npz files and folders of images, good and bad."""

import numpy as np
import pytest
from PIL import Image

from tune_app.config.sections import DatasetConfig
from tune_app.data.sets import data_shape, load_search_data
from tune_app.data.sets import load_test_data as load_test
from tune_app.errors import DataError, DataMissingError, SpaceError

GENERATOR = np.random.default_rng(0)
PIXELS = GENERATOR.integers(0, 256, (60, 3, 6, 5)).astype(np.uint8)
LABELS = np.arange(60) % 3


def save(folder, **arrays):
    path = folder / "own.npz"
    np.savez(path, **arrays)
    return DatasetConfig(name="arrays", path=str(path))


def refusal(config, root, load=load_search_data):
    with pytest.raises(DataError) as refused:
        load(config, root)
    return str(refused.value)


ARRAYS = {
    "colour images": (PIXELS, LABELS, (3, 6, 5), np.uint8),
    "grey images": (PIXELS[:, 0], LABELS, (1, 6, 5), np.uint8),
    "rows of numbers": (GENERATOR.normal(size=(60, 4)), LABELS, (4,), np.float32),
    "small whole numbers": (PIXELS.astype(int), LABELS, (3, 6, 5), np.float32),
    "regression": (GENERATOR.normal(size=(60, 4)), GENERATOR.normal(size=60), (4,), np.float32),
    "regression in a column": (np.eye(60), np.linspace(0, 1, 60)[:, None], (60,), np.float32),
}


@pytest.mark.parametrize(("x", "y", "shape", "kind"), ARRAYS.values(), ids=ARRAYS)
def test_arrays_keep_their_meaning(tmp_path, x, y, shape, kind):
    config = save(tmp_path, x_train=x, y_train=y)
    data = load_search_data(config, tmp_path)
    assert (data.input_shape, data.x_train.dtype) == (shape, kind)
    assert data.task == ("classification" if y is LABELS else "regression")
    assert data.y_train.shape == ((43,) if y is LABELS else (43, 1))
    assert data_shape(config, tmp_path).train_count == len(data.x_train) == 43
    assert len(load_test(config, tmp_path)[0]) == 12


def test_a_search_reads_no_test_array(tmp_path):
    sound = save(tmp_path, x_train=PIXELS, y_train=LABELS, x_test=PIXELS[:9], y_test=LABELS[:9])
    data = load_search_data(sound, tmp_path)
    nonsense = save(tmp_path, x_train=PIXELS, y_train=LABELS, x_test=["?"], y_test=np.full(9, 77))
    assert load_search_data(nonsense, tmp_path).digest == data.digest
    assert refusal(nonsense, tmp_path, load_test) == (
        f"{nonsense.path}: x_test holds <U1, expected numbers"
    )


def test_arrays_with_a_test_part_hold_out_nothing_else(tmp_path):
    config = save(tmp_path, x_train=PIXELS, y_train=LABELS, x_test=PIXELS[:9], y_test=LABELS[:9])
    assert len(load_search_data(config, tmp_path).x_train) == 54
    x, y = load_test(config, tmp_path)
    assert np.array_equal(x, PIXELS[:9])
    assert np.array_equal(y, LABELS[:9])


def with_nan(x, place):
    x = np.array(x, dtype=float)
    x[place] = np.nan
    return x


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"x_train": with_nan(PIXELS, (7, 1, 2, 3))},
            "x_train[7, 1, 2, 3] is nan; expected finite numbers",
        ),
        (
            {"y_train": np.where(LABELS > 0, np.inf, 0.5)},
            "y_train[1] is inf (40 such values); expected finite numbers",
        ),
        ({"y_train": LABELS[:-1]}, "y_train holds 59 values for 60 inputs"),
        (
            {"y_train": np.zeros(60, int)},
            "y_train has one class only (0); at least two are needed",
        ),
        (
            {"y_train": np.eye(60)},
            "y_train has the shape (60, 60), expected (N,); if these are one-hot labels, save "
            "y.argmax(1)",
        ),
        ({"y_train": np.ones((60, 3)) / 2}, "y_train has the shape (60, 3), expected (N,)"),
        (
            {"y_train": np.array(["a"] * 60)},
            "y_train has one class only (a); at least two are needed",
        ),
        (
            {"y_train": np.full(60, 1j)},
            "y_train holds complex128; expected whole numbers or texts for classes, decimal "
            "numbers for a regression",
        ),
        (
            {"x_train": np.zeros(5)},
            "x_train has the shape (5,), expected (N, features), (N, H, W) or (N, C, H, W)",
        ),
        ({"x_train": np.zeros((60, 0))}, "x_train is empty: its shape is (60, 0)"),
        (
            {"x_train": PIXELS.transpose(0, 2, 3, 1)},
            "x_train has the shape (60, 6, 5, 3), which looks like (N, H, W, C); expected "
            "(N, C, H, W); convert it with transpose(0, 3, 1, 2)",
        ),
    ],
)
def test_bad_arrays_are_refused_with_what_and_where(tmp_path, arrays, message):
    config = save(tmp_path, **{"x_train": PIXELS, "y_train": LABELS, **arrays})
    assert refusal(config, tmp_path) == f"{config.path}: {message}"


def test_pickled_objects_are_not_read(tmp_path):
    config = save(tmp_path, x_train=np.full((60, 1), None), y_train=LABELS)
    assert "allow_pickle=False" in refusal(config, tmp_path)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x_train": PIXELS, "y": LABELS}, "{} has no y_train, only x_train, y"),
        (
            {"x_train": PIXELS, "y_train": LABELS, "x_test": PIXELS},
            "{} has only one of x_test and y_test; expected both or none",
        ),
    ],
)
def test_arrays_under_other_names_are_refused(tmp_path, arrays, message):
    config = save(tmp_path, **arrays)
    assert refusal(config, tmp_path) == message.format(config.path)


@pytest.mark.parametrize(
    ("test", "message"),
    [
        (
            (PIXELS[:4, :1], LABELS[:4]),
            "x_test has inputs of the shape (1, 6, 5), but x_train of (3, 6, 5); both must have "
            "one shape",
        ),
        (
            (PIXELS[:4], LABELS[:4] + 2),
            "y_test[1] is 3 (2 such labels); expected a class from 0 to 2",
        ),
        (
            (PIXELS[:4], np.array(["a", "b", "c", "a"])),
            "y_test holds texts, but y_train holds numbers",
        ),
        (
            (PIXELS[:4] / 255, LABELS[:4]),
            "x_test holds float64, but x_train uint8; bytes are scaled differently, so store both "
            "with one type",
        ),
        (
            (PIXELS[:4], LABELS[:4] / 2),
            "y_test holds decimal numbers, but y_train holds whole numbers",
        ),
    ],
)
def test_a_test_part_unlike_the_training_part_is_refused(tmp_path, test, message):
    x_test, y_test = test
    config = save(tmp_path, x_train=PIXELS, y_train=LABELS, x_test=x_test, y_test=y_test)
    assert refusal(config, tmp_path, load_test) == f"{config.path}: {message}"


def test_a_damaged_array_is_refused(tmp_path):
    path = tmp_path / "own.npz"
    np.savez_compressed(path, y_train=LABELS, x_train=PIXELS)
    content = path.read_bytes()
    path.write_bytes(content[:1000] + bytes(100) + content[1100:])
    config = DatasetConfig(name="arrays", path=str(path))
    assert refusal(config, tmp_path).startswith(f"{path}: x_train cannot be read: ")


def test_a_file_that_is_no_npz_is_refused(tmp_path):
    path = tmp_path / "own.npz"
    path.write_bytes(b"?")
    config = DatasetConfig(name="arrays", path="own.npz")  # found under the data root
    assert refusal(config, tmp_path) == f"{path} is not an .npz file: File is not a zip file"


def test_a_path_that_is_not_there_says_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataMissingError) as missing:
        data_shape(DatasetConfig(name="arrays", path="no.npz"), tmp_path / "root")
    assert str(missing.value) == (
        f"dataset.path: nothing at {tmp_path / 'no.npz'} and {tmp_path / 'root' / 'no.npz'}; a "
        "path is taken from the working directory, then from the data root; the data "
        "root is named by `data_root` or TUNE_APP_DATA"
    )


def draw(path, mode="RGB", size=(6, 5)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = GENERATOR.integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)


@pytest.fixture
def folders(tmp_path):
    """Ten colour images, 6 wide and 5 high, of each of two classes."""
    for name in ("cat", "dog"):
        for number in range(10):
            draw(tmp_path / "pets" / name / f"{number}.png")
    (tmp_path / "pets" / "cat" / "notes.txt").write_text("not an image")
    return DatasetConfig(name="images", path=str(tmp_path / "pets"))


def test_class_folders_become_images_of_named_classes(folders, tmp_path):
    data = load_search_data(folders, tmp_path)
    assert (data.classes, data.input_shape) == (("cat", "dog"), (3, 5, 6))
    assert (len(data.x_train), len(data.x_val)) == (14, 2)
    assert data_shape(folders, tmp_path).train_count == 14
    first = np.asarray(Image.open(tmp_path / "pets" / "cat" / "0.png")).transpose(2, 0, 1)
    parts = (data.x_train, data.x_val, load_test(folders, tmp_path)[0])
    assert sum((x == first).all(axis=(1, 2, 3)).sum() for x in parts) == 1


def test_train_and_test_folders_are_taken_as_they_are(tmp_path):
    for part, count in (("train", 10), ("test", 4)):
        for name in ("cat", "dog"):
            for number in range(count):
                draw(tmp_path / part / name / f"{number}.png", mode="L")
    (tmp_path / "test" / "dog" / "0.png").write_bytes(b"no image")
    config = DatasetConfig(name="images", path=str(tmp_path))
    data = load_search_data(config, tmp_path)
    assert (len(data.x_train), len(data.x_val), data.input_shape) == (18, 2, (1, 5, 6))
    assert refusal(config, tmp_path, load_test) == (
        f"{tmp_path}: 1 of 28 images cannot be read: test/dog/0.png (cannot identify image file "
        "the file); repair or remove them"
    )
    draw(tmp_path / "test" / "dog" / "0.png", mode="L")
    x, y = load_test(config, tmp_path)
    assert (len(x), y.tolist()) == (8, [0] * 4 + [1] * 4)
    draw(tmp_path / "test" / "cow" / "0.png", mode="L")
    assert refusal(config, tmp_path, load_test) == (
        f"{tmp_path}/test/cow: {tmp_path}/train has no class cow; remove the folder, or add the "
        "class to the training images"
    )


def test_images_of_another_size_are_refused(folders, tmp_path):
    path = tmp_path / "pets" / "dog" / "5.png"
    draw(path, size=(7, 5))
    assert refusal(folders, tmp_path) == (
        f"{tmp_path}/pets: images differ: 19 are 6 x 5 colour, 1 7 x 5 colour (dog/5.png); set "
        "resize: 32 (or another size) under dataset"
    )


def test_grey_among_colour_images_is_refused(folders, tmp_path):
    path = tmp_path / "pets" / "dog" / "5.png"
    draw(path, mode="L")
    assert refusal(folders, tmp_path) == (
        f"{tmp_path}/pets: images differ: 19 are 6 x 5 colour, 1 6 x 5 grey (dog/5.png); set "
        "channels: 3 (or 1) under dataset"
    )


def test_images_of_sixteen_bits_among_others_are_refused(folders, tmp_path):
    path = tmp_path / "pets" / "dog" / "5.png"
    Image.fromarray(np.zeros((5, 6), dtype=np.uint16)).save(path)
    assert refusal(folders, tmp_path) == (
        f"{tmp_path}/pets: images differ: 19 are 6 x 5 colour, 1 6 x 5 grey of more than 8 bits "
        "(dog/5.png); convert them to one number of bits"
    )


def test_an_image_cut_off_is_refused(folders, tmp_path):
    path = tmp_path / "pets" / "dog" / "5.png"
    path.write_bytes(path.read_bytes()[:60])
    assert refusal(folders, tmp_path) == (
        f"{tmp_path}/pets: 1 of 20 images cannot be read: dog/5.png (image file is truncated); "
        "repair or remove them"
    )


def test_an_empty_class_folder_is_refused(folders, tmp_path):
    (tmp_path / "pets" / "ant").mkdir()
    assert refusal(folders, tmp_path) == (
        f"{tmp_path}/pets/ant has no images: files of a format that Pillow reads, such as .png "
        "or .jpg; remove the folder"
    )


def test_a_single_class_folder_is_refused(tmp_path):
    draw(tmp_path / "pets" / "cat" / "0.png")
    config = DatasetConfig(name="images", path=str(tmp_path / "pets"))
    assert refusal(config, tmp_path) == (
        f"{tmp_path}/pets: expected a folder of images for each of at least two classes, found "
        "only cat"
    )


def test_own_data_without_a_path_is_refused(tmp_path):
    # A search file is refused before; DatasetConfig alone is not.
    with pytest.raises(SpaceError) as refused:
        data_shape(DatasetConfig(name="images"), tmp_path)
    told = "dataset.path is missing: 'images' reads your files, so give their path"
    assert str(refused.value) == told

"""Images of every kind: all suffixes, bits, palettes, orientations and sizes."""

import warnings

import numpy as np
import pytest
from made_images import GENERATOR, NOWHERE, picture, pictures, summary_of, total
from PIL import Image

from tune_app.config.sections import DatasetConfig
from tune_app.data.sets import load_search_data
from tune_app.data.sets import load_test_data as load_test
from tune_app.errors import DataError


def two_classes(root, make, count=10):
    for name in ("cat", "dog"):
        for number in range(count):
            path = root / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            make(path)


def loaded(root, **options):
    return load_search_data(DatasetConfig(name="images", path=str(root), **options), NOWHERE)


@pytest.mark.parametrize(
    "suffix",
    [".png", ".JPG", ".jpeg", ".jfif", ".bmp", ".gif", ".tif", ".webp", ".ppm", ".pnm", ".tga"],
)
def test_all_suffixes_of_pillow_are_read(tmp_path, suffix):
    for name in ("cat", "dog"):
        for number in range(10):
            path = tmp_path / name / f"{number}{suffix}"
            picture(path.with_suffix(".jpg" if suffix == ".jfif" else suffix.lower()))
            if suffix == ".jfif":
                path.with_suffix(".jpg").rename(path)
    summary = summary_of(tmp_path)
    assert (total(summary), summary.passed_over) == (20, ())


def test_grey_maps_are_read(tmp_path):
    for name in ("cat", "dog"):
        pictures(tmp_path / name, 10, ".pgm", mode="L")
    assert summary_of(tmp_path).input_shape == (1, 5, 6)


def test_an_image_is_turned_upright(tmp_path):
    lying = Image.fromarray(GENERATOR.integers(0, 256, (5, 6, 3)).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees to the right
    for suffix in (".png", ".tif"):
        root = tmp_path / suffix[1:]
        two_classes(root, lambda path, end=suffix: lying.save(path.with_suffix(end), exif=exif))
        data = loaded(root)
        assert data.input_shape == (3, 6, 5)
        upright = np.rot90(np.asarray(lying), -1).transpose(2, 0, 1)
        assert np.array_equal(data.x_train[0], upright)
    assert summary_of(tmp_path / "png").notes == (
        "20 images were turned upright, as their EXIF data say",
    )


def test_transparent_pixels_are_white(tmp_path):
    clear = np.zeros((5, 6, 4), dtype=np.uint8)
    clear[0, 0] = (10, 20, 30, 255)
    two_classes(tmp_path, lambda path: Image.fromarray(clear).save(path))
    data = loaded(tmp_path)
    assert data.x_train[0, :, 0, 0].tolist() == [10, 20, 30]
    assert (data.x_train[0, :, 1:] == 255).all()
    assert summary_of(tmp_path).notes == (
        "20 images have transparent pixels, which are shown on white",
    )


def test_opaque_alpha_changes_nothing_and_needs_no_line(tmp_path):
    solid = GENERATOR.integers(0, 256, (5, 6, 4)).astype(np.uint8)
    solid[..., 3] = 255
    two_classes(tmp_path, lambda path: Image.fromarray(solid).save(path))
    assert np.array_equal(loaded(tmp_path).x_train[0], solid[..., :3].transpose(2, 0, 1))
    assert summary_of(tmp_path).notes == ()


def test_sixteen_bits_keep_their_values(tmp_path):
    deep = GENERATOR.integers(0, 2**16, (5, 6)).astype(np.uint16)
    two_classes(tmp_path, lambda path: Image.fromarray(deep).save(path))
    data = loaded(tmp_path)
    assert (data.input_shape, data.x_train.dtype) == ((1, 5, 6), np.float32)
    assert np.array_equal(data.x_train[0, 0], deep)
    assert summary_of(tmp_path).kinds == {"6 x 5 grey of more than 8 bits": 20}


def test_a_palette_becomes_its_colours(tmp_path):
    two_classes(tmp_path, lambda path: picture(path, mode="P"))
    with Image.open(tmp_path / "cat" / "0.png") as image:
        assert image.mode == "P"
        colours = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    data = loaded(tmp_path)
    tested, _ = load_test(DatasetConfig(name="images", path=str(tmp_path)), NOWHERE)
    read = [*data.x_train, *data.x_val, *tested]
    assert sum(np.array_equal(one, colours) for one in read) == 1


def test_cmyk_is_converted_and_said(tmp_path):
    for name in ("cat", "dog"):
        pictures(tmp_path / name, 10, ".jpg", mode="CMYK")
    summary = summary_of(tmp_path)
    assert summary.kinds == {"6 x 5 colour": 20}
    assert summary.notes == ("20 images were converted from CMYK to RGB",)


def test_of_an_animation_the_first_picture_is_used_and_said(tmp_path):
    frames = [Image.new("RGB", (6, 5), colour) for colour in ("red", "blue")]
    two_classes(
        tmp_path,
        lambda path: frames[0].save(
            path.with_suffix(".gif"), save_all=True, append_images=frames[1:]
        ),
    )
    assert loaded(tmp_path).x_train[0, :, 0, 0].tolist() == [255, 0, 0]
    assert summary_of(tmp_path).notes == (
        "20 images are animated or have several pages; only the first picture is used",
    )


@pytest.fixture
def mixed(tmp_path):
    """Images of three sizes, some of them grey."""
    for name in ("cat", "dog"):
        pictures(tmp_path / name, 8, size=(12, 8))
    pictures(tmp_path / "cat" / "tall", 3, size=(8, 16))
    pictures(tmp_path / "dog" / "grey", 2, size=(10, 10), mode="L")
    return tmp_path


def test_images_that_differ_are_all_named_with_counts_and_the_options(mixed):
    with pytest.raises(DataError) as refused:
        summary_of(mixed)
    assert str(refused.value) == (
        f"{mixed}: images differ: 16 are 12 x 8 colour, 3 8 x 16 colour (cat/tall/0.png, "
        "cat/tall/1.png, cat/tall/2.png), 2 10 x 10 grey (dog/grey/0.png, dog/grey/1.png); set "
        "resize: 32 (or another size) and channels: 3 (or 1) under dataset"
    )


SHAPES = {
    "resize": ({"resize": 6, "channels": 3}, (3, 6, 6)),
    "to grey": ({"resize": 6, "channels": 1}, (1, 6, 6)),
    "height and width": ({"resize": (4, 7), "channels": 3}, (3, 4, 7)),
    "crop": ({"crop": 8, "channels": 3}, (3, 8, 8)),
    "crop to a rectangle": ({"crop": (8, 6), "channels": 1}, (1, 8, 6)),
    "the shorter side, then crop": ({"resize": 9, "crop": 8, "channels": 3}, (3, 8, 8)),
}


@pytest.mark.parametrize(("options", "shape"), SHAPES.values(), ids=SHAPES)
def test_mixed_images_are_brought_to_one_shape(mixed, options, shape):
    data = loaded(mixed, **options)
    assert data.input_shape == shape
    written = {key: list(v) if isinstance(v, tuple) else v for key, v in options.items()}
    summary = summary_of(mixed, **written)
    assert summary.input_shape == shape
    channels = "1 channel" if shape[0] == 1 else "3 channels"
    assert f"all images are brought to {shape[2]} x {shape[1]} with {channels}" in summary.notes


def test_crop_keeps_the_middle_and_the_aspect(tmp_path):
    wide = np.zeros((8, 16, 3), dtype=np.uint8)
    wide[:, 4:12] = 200
    two_classes(tmp_path, lambda path: Image.fromarray(wide).save(path))
    assert (loaded(tmp_path, crop=8).x_train == 200).all()
    assert loaded(tmp_path, resize=8).x_train[0, 0, 0, 0] == 0


def test_resizing_is_that_of_pillow_and_torchvision(tmp_path):
    pixels = GENERATOR.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    two_classes(tmp_path, lambda path: Image.fromarray(pixels).save(path))
    small = Image.fromarray(pixels).resize((8, 8), Image.Resampling.BILINEAR)
    assert np.array_equal(
        loaded(tmp_path, resize=8).x_train[0], np.asarray(small).transpose(2, 0, 1)
    )


def test_images_smaller_than_crop_are_named(mixed):
    with pytest.raises(DataError) as refused:
        summary_of(mixed, crop=9, channels=3)
    assert str(refused.value).startswith(
        f"{mixed}: 19 images are smaller than the 9 x 9 of dataset.crop: cat/0.png, "
    )


def test_every_unreadable_image_of_every_split_is_named(tmp_path):
    for part in ("train", "val", "test"):
        for name in ("cat", "dog"):
            pictures(tmp_path / part / name, 10, ".jpg", size=(40, 40))
    broken = [tmp_path / part / "cat" / "3.jpg" for part in ("train", "val", "test")]
    for path in broken:
        path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError) as refused:
        summary_of(tmp_path)
    for path in broken:
        assert path.relative_to(tmp_path).as_posix() in str(refused.value)
    assert "3 of 60 images cannot be read" in str(refused.value)


def test_odd_metadata_warn_nobody_and_leave_the_filters_as_they_were(tmp_path):

    two_classes(tmp_path, lambda path: picture(path, mode="P", transparency=b"\0" * 9))
    before = list(warnings.filters)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Pillow warns of palettes with transparency as bytes
        strict = list(warnings.filters)
        summary_of(tmp_path)
        loaded(tmp_path)
        assert list(warnings.filters) == strict
    assert list(warnings.filters) == before

import pytest
import torch

from tune_app.data.batches import Normalize, build_augment, cutout, flip, shift
from tune_app.errors import SpaceError


def images(channels=3, height=28, width=14, kind=torch.uint8):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(1, 256, (64, channels, height, width), generator=generator).to(kind)


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
def test_normalised_channels_have_mean_0_and_deviation_1(kind):
    batch = images(kind=kind)
    scaled = batch.double() / (255 if kind is torch.uint8 else 1)
    mean, std = scaled.mean((0, 2, 3)), scaled.std((0, 2, 3), correction=0)
    normalize = Normalize.of(mean.tolist(), std.tolist(), batch[0], torch.device("cpu"))
    before = batch.clone()
    result = normalize(batch)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(result.std((0, 2, 3), correction=0), torch.ones(3))
    assert torch.equal(batch, before)  # it may be the data set itself


def test_rows_of_numbers_are_normalised_by_column():
    rows = torch.tensor([[1.0, 10.0], [3.0, 30.0]])
    normalize = Normalize.of([2, 20], [1, 10], rows[0], torch.device("cpu"))
    assert normalize(rows).tolist() == [[-1, -1], [1, 1]]


def test_flip_mirrors_about_half_of_the_images():
    before = images()
    torch.manual_seed(0)
    after = flip(before)
    mirrored = (after == before.flip(3)).flatten(1).all(1)
    assert ((after == before).flatten(1).all(1) | mirrored).all()
    assert 20 <= mirrored.sum() <= 44


@pytest.mark.parametrize("channels", [1, 3])
def test_shift_moves_each_image_and_brings_in_zeros(channels):
    before = images(channels)
    torch.manual_seed(0)
    after = shift(before)
    padded = torch.nn.functional.pad(before, (1, 1, 2, 2))
    moves = set()
    for image, padded_image in zip(after, padded, strict=True):
        found = [
            (down, right)
            for down in range(5)
            for right in range(3)
            if torch.equal(image, padded_image[:, down : down + 28, right : right + 14])
        ]
        assert len(found) == 1
        moves.update(found)
    assert len(moves) == 15  # every move there is: 2 up to 2 down, 1 left to 1 right


def test_cutout_blanks_a_rectangle_of_half_the_sides():
    before = images()
    torch.manual_seed(0)
    after = cutout(before)
    blank = after == 0
    assert torch.equal(after[~blank], before[~blank])
    assert (blank == blank[:, :1]).all()  # the same in each channel
    rows, columns = blank[:, 0].any(2), blank[:, 0].any(1)
    assert torch.equal(blank[:, 0], rows[:, :, None] & columns[:, None, :])
    assert (rows.sum(1).max(), columns.sum(1).max()) == (14, 7)
    assert (rows.sum(1) >= 7).all()  # at an edge, at least half of it is in the image
    assert rows.any(0).all()
    assert columns.any(0).all()


@pytest.mark.parametrize("names", ["none", [], ["none"]], ids=str)
def test_no_augmentation_is_none(names):
    assert build_augment(names, (1, 28, 28)) is None


def test_augmentations_act_in_one_order_whatever_the_list():
    batch = images()
    results = []
    for names in (["cutout", "flip", "shift"], ("flip", "shift", "cutout")):
        torch.manual_seed(1)
        augment = build_augment(names, batch.shape[1:])
        assert augment is not None
        results.append(augment(batch))
    assert torch.equal(*results)
    assert results[0].dtype == torch.uint8


@pytest.mark.parametrize(
    ("names", "shape", "message"),
    [
        ("flp", (1, 8, 8), "augment: unknown 'flp', expected none, flip, shift, cutout"),
        (["flip"], (4,), "augment needs images, got inputs of the shape (4,)"),
    ],
)
def test_an_augmentation_that_cannot_be_is_refused(names, shape, message):
    with pytest.raises(SpaceError) as refused:
        build_augment(names, shape)
    assert str(refused.value) == message

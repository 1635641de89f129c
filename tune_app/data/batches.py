"""Normalise and augment batches, on the device that trains."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tune_app.errors import SpaceError

Augment = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Normalize:
    """Converts stored inputs to float32 with mean 0 and standard deviation 1 in each channel."""

    scale: Tensor  # (C, 1, 1) for images, (features,) for rows of numbers
    shift: Tensor

    @classmethod
    def of(
        cls, mean: Sequence[float], std: Sequence[float], example: Tensor, device: torch.device
    ) -> "Normalize":
        """Return the normalisation of inputs like `example`, with the moments of `SearchData`."""
        one = 255.0 if example.dtype == torch.uint8 else 1.0
        shape = (-1,) + (1,) * (example.ndim - 1)
        means = torch.tensor(mean, dtype=torch.float64).view(shape)
        deviations = torch.tensor(std, dtype=torch.float64).view(shape)
        scale, shift = 1 / (one * deviations), -means / deviations
        return cls(scale.float().to(device), shift.float().to(device))

    def __call__(self, x: Tensor) -> Tensor:
        # Copies float32 inputs too, because the caller's tensor may be the data set itself.
        return x.to(torch.float32, copy=True).mul_(self.scale).add_(self.shift)


def build_augment(names: str | Sequence[str], input_shape: Sequence[int]) -> Augment | None:
    """Return a function that changes a batch `(B, C, H, W)` at random; None if `names` is empty.

    - `flip`: each image is mirrored left to right with probability 1/2.
    - `shift`: each image moves horizontally by up to 1/14 of its width (at least one pixel) and
      vertically by up to 1/14 of its height; the uncovered pixels become 0.
    - `cutout`: a rectangle of half the width and half the height, with its centre anywhere in the
      image, becomes 0 (DeVries and Taylor, arXiv 1708.04552).

    The changes act in this order, whatever the order of `names`, before normalisation. They draw
    from torch's global generator of the batch's device.

    Raises:
        SpaceError: A name is unknown, or the inputs are not images.
    """
    wanted = [names] if isinstance(names, str) else list(names)
    steps = {"flip": flip, "shift": shift, "cutout": cutout}
    for name in wanted:
        if name not in (*steps, "none"):
            raise SpaceError(f"augment: unknown '{name}', expected none, {', '.join(steps)}")
    chosen = [step for name, step in steps.items() if name in wanted]
    if not chosen:
        return None
    if len(input_shape) != 3:
        raise SpaceError(f"augment needs images, got inputs of the shape {tuple(input_shape)}")

    def augment(images: Tensor) -> Tensor:
        for step in chosen:
            images = step(images)
        return images

    return augment


def flip(images: Tensor) -> Tensor:
    count, device = len(images), images.device
    mirrored = torch.randint(2, (count,), device=device)
    # One gather from both versions: 4 times faster than torch.where on bytes on a CPU.
    rows = torch.arange(count, device=device) + count * mirrored
    return torch.cat([images, images.flip(3)]).index_select(0, rows)


def shift(images: Tensor) -> Tensor:
    count, channels, height, width = images.shape
    down, right = (max(1, round(size / 14)) for size in (height, width))
    device = images.device
    top = torch.randint(2 * down + 1, (count,), device=device)
    left = torch.randint(2 * right + 1, (count,), device=device)
    padded = torch.nn.functional.pad(images, (right, right, down, down))
    # A view with one row per position at which a window of the padded batch can start, so that
    # one index_select cuts out all images: 2 to 5 times faster than indexing pixel by pixel.
    per_image, per_channel, per_row, _ = padded.stride()
    last = (channels - 1) * per_channel + (height - 1) * per_row + width - 1
    windows = padded.as_strided(
        (padded.numel() - last, channels, height, width), (1, per_channel, per_row, 1)
    )
    start = torch.arange(count, device=device) * per_image + top * per_row + left
    return windows.index_select(0, start)


def cutout(images: Tensor) -> Tensor:
    count, _, height, width = images.shape
    rows = _outside(count, height, images)
    columns = _outside(count, width, images)
    return images * (rows[:, None, :, None] | columns[:, None, None, :])


def _outside(count: int, size: int, images: Tensor) -> Tensor:
    """Return a mask `(count, size)`, which is false in a random half of each image."""
    places = torch.arange(size, device=images.device)
    centre = torch.randint(size, (count, 1), device=images.device)
    half = max(1, size // 2)
    before = places - centre + half // 2
    return (before < 0) | (before >= half)

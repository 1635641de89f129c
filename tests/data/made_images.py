"""Folders of small images for the tests of data sets, and what is read from them."""

from pathlib import Path

import numpy as np
from PIL import Image

from tune_app.config.data_summary import DataSummary
from tune_app.config.search_file import parse_sweep
from tune_app.data.data_checks import summarize_data

GENERATOR = np.random.default_rng(0)
NOWHERE = Path("/nowhere")


def picture(path, size=(6, 5), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = GENERATOR.integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, **options)


def pictures(folder, count, suffix=".png", **options):
    for number in range(count):
        picture(folder / f"{number}{suffix}", **options)


def summary_of(path, name="images", *, objective="val_accuracy", **options) -> DataSummary:
    """Return what `check` says of the data at `path`, whose JSON reads back the same."""
    listed = "".join(f", {key}: {value}" for key, value in options.items())
    text = (
        f"name: some\nmodel: fcn\ndataset: {{name: {name}, path: '{path}'{listed}}}\n"
        f"objective: {{metric: {objective}}}\n"
    )
    summary = summarize_data(parse_sweep(text, source="some.yaml"), NOWHERE)
    assert DataSummary.from_json(summary.to_json()) == summary
    return summary


def total(summary):
    return sum(split.total for split in summary.splits)

"""Find the largest network that each diagnostic handles within a minute.

    python benchmarks/diagnostics.py [--seconds 60] [--only interpolate ...]

The networks are untrained FCNs 784-w-w/2-10, and the data is noise in the shape of MNIST, with the
number of examples that each diagnostic uses by default. There are two trials; paths gets eight
training runs with 15 kept epochs each. The width w grows by half until a run exceeds the limit. The
table shows the last size within the limit and its time.

Times are CPU seconds of the process on one thread, which other programs disturb less than wall
time. With two cores the wall time is at most that. "paths" stops growing at the size that it would
refuse because of memory.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from tune_app.config.trial_config import resolve_parameters
from tune_app.data.batches import Normalize
from tune_app.diagnostics.examples import SplitExamples
from tune_app.diagnostics.mathematics.landscape import Landscape
from tune_app.diagnostics.mathematics.spectrum import largest_eigenvalue
from tune_app.diagnostics.studies import curvature, interpolation, sensitivity, weight_paths
from tune_app.models.built_weights import count_weights
from tune_app.models.network import build_network

SHAPE = (1, 28, 28)
KEPT = 8 * 15  # rows of weights: eight runs of 15 kept epochs


def build(width: int) -> nn.Sequential:
    config = resolve_parameters("fcn", {"widths": [width, max(2, width // 2)]}, fill=False)
    return build_network("fcn", config, SHAPE, 10)


def noise(count: int, split: str = "train") -> SplitExamples:
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(256, (count, *SHAPE), generator=generator, dtype=torch.uint8)
    y = torch.randint(10, (count,), generator=generator)
    normalize = Normalize.of([0.13], [0.31], x[0], torch.device("cpu"))
    return SplitExamples(split, x, y, normalize, "cross_entropy")


def size_of(width: int) -> int:
    return count_weights(build(width))


def time_paths(width: int) -> None:
    rows = np.random.default_rng(0).standard_normal((KEPT, size_of(width)), dtype=np.float32)
    weight_paths.project(rows)


def time_interpolation(width: int) -> None:
    splits = [noise(interpolation.MOST_EXAMPLES), noise(6_000, "validation")]
    interpolation.interpolate(build(width), build(width), splits)


def time_sensitivity(width: int) -> None:
    network = build(width)
    for split in ("train", "validation"):
        sensitivity.input_gradients(network, noise(sensitivity.MOST_EXAMPLES, split))
    landscape = Landscape(network, noise(sensitivity.MOST_EXAMPLES))
    sensitivity.sam_sharpness(landscape)
    largest_eigenvalue(landscape.hessian_product(landscape.start), landscape.start)


def time_curvature(width: int, exact_up_to: int) -> None:
    landscape = Landscape(build(width), noise(curvature.MOST_EXAMPLES))
    rest = curvature.minimise_gradient(landscape, landscape.start, iterations=curvature.ITERATIONS)
    curvature.measure_spectrum(landscape, rest.weights, exact_up_to=exact_up_to)


# For each diagnostic: the first width to try, and the function to time.
SUBJECTS: dict[str, tuple[int, Callable[[int], None]]] = {
    "paths": (100, time_paths),
    "interpolate": (50, time_interpolation),
    "sensitivity": (20, time_sensitivity),
    "curvature, exact": (1, lambda width: time_curvature(width, 10**9)),
    "curvature, lanczos": (2, lambda width: time_curvature(width, 0)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--only", nargs="*", choices=list(SUBJECTS), default=list(SUBJECTS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| diagnostic | weights | CPU seconds |\n| --- | ---: | ---: |")
    for name in arguments.only:
        width, run = SUBJECTS[name]
        found = "| none | |"
        while True:
            torch.manual_seed(0)
            started = time.process_time()
            run(width)
            seconds = time.process_time() - started
            if seconds > arguments.seconds:
                break
            found = f"| {size_of(width):,} | {seconds:.0f} |"
            width = max(width + 1, round(1.5 * width))
            if name == "paths" and KEPT * size_of(width) > weight_paths.MOST_NUMBERS:
                break
        print(f"| {name} {found}", flush=True)


if __name__ == "__main__":
    main()

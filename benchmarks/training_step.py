"""Time an epoch on FashionMNIST, and compare each choice of the training loop with its alternative.

    python benchmarks/training_step.py --data DIR [--repeats 5] [--threads 1]

There are two networks, both trained with batch size 128: an FCN of 50,890 weights (784-64-10) on
25,600 images, and a CNN of 16,938 weights on 6,400 images. The CNN has three conv layers of 16, 32
and 32 channels, each with a max pool, and a linear layer.

The two sides of a comparison alternate, and each run trains a new network. The first run of each
side is not counted. The table shows the median CPU time of the process in seconds per 10,000
images, without validation. CPU time is used because other programs disturb it less than wall time.
All comparisons use the environment variables that tune-app sets for its workers, except for the one
that compares these variables with the defaults.
"""

import argparse
import contextlib
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import nn

from tune_app.config.parameters import TrainingParameters
from tune_app.config.sections import DatasetConfig
from tune_app.config.trial_config import resolve_parameters
from tune_app.data.sets import load_search_data
from tune_app.models import build_network
from tune_app.training import loop
from tune_app.training.device import apply_kernels, worker_env
from tune_app.training.loop import TrainingData, train_epochs

BATCH_SIZE = 128
NETWORKS: dict[str, tuple[str, dict[str, Any], int]] = {
    "FCN-50k": ("fcn", {"widths": [64]}, 25_600),
    "CNN-17k": ("cnn", {"channels_list": [16, 32, 32]}, 6_400),
}
Epoch = Callable[[], object]


class Bench:
    """Trains epochs of one network on the same images, in each of the compared ways."""

    def __init__(self, network: str, root: Path) -> None:
        self.kind, sizes, self.images = NETWORKS[network]
        values = {**sizes, "batch_size": BATCH_SIZE, "epochs": 1_000}
        self.config = resolve_parameters(self.kind, values, fill=False)
        dataset = DatasetConfig(name="fashion_mnist", train_size=self.images)
        self.root, self.search_data = root, load_search_data(dataset, root)
        self.data = TrainingData.from_search(self.search_data, torch.device("cpu"))

    def build(self) -> nn.Module:
        torch.manual_seed(0)
        shape = self.search_data.input_shape
        return build_network(self.kind, self.config, shape, self.search_data.outputs)

    @contextlib.contextmanager
    def ours(self, precision: str = "fp32") -> Iterator[Epoch]:
        """Our training loop, with any patches that the caller has applied."""
        with mock.patch.object(loop, "evaluate", return_value=(1.0, 0.1)):
            epochs = train_epochs(self.build(), self.data, self.config, seed=0, precision=precision)
            yield lambda: next(epochs)

    @contextlib.contextmanager
    def ours_with(self, name: str, replacement: Any) -> Iterator[Epoch]:
        with mock.patch.object(loop, name, replacement), self.ours() as epoch:
            yield epoch

    @contextlib.contextmanager
    def ours_by(self, route: str) -> Iterator[Epoch]:
        def epoch() -> None:
            apply_kernels({"matmul": route})
            try:
                plain()
            finally:
                apply_kernels({"matmul": "default"})

        with self.ours() as plain:
            yield epoch

    @contextlib.contextmanager
    def data_loader(self, *, transforms: bool) -> Iterator[Epoch]:
        """A loop as in tutorials: a DataLoader over PIL images with transforms, or over tensors."""
        from torch.utils.data import DataLoader, Subset, TensorDataset
        from torchvision import datasets
        from torchvision.transforms import Compose, Normalize, ToTensor

        mean, std = self.search_data.mean, self.search_data.std
        examples: Any
        if transforms:
            steps = Compose([ToTensor(), Normalize(mean, std)])
            examples = Subset(datasets.FashionMNIST(self.root, transform=steps), range(self.images))
        else:
            examples = TensorDataset(self.data.normalize(self.data.x_train), self.data.y_train)
        batches = DataLoader(examples, BATCH_SIZE, shuffle=True)
        model = self.build()
        optimizer = torch.optim.Adam(model.parameters(), lr=self.config["lr"])
        loss_of = nn.CrossEntropyLoss()

        def epoch() -> None:
            model.train()
            total = correct = 0.0
            for images, labels in batches:
                optimizer.zero_grad()
                outputs = model(images)
                loss = loss_of(outputs, labels)
                loss.backward()
                optimizer.step()
                total += loss.item() * len(labels)
                correct += (outputs.argmax(1) == labels).sum().item()

        yield epoch


def unfused(weights: Any, training: TrainingParameters) -> torch.optim.Optimizer:
    return torch.optim.Adam(weights, lr=training.lr)


def comparisons(bench: Bench) -> dict[str, tuple[Any, Any]]:
    """Return for each comparison the functions that start its two sides, ours first."""
    sides: dict[str, tuple[Any, Any]] = {
        "ours : DataLoader of PIL images": (bench.ours, lambda: bench.data_loader(transforms=True)),
        "ours : DataLoader of tensors": (bench.ours, lambda: bench.data_loader(transforms=False)),
        "fused Adam : torch's default": (
            bench.ours,
            lambda: bench.ours_with("build_optimizer", unfused),
        ),
        "oneDNN route : default": (
            lambda: bench.ours_by("onednn"),
            lambda: bench.ours_by("default"),
        ),
        "fp32 : bf16": (bench.ours, lambda: bench.ours("bf16")),
    }
    if bench.kind == "cnn":
        sides["channels_last : contiguous"] = (
            bench.ours,
            lambda: bench.ours_with("prepare_layout", lambda _: None),
        )
    return sides


def seconds(epoch: Epoch, images: int) -> float:
    started = time.process_time()
    epoch()
    return (time.process_time() - started) * 10_000 / images


def compare(ours: Any, other: Any, images: int, repeats: int) -> tuple[float, float]:
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats + 1):
        for side, start in zip(times, (ours, other), strict=True):
            with start() as epoch:
                side.append(seconds(epoch, images))
    return statistics.median(times[0][1:]), statistics.median(times[1][1:])


def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    if arguments.network:  # a child process, whose caller chose its environment variables
        bench = Bench(arguments.network, arguments.data)
        with bench.ours() as epoch:
            epoch()
            print(seconds(epoch, bench.images))
        return
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"{torch.backends.cpu.get_cpu_capability()}; torch {torch.__version__}, "
        f"{arguments.threads} thread(s), n = {arguments.repeats}"
    )
    print(f"{'s per 10,000 images':34} {'network':8} {'first':>8} {'second':>8} {'ratio':>6}")
    for network in NETWORKS:
        bench = Bench(network, arguments.data)
        for name, (ours, other) in comparisons(bench).items():
            show(name, network, *compare(ours, other, bench.images, arguments.repeats))
        show("worker_env : defaults", network, *compare_environments(network, arguments))


def compare_environments(network: str, arguments: argparse.Namespace) -> tuple[float, float]:
    plain = {name: value for name, value in os.environ.items() if name not in worker_env()}
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(arguments.repeats):
        for side, environment in zip(times, (plain | worker_env(), plain), strict=True):
            command = [sys.executable, *sys.argv, "--network", network]
            ran = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=True
            )
            side.append(float(ran.stdout))
    return statistics.median(times[0]), statistics.median(times[1])


def show(name: str, network: str, ours: float, other: float) -> None:
    print(f"{name:34} {network:8} {ours:8.3f} {other:8.3f} {other / ours:6.2f}", flush=True)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    root = os.environ.get("TUNE_APP_DATA", "~/.cache/tune_app")
    parser.add_argument("--data", type=Path, default=Path(root).expanduser())
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--network", choices=NETWORKS, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    wanted = worker_env()
    if "--network" not in sys.argv and not wanted.items() <= os.environ.items():
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | wanted)
    main()

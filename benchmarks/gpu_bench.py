"""What the GPU's checks and timings share: data, networks, and a record of what was found."""

import dataclasses
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tune_app.config.sections import DatasetConfig
from tune_app.config.trial_config import TrialConfig, resolve_parameters
from tune_app.data.batches import Normalize
from tune_app.data.sets import load_search_data
from tune_app.errors import TuneAppError
from tune_app.models import build_network
from tune_app.training.loop import TrainingData
from tune_app.training.members import Member

SHAPE = (1, 28, 28)
CLASSES = 10
FCN_50K = {"widths": [64]}  # 50,890 weights
CNN_50K = {"channels_list": [24, 48, 88], "head": "gap", "batch_norm": True}  # 49,810 weights


@dataclass
class Bench:
    """A device, images on it, and what was found so far."""

    device: torch.device
    data: TrainingData  # FashionMNIST, or noise around a pattern for each class
    few: TrainingData  # some of it, for checks
    described: str
    quick: bool
    checks: list[dict[str, Any]] = field(default_factory=list)
    timings: list[dict[str, Any]] = field(default_factory=list)
    profile: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def load(cls, device: torch.device, root: Path | None, *, quick: bool) -> "Bench":
        described = "synthetic images: --quick"
        data = None
        if not quick:
            described = "synthetic images: no --data"
            if root is not None:
                try:
                    found = load_search_data(DatasetConfig(name="fashion_mnist"), root)
                    data = TrainingData.from_search(found, device)
                    described = "FashionMNIST"
                except TuneAppError as error:
                    described = f"synthetic images: {error}"
        if data is None:
            data = synthetic(device, *((160, 40) if quick else (54_000, 6_000)))
        few = part(data, *((160, 40) if quick else (4_000, 1_000)))
        return cls(device, data, few, described, quick)

    @property
    def batch_size(self) -> int:
        """The size that makes some steps of an epoch of `few`."""
        return 16 if self.quick else 128

    def cnn(self) -> dict[str, Any]:
        """The sizes of the CNN that is timed."""
        return {"channels_list": [4, 4], "head": "gap"} if self.quick else CNN_50K

    def check(self, name: str, ok: bool, value: object = None, note: str = "") -> None:
        self.checks.append({"name": name, "ok": bool(ok), "value": value, "note": note})

    def note_failure(self, name: str, note: str, details: str = "") -> None:
        self.checks.append(
            {"name": name, "ok": False, "value": None, "note": note, "details": details}
        )

    @contextmanager
    def checking(self, name: str) -> Iterator[None]:
        """Note an exception as a failed check."""
        try:
            yield
        except Exception as error:
            self.note_failure(name, f"{type(error).__name__}: {str(error)[:200]}")

    def time(self, name: str, **values: object) -> None:
        self.timings.append({"what": name, **values})
        print("  ".join(f"{key} {value}" for key, value in self.timings[-1].items()), flush=True)

    def wait(self) -> None:
        """Wait until the device has done all that it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def synthetic(device: torch.device, train: int, validation: int) -> TrainingData:
    """Return images of FashionMNIST's shape: a pattern for each class under noise."""
    chance = torch.Generator().manual_seed(0)
    patterns = torch.randint(0, 156, (CLASSES, *SHAPE), generator=chance)
    labels = torch.randint(0, CLASSES, (train + validation,), generator=chance)
    noise = torch.randint(0, 100, (train + validation, *SHAPE), generator=chance)
    images = (patterns[labels] + noise).to(torch.uint8).to(device)
    mean, std = float(images.float().mean() / 255), float(images.float().std() / 255)
    return TrainingData(
        x_train=images[:train],
        y_train=labels[:train].to(device),
        x_val=images[train:],
        y_val=labels[train:].to(device),
        normalize=Normalize.of([mean], [std], images[0], device),
        outputs=CLASSES,
    )


def part(data: TrainingData, train: int, validation: int) -> TrainingData:
    """Return the first examples of a data set."""
    return dataclasses.replace(
        data,
        x_train=data.x_train[:train],
        y_train=data.y_train[:train],
        x_val=data.x_val[:validation],
        y_val=data.y_val[:validation],
    )


def to_device(data: TrainingData, device: torch.device) -> TrainingData:
    normalize = Normalize(data.normalize.scale.to(device), data.normalize.shift.to(device))
    names = ("x_train", "y_train", "x_val", "y_val")
    moved = {name: getattr(data, name).to(device) for name in names}
    return TrainingData(**moved, normalize=normalize, outputs=data.outputs)


def configure(kind: str, **values: Any) -> TrialConfig:
    return resolve_parameters(kind, values, fill=False)


def build(kind: str, config: TrialConfig, device: torch.device, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build_network(kind, config, SHAPE, CLASSES).to(device)


def build_members(configs: list[TrialConfig], device: torch.device) -> list[Member]:
    """Return a member for each config, with the seeds 0, 1, ..."""
    return [
        Member(build("fcn", config, device, seed), config, seed)
        for seed, config in enumerate(configs)
    ]


class Utilisation:
    """Watches the GPU by nvidia-smi, which reads five times a second, while something runs."""

    def __init__(self, device: torch.device) -> None:
        self.program = shutil.which("nvidia-smi") if device.type == "cuda" else None
        self.rows: list[list[float]] = []

    def __enter__(self) -> "Utilisation":
        if self.program:
            asked = "--query-gpu=utilization.gpu,memory.used,clocks.sm,power.draw"
            command = [self.program, asked, "--format=csv,noheader,nounits", "-lms", "200"]
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            self.thread = threading.Thread(target=self._read, daemon=True)
            self.thread.start()
        return self

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                self.rows.append([float(number) for number in line.split(",")])
            except ValueError:
                continue  # a field that this card does not tell

    def __exit__(self, *_: object) -> None:
        if self.program:
            self.process.terminate()
            self.process.wait()
            self.thread.join(timeout=1)

    def summary(self) -> dict[str, float]:
        """Return the mean utilisation and power, and the most memory and clock, seen."""
        if not self.rows:
            return {}
        busy, memory, clock, power = zip(*self.rows, strict=True)
        return {
            "utilisation_percent": round(sum(busy) / len(busy)),
            "most_memory_mib": max(memory),
            "most_clock_mhz": max(clock),
            "mean_power_w": round(sum(power) / len(power)),
        }


def seconds_of(action: Any, bench: Bench) -> float:
    """Return the seconds until the device has done what `action` gives it."""
    bench.wait()
    started = time.perf_counter()
    action()
    bench.wait()
    return time.perf_counter() - started

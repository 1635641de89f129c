"""Time the same search with tune-app and as Ray's documentation teaches to write it.

Both sides train the same 16 fully connected networks on FashionMNIST for at most 4 epochs. They use
the same points, batch sizes, optimizer, split sizes (54,000 / 6,000) and ASHA settings (those of
the tutorial: grace 1, reduction 2). Each run is a separate process, the sides alternate, and the
table shows medians. Wall time is measured from the start of a process to its end. It includes the
cold start, the time until the first trial trains, which is also shown separately. Which trials ASHA
stops depends on which trial reports first, so the sides train slightly different numbers of epochs.
Therefore the table also gives seconds per epoch.

    .venv/bin/python benchmarks/vs_idiomatic_ray.py --data DIR     (or TUNE_APP_DATA=DIR)

Exits with 1 unless tune-app is at least 8 times faster and its best validation accuracy is no
worse.
"""

import argparse
import json
import math
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

TRIALS = 16
EPOCHS = 4
GRACE_EPOCHS = 1
REDUCTION_FACTOR = 2
TRAIN_IMAGES = 54_000
VALIDATION_IMAGES = 6_000

LEAST_RATIO = 8.0
# How much lower tune-app's accuracy may be and still count as no worse: about one standard error of
# the difference between two accuracies near 0.88, each measured on 6,000 images of its own.
ACCURACY_TOLERANCE = 0.005
MOST_LOAD = 0.5

TUNE_APP = Path(sys.executable).parent / "tune-app"


@dataclass(frozen=True)
class Run:
    """Times and accuracy of one run of one side."""

    wall_s: float
    cold_start_s: float
    cpu_s: float  # of the whole machine, as Ray's workers are no children of ours; nan if unknown
    epochs: int
    best_accuracy: float

    @property
    def search_s(self) -> float:
        return self.wall_s - self.cold_start_s

    @property
    def epoch_s(self) -> float:
        return self.search_s / self.epochs


def draw_points() -> list[dict[str, Any]]:
    rng = random.Random(0)
    return [
        {
            "layers": rng.randint(1, 3),
            "width": rng.choice([32, 64, 128]),
            "lr": round(10 ** rng.uniform(-4, -2), 6),
            "batch_size": rng.choice([64, 128, 256]),
        }
        for _ in range(TRIALS)
    ]


def point_key(point: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(point[name] for name in ("layers", "width", "lr", "batch_size"))


def machine_cpu_s() -> float:
    try:
        fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    except FileNotFoundError:
        return math.nan
    user, nice, system, _idle, _iowait, irq, softirq, *_ = map(int, fields)
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def call(command: list[str | Path], folder: Path) -> None:
    """Run `command` with its output in `folder`/log, and show that output if it fails."""
    log = folder / "log"
    with log.open("w", encoding="utf-8") as stream:
        ran = subprocess.run(command, stdout=stream, stderr=subprocess.STDOUT, check=False)
    if ran.returncode:
        raise SystemExit(f"{command[0]} ended with exit code {ran.returncode}:\n{log.read_text()}")


def run_idiomatic(folder: Path, data: Path) -> Run:
    task = {
        "points": draw_points(),
        "data": str(data),
        "storage": str(folder),
        "epochs": EPOCHS,
        "grace_epochs": GRACE_EPOCHS,
        "reduction_factor": REDUCTION_FACTOR,
        "validation_images": VALIDATION_IMAGES,
    }
    task_file, result_file = folder / "task.json", folder / "result.json"
    task_file.write_text(json.dumps(task), encoding="utf-8")
    script = Path(__file__).with_name("idiomatic_ray.py")
    cpu, began = machine_cpu_s(), time.time()
    call([sys.executable, script, task_file, result_file], folder)
    wall_s, cpu_s = time.time() - began, machine_cpu_s() - cpu
    trials = json.loads(result_file.read_text(encoding="utf-8"))
    assert len(trials) == TRIALS
    return Run(
        wall_s=wall_s,
        cold_start_s=min(trial["started"] for trial in trials) - began,
        cpu_s=cpu_s,
        epochs=sum(len(trial["accuracies"]) for trial in trials),
        best_accuracy=max(max(trial["accuracies"]) for trial in trials),
    )


def run_ours(folder: Path, data: Path) -> Run:
    sweep = {
        "name": "ours",
        "dataset": {"name": "fashion_mnist", "validation": VALIDATION_IMAGES},
        "model": "fcn",
        "parameters": {
            "layers": {"int": [1, 3]},
            "width": {"choice": [32, 64, 128]},
            "lr": {"float": [1e-4, 1e-2], "log": True},
            "batch_size": {"choice": [64, 128, 256]},
            "epochs": EPOCHS,
        },
        "search": {"sampler": "random", "trials": TRIALS, "start_with": draw_points()},
        "scheduler": {
            "type": "asha",
            "grace_epochs": GRACE_EPOCHS,
            "reduction_factor": REDUCTION_FACTOR,
        },
    }
    file = folder / "ours.yaml"
    file.write_text(json.dumps(sweep), encoding="utf-8")
    cpu, began = machine_cpu_s(), time.time()
    call([TUNE_APP, "run", file, "--storage", folder, "--data", data, "--json"], folder)
    wall_s, cpu_s = time.time() - began, machine_cpu_s() - cpu
    # Read the results with `show`, as a user would.
    show = [str(TUNE_APP), "show", "ours", "--all", "--format", "json"]
    storage = os.environ | {"TUNE_APP_STORAGE": str(folder)}
    rows = json.loads(subprocess.run(show, env=storage, stdout=subprocess.PIPE, check=True).stdout)
    assert sorted(map(point_key, (row["parameters"] for row in rows))) == sorted(
        map(point_key, draw_points())
    )
    return Run(
        wall_s=wall_s,
        cold_start_s=min(row["started"] for row in rows) - began,
        cpu_s=cpu_s,
        epochs=sum(row["epochs"] for row in rows),
        best_accuracy=max(row["val_accuracy"] for row in rows),
    )


SIDES: dict[str, Callable[[Path, Path], Run]] = {"idiomatic": run_idiomatic, "ours": run_ours}


def summarise(runs: list[Run]) -> dict[str, float]:
    measures = ("wall_s", "cold_start_s", "search_s", "epochs", "epoch_s", "cpu_s")
    middle = {name: statistics.median(getattr(run, name) for run in runs) for name in measures}
    # A mean, because the best of 16 on 6,000 images is noisy and every repeat draws new initial
    # weights.
    return middle | {"best_accuracy": statistics.mean(run.best_accuracy for run in runs)}


def render(runs: dict[str, list[Run]]) -> str:
    """Return a Markdown table of both sides with the ratio of each measure."""
    theirs, ours = summarise(runs["idiomatic"]), summarise(runs["ours"])
    batch_sizes = Counter(point["batch_size"] for point in draw_points())
    batches = ", ".join(f"{count} x {size}" for size, count in sorted(batch_sizes.items()))
    lines = [
        "| | Ray's tutorial | tune-app | ratio |",
        "|---|---|---|---|",
        f"| trials x maximum epochs | {TRIALS} x {EPOCHS} | {TRIALS} x {EPOCHS} | |",
        f"| images per epoch | {TRAIN_IMAGES:,} | {TRAIN_IMAGES:,} | |",
        f"| batch sizes | {batches} | {batches} | |",
    ]
    for label, name in [
        ("wall time, s", "wall_s"),
        ("of that the cold start, s", "cold_start_s"),
        ("of that the search, s", "search_s"),
        ("epochs trained", "epochs"),
        ("search time per epoch, s", "epoch_s"),
        ("CPU time of the machine, s", "cpu_s"),
    ]:
        ratio = theirs[name] / ours[name]
        lines.append(f"| {label} | {theirs[name]:.4g} | {ours[name]:.4g} | {ratio:.2f} |")
    accuracies = (theirs["best_accuracy"], ours["best_accuracy"])
    difference = accuracies[1] - accuracies[0]
    lines.append("| best validation accuracy | {:.4f} | {:.4f} | |".format(*accuracies))
    return "\n".join(lines) + f"\n\ndifference in accuracy (ours - theirs): {difference:+.4f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("TUNE_APP_DATA"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--side", choices=SIDES, help="run only this side, without a verdict")
    parser.add_argument("--busy", action="store_true", help="measure even if the machine is busy")
    parser.add_argument("--output", type=Path, help="JSON file for the raw numbers of every run")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error(
            "the folder with FashionMNIST/ is missing: pass --data DIR or set TUNE_APP_DATA"
        )
    load = os.getloadavg()[0]
    if load > MOST_LOAD and not arguments.busy:
        parser.error(
            f"the machine is busy (load {load:.2f}, the limit is {MOST_LOAD}): wait, or pass --busy"
        )

    # If this is set, every new process compiles torch and Ray again, and that would be measured
    # too.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sides = [arguments.side] if arguments.side else list(SIDES)
    runs: dict[str, list[Run]] = {side: [] for side in sides}
    versions = [f"{name} {version(name)}" for name in ("ray", "torch", "torchvision")]
    machine = [f"{os.cpu_count()} CPUs", platform.machine()]
    print(", ".join([*machine, f"Python {platform.python_version()}", *versions]))
    for repeat in range(1, arguments.repeats + 1):
        for side in sides:
            with tempfile.TemporaryDirectory() as folder:
                run = SIDES[side](Path(folder), arguments.data.resolve())
            runs[side].append(run)
            print(
                f"{repeat}/{arguments.repeats} {side}: {run.wall_s:.1f} s ({run.cold_start_s:.1f} s"
                f" cold start), {run.epochs} epochs, best {run.best_accuracy:.4f}",
                flush=True,
            )
    if arguments.output:
        raw = {side: [asdict(run) for run in done] for side, done in runs.items()}
        arguments.output.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    if arguments.side:
        return 0
    print(f"\n{render(runs)}")
    theirs, ours = summarise(runs["idiomatic"]), summarise(runs["ours"])
    faster = theirs["wall_s"] / ours["wall_s"] >= LEAST_RATIO
    as_good = ours["best_accuracy"] >= theirs["best_accuracy"] - ACCURACY_TOLERANCE
    print(f"at least {LEAST_RATIO:g} times faster: {'yes' if faster else 'NO'}")
    print(f"accuracy no worse (tolerance {ACCURACY_TOLERANCE}): {'yes' if as_good else 'NO'}")
    return 0 if faster and as_good else 1


if __name__ == "__main__":
    sys.exit(main())

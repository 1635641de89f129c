"""Times of the training core on a GPU."""

import contextlib
import math
import random
import statistics
import time
from collections.abc import Iterator
from typing import Any

import torch
from gpu_bench import FCN_50K, Bench, build, build_members, configure, seconds_of

from tune_app.training.device import BACKENDS
from tune_app.training.loop import train_epochs
from tune_app.training.members import MemberRun

EPOCHS_TIMED = 2  # after one that warms up


def time_ceilings(bench: Bench) -> None:
    """Measure what the device copies and multiplies at most, which bounds all that follows."""
    size = 256 if bench.quick else 8192
    left, right = (torch.randn(size, size, device=bench.device) for _ in range(2))
    source = torch.randn(size * size * (1 if bench.quick else 8), device=bench.device)
    target = torch.empty_like(source)
    copied = best(bench, lambda: target.copy_(source))
    bench.time("copy", gb_per_s=round(2 * source.nbytes / copied / 1e9))
    for precision in ("ieee", "tf32"):
        with matmul_precision(precision):
            taken = best(bench, lambda: torch.mm(left, right))
        bench.time(f"matmul {precision}", tflops=round(2 * size**3 / taken / 1e12, 1))
    stack = 64 if not bench.quick else 4
    inputs = torch.randn(stack, 128, 784, device=bench.device)
    weights = torch.randn(stack, 784, 64, device=bench.device)
    for precision in ("ieee", "tf32"):
        with matmul_precision(precision):
            taken = best(bench, lambda: torch.bmm(inputs, weights))
        rate = 2 * stack * 128 * 784 * 64 / taken / 1e12
        bench.time(
            f"bmm {stack}x128x784x64 {precision}", us=round(1e6 * taken, 1), tflops=round(rate, 1)
        )


def best(bench: Bench, action: Any, repeats: int = 10) -> float:
    action()
    return min(
        seconds_of(lambda: [action() for _ in range(10)], bench) / 10 for _ in range(repeats)
    )


@contextlib.contextmanager
def matmul_precision(precision: str) -> Iterator[None]:
    before = BACKENDS.cuda.matmul.fp32_precision
    BACKENDS.cuda.matmul.fp32_precision = precision
    try:
        yield
    finally:
        BACKENDS.cuda.matmul.fp32_precision = before


def time_alone(bench: Bench) -> None:
    """Time an epoch of our loop, one training at a time."""
    for batch_size in (128, 512):
        fcn = configure("fcn", **FCN_50K, batch_size=batch_size, epochs=1 + EPOCHS_TIMED)
        cnn = configure("cnn", **bench.cnn(), batch_size=batch_size, epochs=1 + EPOCHS_TIMED)
        epoch_alone(bench, "fcn", fcn)
        epoch_alone(bench, "cnn", cnn)
        epoch_alone(bench, "cnn", cnn, precision="bf16")
        if bench.device.type == "cuda":
            with cudnn(deterministic=True):
                epoch_alone(bench, "cnn", cnn, note="deterministic cuDNN")
            with cudnn(benchmark=True):
                epoch_alone(bench, "cnn", cnn, note="cuDNN benchmark")


@contextlib.contextmanager
def cudnn(**switches: bool) -> Iterator[None]:
    before = {name: getattr(torch.backends.cudnn, name) for name in switches}
    for name, value in switches.items():
        setattr(torch.backends.cudnn, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(torch.backends.cudnn, name, value)


def epoch_alone(
    bench: Bench, kind: str, config: dict[str, Any], precision: str = "fp32", note: str = ""
) -> None:
    name = f"{kind} alone {precision} {note}".strip()
    with bench.checking(name):
        model = build(kind, config, bench.device)
        results = list(train_epochs(model, bench.data, config, seed=0, precision=precision))
        seconds = statistics.median(result.seconds for result in results[1:])
        bench.time(
            name,
            batch=config["batch_size"],
            s_per_epoch=round(seconds, 4),
            val_accuracy=round(results[-1].val_accuracy or 0.0, 4),
        )


def time_stacked(bench: Bench) -> None:
    """Time an epoch of stacked FCNs."""
    counts = (2, 4) if bench.quick else (1, 16, 64, 256)
    ways = (False, True) if bench.device.type == "cuda" else (False,)
    for batch_size in (128, 512):
        for count in counts:
            for graphs in ways:
                if graphs or batch_size == 128:
                    epoch_stacked(bench, count, batch_size, graphs=graphs)
    if bench.device.type == "cuda":
        with matmul_precision("tf32"):
            for count in (64, 256):
                epoch_stacked(bench, count, 128, graphs=True, note="tf32")
        epoch_stacked(bench, 64, 128, graphs=True, note="dropout", dropout=0.2)
        epoch_stacked(bench, 64, 128, graphs=True, note="batch_norm", batch_norm=True)


def epoch_stacked(
    bench: Bench, count: int, batch_size: int, *, graphs: bool, note: str = "", **more: Any
) -> None:
    name = f"fcn stacked K={count} {'graphs' if graphs else 'eager'} {note}".strip()
    with bench.checking(name):
        values = {**FCN_50K, "batch_size": batch_size, "epochs": 1 + EPOCHS_TIMED, **more}
        members = build_members([configure("fcn", **values)] * count, bench.device)
        if bench.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        run = MemberRun(members, bench.data, graphs=graphs)
        first = seconds_of(run.next_epoch, bench)
        seconds, accuracies = [], []
        while run.active:
            started = time.perf_counter()
            results = run.next_epoch()
            bench.wait()
            seconds.append(time.perf_counter() - started)
            accuracies = [result.val_accuracy or 0.0 for result in results.values()]
        median = statistics.median(seconds)
        peak = torch.cuda.max_memory_allocated() / 2**30 if bench.device.type == "cuda" else 0.0
        bench.time(
            name,
            batch=batch_size,
            s_per_epoch=round(median, 4),
            ms_per_member=round(1e3 * median / count, 3),
            first_epoch_s=round(first, 3),
            peak_gib=round(peak, 2),
            val_accuracy=round(statistics.mean(accuracies), 4),
        )


def time_search(bench: Bench) -> None:
    """Train 300 FCN configurations that differ in their rates for 30 epochs, in stacks."""
    trials, epochs, stack = (6, 2, 3) if bench.quick else (300, 30, 60)
    chance = random.Random(0)
    configs = [
        configure(
            "fcn",
            **FCN_50K,
            epochs=epochs,
            optimizer="adamw",
            lr_schedule="one_cycle",
            lr=10 ** chance.uniform(-3.3, -2),
            weight_decay=10 ** chance.uniform(-4, -1.5),
            dropout=chance.choice([0.0, 0.1, 0.2, 0.3]),
            label_smoothing=chance.choice([0.0, 0.05, 0.1]),
        )
        for _ in range(trials)
    ]
    bench.wait()
    started = time.perf_counter()
    best_accuracies = []
    for first in range(0, trials, stack):
        members = build_members(configs[first : first + stack], bench.device)
        run = MemberRun(members, bench.data, graphs=bench.device.type == "cuda")
        best_of = dict.fromkeys(range(stack), 0.0)
        while run.active:
            for number, result in run.next_epoch().items():
                best_of[number] = max(best_of[number], result.val_accuracy or 0.0)
        best_accuracies += best_of.values()
    bench.wait()
    seconds = time.perf_counter() - started
    bench.time(
        f"{trials} FCN configurations of {epochs} epochs",
        seconds=round(seconds, 1),
        best_val_accuracy=round(max(best_accuracies), 4),
        median_val_accuracy=round(statistics.median(best_accuracies), 4),
    )
    alone = [
        timing["s_per_epoch"]
        for timing in bench.timings
        if timing["what"] == "fcn alone fp32" and timing["batch"] == 128
    ]
    if alone:
        one_by_one = alone[0] * epochs * trials
        bench.time(
            "one by one it would take (epochs alone, times their number)",
            seconds=round(one_by_one, 1),
            ratio=round(one_by_one / seconds, 1),
        )


def profile_step(bench: Bench) -> None:
    """Note which kernels a stacked epoch's time goes to, without graphs."""
    count = 4 if bench.quick else 64
    members = build_members([configure("fcn", **FCN_50K, epochs=3)] * count, bench.device)
    run = MemberRun(members, bench.few)
    run.next_epoch()
    on_gpu = bench.device.type == "cuda"
    kind = torch.profiler.ProfilerActivity.CUDA if on_gpu else torch.profiler.ProfilerActivity.CPU
    with torch.profiler.profile(activities=[kind]) as profile:
        run.next_epoch()
    steps = math.ceil(len(bench.few.x_train) / 128)
    for event in profile.key_averages():
        total = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        bench.profile.append(
            {
                "kernel": event.key[:100],
                "calls": event.count,
                "us_per_step": round(total / steps, 2),
            }
        )
    bench.profile.sort(key=lambda kernel: -kernel["us_per_step"])
    for kernel in bench.profile[:12]:
        print(
            f"{kernel['us_per_step']:9.2f} us/step  {kernel['calls']:6} calls  {kernel['kernel']}"
        )

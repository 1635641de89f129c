"""What a machine does best: its device, its kernels, its memory allocator."""

import contextlib
import platform
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

BACKENDS: Any = torch.backends  # whose switches torch's type stubs do not know
# The route is oneDNN's where it is worth a change, at the accuracy of float32.
LEAST_SPEED_UP = 1.15
MOST_RELATIVE_ERROR = 1e-5


def pick_device() -> torch.device:
    """Return the GPU that this process may use, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def prepare_layout(model: nn.Module) -> None:
    """Give a convolutional network the memory layout that it runs fastest in; values stay.

    Channels last: 1.7 times faster on an epoch of a CNN of 17k weights on a CPU
    (benchmarks/training_step.py).
    """
    if any(isinstance(part, nn.Conv2d) for part in model.modules()):
        model.to(memory_format=torch.channels_last)


def probe_kernels() -> dict[str, Any]:
    """Return the kernels to train with on this machine, as `apply_kernels` takes them.

    torch's switch for oneDNN's matrix products says "bf16", and what it does depends on the
    processor: on AMD's with AVX-512 it computes in float32, twice as fast as the default; on
    those with AMX really in bfloat16; on others nothing. So speed and error are measured, in
    some hundredths of a second.
    """
    if not BACKENDS.mkldnn.is_available():
        return {"matmul": "default"}
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(128, 784, generator=generator)  # a batch into a first layer
    right = torch.randn(784, 64, generator=generator)
    exact = left.double() @ right.double()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    seconds = {"default": float("inf"), "onednn": float("inf")}
    results = {}
    try:
        for _ in range(7):
            for route in seconds:
                with _matmul_route(route):
                    started = time.perf_counter()
                    for _ in range(10):
                        results[route] = left @ right
                    taken = time.perf_counter() - started
                seconds[route] = min(seconds[route], taken)
    finally:
        torch.set_num_threads(threads)
    error = float((results["onednn"] - exact).abs().max() / exact.abs().max())
    faster = seconds["default"] / seconds["onednn"] >= LEAST_SPEED_UP
    same = torch.equal(results["default"], results["onednn"])  # the switch did nothing
    if faster and not same and error <= MOST_RELATIVE_ERROR:
        return {"matmul": "onednn"}
    return {"matmul": "default"}


def apply_kernels(kernels: Mapping[str, Any]) -> None:
    """Use, in this process from now on, the kernels that `probe_kernels` found."""
    BACKENDS.mkldnn.matmul.fp32_precision = "bf16" if kernels["matmul"] == "onednn" else "none"


@contextlib.contextmanager
def _matmul_route(route: str) -> Iterator[None]:
    before = BACKENDS.mkldnn.matmul.fp32_precision
    apply_kernels({"matmul": route})
    try:
        yield
    finally:
        BACKENDS.mkldnn.matmul.fp32_precision = before


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """Compute float32 as float32 by the default kernels: no oneDNN route, no TF32."""
    backends: list[Any] = [
        BACKENDS.mkldnn.matmul,
        BACKENDS.mkldnn.conv,
        BACKENDS.cuda.matmul,
        BACKENDS.cudnn.conv,
    ]
    before = [backend.fp32_precision for backend in backends]
    for backend in backends:
        backend.fp32_precision = "ieee"
    try:
        yield
    finally:
        for backend, precision in zip(backends, before, strict=True):
            backend.fp32_precision = precision


def worker_env() -> dict[str, str]:
    """Return what a training process needs in its environment before it starts.

    glibc gives each buffer of a few MB back to the kernel when it is freed, and every step pays
    for fresh pages; these settings make it keep them. Elsewhere there is nothing to set.
    """
    if platform.libc_ver()[0] != "glibc":
        return {}
    return {
        "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),  # the most that every glibc takes
        "MALLOC_TRIM_THRESHOLD_": str(2**32),
        "MALLOC_TOP_PAD_": str(256 * 2**20),
    }


def processor_name() -> str:
    """Return what this machine's processor is called."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()

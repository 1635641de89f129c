"""Choose the device, the kernels and the memory settings that suit this machine best."""

import contextlib
import platform
import re
import time
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tune_app.errors import TuneAppError

BACKENDS: Any = torch.backends  # whose switches torch's type stubs do not know
# oneDNN's kernels are used where they are at least this much faster, at float32's accuracy.
LEAST_SPEED_UP = 1.15
MOST_RELATIVE_ERROR = 1e-5


class DeviceMemoryError(TuneAppError, MemoryError):
    """A GPU has too little free memory for a training."""


def pick_device() -> torch.device:
    """Return the GPU that this process may use, or the CPU if there is none."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def prepare_layout(model: nn.Module) -> None:
    """Change a convolutional network to its fastest memory layout; the values do not change.

    The layout is channels last: an epoch of a CNN with 17k weights is 1.7 times faster on a CPU
    (benchmarks/training_step.py).
    """
    if any(isinstance(part, nn.Conv2d) for part in model.modules()):
        model.to(memory_format=torch.channels_last)


def probe_kernels() -> dict[str, Any]:
    """Return the fastest kernels of this machine with float32's accuracy, for `apply_kernels`.

    torch has a switch, called "bf16", for the matrix products of oneDNN. Its effect depends on
    the processor: an AMD processor with AVX-512 then computes in float32, twice as fast as by
    default; a processor with AMX really computes in bfloat16; on others nothing changes. So this
    function measures speed and error, within a few hundredths of a second.
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
    same = torch.equal(results["default"], results["onednn"])  # the switch has no effect here
    if faster and not same and error <= MOST_RELATIVE_ERROR:
        return {"matmul": "onednn"}
    return {"matmul": "default"}


def apply_kernels(kernels: Mapping[str, Any]) -> None:
    """Use the kernels that `probe_kernels` found, in this process from now on."""
    BACKENDS.mkldnn.matmul.fp32_precision = "bf16" if kernels["matmul"] == "onednn" else "none"


@contextlib.contextmanager
def readable_memory_errors() -> Iterator[None]:
    """Turn torch's error of a full GPU into a DeviceMemoryError, and free what led to it.

    Frees the local variables of the functions that the error came through, and gives the memory
    that torch keeps for later back to the GPU, where other processes may train.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        wanted = re.search(r"Tried to allocate ([\d.]+ \w+)", str(error))
        traceback.clear_frames(error.__traceback__)
        torch.cuda.empty_cache()
        amount = f"; {wanted[1]} more were needed at once" if wanted else ""
        raise DeviceMemoryError(
            f"the GPU has too little free memory for this training{amount}. Use a smaller "
            "batch_size, a smaller network, or fewer trials at a time on the GPU"
        ) from None


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
    """Compute float32 in full precision with the default kernels: no oneDNN switch, no TF32."""
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
    """Return the environment variables that a training process needs before it starts.

    By default glibc returns each freed buffer of a few MB to the kernel, so every training step
    pays for fresh memory pages. These settings make glibc keep the buffers. Other C libraries
    need no settings.
    """
    if platform.libc_ver()[0] != "glibc":
        return {}
    return {
        "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),  # the largest value that every glibc accepts
        "MALLOC_TRIM_THRESHOLD_": str(2**32),
        "MALLOC_TOP_PAD_": str(256 * 2**20),
    }


def processor_name() -> str:
    """Return the model name of this machine's processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()

import platform
import time
import weakref

import pytest
import torch
from torch import nn

from tune_app.training import device
from tune_app.training.device import (
    DeviceMemoryError,
    apply_kernels,
    prepare_layout,
    probe_kernels,
    readable_memory_errors,
    worker_env,
)


def test_a_probe_leaves_everything_as_it_was():
    torch.set_num_threads(2)
    before = torch.random.get_rng_state()
    kernels = probe_kernels()
    assert kernels["matmul"] in ("default", "onednn")
    assert torch.get_num_threads() == 2
    assert torch.equal(torch.random.get_rng_state(), before)
    assert device.BACKENDS.mkldnn.matmul.fp32_precision == "none"


def test_kernels_are_set_and_set_back():
    apply_kernels({"matmul": "onednn"})
    assert device.BACKENDS.mkldnn.matmul.fp32_precision == "bf16"
    apply_kernels({"matmul": "default"})
    assert device.BACKENDS.mkldnn.matmul.fp32_precision == "none"


def test_a_route_that_is_faster_and_inexact_is_not_taken(monkeypatch):
    product = torch.Tensor.__matmul__

    def bfloat16_where_switched(left, right):
        if device.BACKENDS.mkldnn.matmul.fp32_precision == "bf16":
            return product(left.bfloat16(), right.bfloat16()).float()
        if left.dtype == torch.float32:
            time.sleep(0.002)
        return product(left, right)

    monkeypatch.setattr(torch.Tensor, "__matmul__", bfloat16_where_switched)
    assert probe_kernels() == {"matmul": "default"}


def test_a_route_that_is_faster_and_exact_is_taken(monkeypatch):
    product = torch.Tensor.__matmul__

    def slow_where_not_switched(left, right):
        if device.BACKENDS.mkldnn.matmul.fp32_precision == "bf16":
            return product(left, right) * (1 + 1e-7)
        time.sleep(0.002)
        return product(left, right)

    monkeypatch.setattr(torch.Tensor, "__matmul__", slow_where_not_switched)
    assert probe_kernels() == {"matmul": "onednn"}


def test_only_convolutional_networks_change_their_layout():
    cnn = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4, 2))
    before = {name: weight.clone() for name, weight in cnn.state_dict().items()}
    prepare_layout(cnn)
    assert cnn[0].weight.is_contiguous(memory_format=torch.channels_last)
    for name, weight in cnn.state_dict().items():
        assert torch.equal(weight, before[name])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_glibc_is_told_to_keep_its_memory():
    assert worker_env() == {
        "MALLOC_MMAP_THRESHOLD_": "33554432",
        "MALLOC_TRIM_THRESHOLD_": "4294967296",
        "MALLOC_TOP_PAD_": "268435456",
    }


def test_elsewhere_the_environment_is_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert worker_env() == {}


def test_a_full_gpu_is_an_error_that_says_what_to_do():
    text = "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 16 GiB"
    with pytest.raises(DeviceMemoryError) as raised, readable_memory_errors():
        raise torch.OutOfMemoryError(text)
    assert str(raised.value) == (
        "the GPU has too little free memory for this training; 20.00 GiB more were needed at "
        "once. Use a smaller batch_size, a smaller network, or fewer trials at a time on the GPU"
    )


def test_a_full_gpu_keeps_nothing_of_the_training_that_filled_it():
    kept = []

    def train():
        network = nn.Linear(2, 2)
        kept.append(weakref.ref(network))
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(DeviceMemoryError), readable_memory_errors():
        train()
    assert kept[0]() is None

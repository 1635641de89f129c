from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True, scope="package")
def quick_on_tiny_networks() -> Iterator[None]:
    # Threads would wait for each other, and oneDNN compiles a kernel for each new shape.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    enabled, *_ = torch.backends.mkldnn.set_flags(False)
    yield
    torch.backends.mkldnn.set_flags(enabled)
    torch.set_num_threads(threads)

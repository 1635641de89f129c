"""Write a network as ONNX and torch.export programs, check them against PyTorch, and run them."""

import hashlib
import io
import json
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tune_app.config.sections import ExportedNetwork
from tune_app.data.batches import Normalize
from tune_app.errors import ExportError, TuneAppError
from tune_app.report.export.exported import ONNX_FILE, PT2_FILE
from tune_app.training.device import full_precision

Run = Callable[[Tensor], Tensor]

# The outputs of another runtime may differ from PyTorch's by this, relative to outputs above 1.
LARGEST_DIFFERENCE = 1e-5
# The programs accept batches of any size. These sizes differ from the one used for tracing (2).
CHECKED_BATCHES = (1, 5, 64)
INPUT, OUTPUT, BATCH = "inputs", "outputs", "batch"


class UntraceableError(ExportError):
    """A network from user code whose computation torch.export cannot trace."""


class NormalizedNetwork(nn.Module):
    """A network with its normalisation: it takes inputs as in the data set, (N, *input_shape)."""

    scale: Tensor
    shift: Tensor

    def __init__(self, network: nn.Module, origin: ExportedNetwork, input_dtype: str) -> None:
        super().__init__()
        self.network = network
        self.input_shape = origin.input_shape
        self.input_dtype = input_dtype
        normalize = Normalize.of(
            origin.mean, origin.std, self.zeros(1)[0], next(network.parameters()).device
        )
        self.register_buffer("scale", normalize.scale)
        self.register_buffer("shift", normalize.shift)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.network(inputs.to(torch.float32) * self.scale + self.shift)
        return outputs

    def zeros(self, count: int) -> Tensor:
        """Return `count` inputs of zeros on the CPU."""
        return torch.zeros(count, *self.input_shape, dtype=getattr(torch, self.input_dtype))

    def random_inputs(self, count: int, seed: int = 0) -> Tensor:
        """Return random inputs on the CPU with the spread of the data: bytes, or normal numbers."""
        generator = torch.Generator().manual_seed(seed)
        shape = (count, *self.input_shape)
        if self.input_dtype == "uint8":
            return torch.randint(256, shape, dtype=torch.uint8, generator=generator)
        return (torch.randn(shape, generator=generator) - self.shift) / self.scale


def write_graphs(
    formats: Collection[str], network: NormalizedNetwork, folder: Path, notes: Mapping[str, str]
) -> dict[str, float]:
    """Write network.pt2 and network.onnx, if in `formats`, and return the error of each file.

    The error is the largest difference between its outputs and PyTorch's for random inputs in
    batches of several sizes. The files contain `notes`. The network must be on the CPU in
    evaluation mode.

    Raises:
        UntraceableError: torch.export cannot trace the network; nothing was written.
        ExportError: A file cannot be written, or its error exceeds 1e-5 (relative to outputs
            above 1). An incomplete file may remain.
    """
    with one_thread(), _exporting():
        program = _trace(network)
        if "pt2" in formats:
            extra = {"metadata.json": json.dumps(dict(notes))}
            torch.export.save(program, folder / PT2_FILE, extra_files=extra)
        if "onnx" in formats:
            _write_onnx(program, folder / ONNX_FILE, notes)
        return {
            name: _compare(network, name, open_file(folder / name, 1))
            for name, open_file in OPENERS.items()
            if (folder / name).exists()
        }


def open_pt2(path: Path, threads: int) -> Run:
    """Return a function that runs the program in `path` on the CPU, with torch's threads."""
    module = torch.export.load(path).module()

    def run(inputs: Tensor) -> Tensor:
        with torch.inference_mode(), full_precision():
            outputs: Tensor = module(inputs)
        return outputs

    return run


def open_onnx(path: Path, threads: int) -> Run:
    """Return a function that runs the model in `path` on the CPU with that many threads."""
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(inputs: Tensor) -> Tensor:
        (outputs,) = session.run(None, {INPUT: inputs.numpy()})
        return torch.from_numpy(np.asarray(outputs))

    return run


# The files that hold a whole network, including its normalisation.
OPENERS: dict[str, Callable[[Path, int], Run]] = {PT2_FILE: open_pt2, ONNX_FILE: open_onnx}


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _trace(network: NormalizedNetwork) -> torch.export.ExportedProgram:
    # Traced with a batch of 2: torch.export would take a batch of 1 for a fixed size.
    batch = torch.export.Dim(BATCH, min=1)
    # Where tracing fails, torch also logs and prints the whole graph; our message is enough.
    logger = logging.getLogger("torch.fx.experimental.symbolic_shapes")
    before, logger.disabled = logger.disabled, True
    try:
        with redirect_stderr(io.StringIO()):
            program = torch.export.export(
                network, (network.zeros(2),), dynamic_shapes=({0: batch},)
            )
    except Exception as error:  # torch raises errors of many kinds, some of them private
        said = next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason")
        raise UntraceableError(
            "torch.export cannot trace the network, which predict.py, network.pt2 and network.onnx "
            f"need ({type(error).__name__}: {said}). If its forward branches on the values of its "
            "inputs, as in `if x.sum() > 0`, use torch.where or torch.cond instead"
        ) from error
    finally:
        logger.disabled = before
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # the files must not contain paths of this machine
    return program


def _write_onnx(
    program: torch.export.ExportedProgram, path: Path, notes: Mapping[str, str]
) -> None:
    written = torch.onnx.export(
        program,
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=({0: BATCH},),
        dynamo=True,
        verbose=False,
    )
    assert written is not None
    written.model.metadata_props.update(notes)
    written.save(path)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread: with more, a small network is slower."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _exporting() -> Iterator[None]:
    try:
        with torch.no_grad():
            yield
    except (OSError, TuneAppError):
        raise
    except Exception as error:  # the exporters raise errors of many kinds
        raise ExportError(f"the network cannot be exported: {error}") from error


def _compare(network: NormalizedNetwork, name: str, run: Run) -> float:
    largest = 0.0
    for count in CHECKED_BATCHES:
        inputs = network.random_inputs(count)
        with torch.inference_mode(), full_precision():
            expected = network(inputs)
        # Written with `not <=`, because a NaN must fail: `NaN > limit` is false.
        difference = float((run(inputs) - expected).abs().max())
        if not difference <= LARGEST_DIFFERENCE * max(1.0, float(expected.abs().max())):
            raise ExportError(
                f"{name} would differ from PyTorch by {difference:.1e} on random inputs, more than "
                f"the allowed {LARGEST_DIFFERENCE:.0e}: export without it"
            )
        largest = max(largest, difference)
    return largest

"""Networks in other programs' files: the same outputs, for every kind of network."""

import json
import zipfile
from random import Random

import numpy as np
import onnx
import pytest
import torch
from drawn_networks import draw_network
from exports import export_trial
from safetensors import safe_open
from torch import nn

from tune_app.config.sections import ExportedNetwork
from tune_app.config.trial_config import resolve_parameters
from tune_app.errors import BuildError, ExportError
from tune_app.models.network import build_network
from tune_app.report.export import network_formats
from tune_app.report.export.exported import load_export, weights_digest
from tune_app.report.export.network_formats import (
    LARGEST_DIFFERENCE,
    NormalizedNetwork,
    open_onnx,
    open_pt2,
    write_graphs,
)

BOTH = ("onnx", "pt2")
NOTES = {"classes": '["a", "b"]'}


def trained_alike(model, config, input_shape, outputs, dtype) -> NormalizedNetwork:
    """A network that is not as it was initialised: its batch norms have seen data."""
    torch.manual_seed(0)
    network = build_network(model, config, input_shape, outputs)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(part.running_mean)
            nn.init.uniform_(part.running_var, 0.5, 2)
    channels = input_shape[0]
    origin = ExportedNetwork(
        sweep="made",
        trial="t0001",
        seed=0,
        input_shape=input_shape,
        outputs=outputs,
        mean=[0.3 + channel / 10 for channel in range(channels)],
        std=[0.2 + channel / 10 for channel in range(channels)],
        data_digest="0" * 64,
    )
    return NormalizedNetwork(network, origin, dtype).eval()


def require_same_outputs(network, folder):
    """Write both programs and run them in batches of other sizes than they were checked with."""
    written = write_graphs(BOTH, network, folder, NOTES)
    assert sorted(written) == ["network.onnx", "network.pt2"]
    for name, opened in (("network.onnx", open_onnx), ("network.pt2", open_pt2)):
        run = opened(folder / name, 1)
        for count in (1, 2, 33):
            inputs = network.random_inputs(count, seed=count)
            with torch.inference_mode():
                expected = network(inputs)
            scale = max(1.0, float(expected.abs().max()))
            difference = float((run(inputs) - expected).abs().max())
            assert difference <= LARGEST_DIFFERENCE * scale
            assert written[name] <= LARGEST_DIFFERENCE * scale
    onnx.checker.check_model(folder / "network.onnx", full_check=True)


CNN = {
    "conv_layers": 3,
    "channels": 5,
    "channel_growth": 1.4,
    "kernel_size": 4,
    "conv": "separable",
    "residual": True,
    "batch_norm": True,
    "head": "gap",
    "activation": "leaky_relu",
}
FLAT = {
    "conv_layers": 2,
    "channels": 6,
    "padding": 0,
    "residual": True,
    "pool": "avg",
    "head_widths": [9],
    "activation": "gelu",
    "dropout": 0.3,
}


@pytest.mark.parametrize(
    ("model", "values", "input_shape", "outputs", "dtype"),
    [
        ("cnn", CNN, (3, 16, 16), 10, "uint8"),
        ("cnn", FLAT, (1, 12, 20), 2, "float32"),
        ("fcn", {"widths": [8, 8], "activation": "tanh"}, (1,), 1, "float32"),
        ("fcn", {"width": 20, "batch_norm": True}, (1, 8, 8), 10, "uint8"),
    ],
    ids=["separable residual", "flat", "regression", "fcn of images"],
)
def test_both_programs_give_the_networks_outputs(
    model, values, input_shape, outputs, dtype, tmp_path
):
    config = resolve_parameters(model, values, fill=False)
    network = trained_alike(model, config, input_shape, outputs, dtype)
    require_same_outputs(network, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(24))
def test_drawn_networks_give_the_same_outputs_in_both_programs(number, tmp_path):
    rng = Random(f"export {number}")
    while True:
        model = ("fcn", "cnn")[number % 2]
        try:
            drawn = draw_network(model, rng)
            network = trained_alike(model, *drawn, rng.choice(["uint8", "float32"]))
        except BuildError:
            continue
        return require_same_outputs(network, tmp_path)


@pytest.fixture
def small_network():
    config = resolve_parameters("fcn", {"widths": [4]}, fill=False)
    return trained_alike("fcn", config, (1, 4, 4), 3, "uint8")


def test_the_normalisation_is_in_the_program(small_network, tmp_path):
    write_graphs(["onnx"], small_network, tmp_path, NOTES)
    pixels = np.random.default_rng(0).integers(256, size=(9, 1, 4, 4), dtype=np.uint8)
    scaled = torch.from_numpy((pixels / 255 - 0.3) / 0.2).float()
    with torch.inference_mode():
        expected = small_network.network(scaled)
    outputs = open_onnx(tmp_path / "network.onnx", 1)(torch.from_numpy(pixels))
    assert torch.allclose(outputs, expected, atol=1e-5)


def test_an_onnx_model_says_what_it_takes_and_what_its_outputs_are(small_network, tmp_path):
    write_graphs(["onnx"], small_network, tmp_path, NOTES)
    assert [path.name for path in tmp_path.iterdir()] == ["network.onnx"]
    model = onnx.load(tmp_path / "network.onnx")
    (taken,), (given,) = model.graph.input, model.graph.output
    sizes = [size.dim_param or size.dim_value for size in taken.type.tensor_type.shape.dim]
    assert (taken.name, sizes) == ("inputs", ["batch", 1, 4, 4])
    assert taken.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert given.name == "outputs"
    assert {note.key: note.value for note in model.metadata_props} == NOTES


def test_programs_name_no_files_of_the_machine_that_wrote_them(small_network, tmp_path):
    write_graphs(BOTH, small_network, tmp_path, NOTES)
    with zipfile.ZipFile(tmp_path / "network.pt2") as archive:
        parts = [archive.read(name) for name in archive.namelist()]
    for part in (*parts, (tmp_path / "network.onnx").read_bytes()):
        assert b"export_formats.py" not in part


def off_by(difference, opened):
    def open_file(path, threads):
        run = opened(path, threads)
        return lambda inputs: run(inputs) + difference

    return open_file


@pytest.mark.parametrize("difference", [2e-5, float("nan")], ids=str)
@pytest.mark.parametrize("name", ["network.onnx", "network.pt2"])
def test_a_program_with_other_outputs_is_not_exported(
    store, tmp_path, monkeypatch, name, difference
):
    opener = off_by(difference, network_formats.OPENERS[name])
    monkeypatch.setitem(network_formats.OPENERS, name, opener)
    # A network of small outputs: the difference is allowed as a share of large ones.
    with pytest.raises(ExportError, match=f"^{name} would differ from PyTorch by"):
        export_trial(store, "curve", tmp_path / "new", trial_id="t0001", formats=BOTH)
    assert not (tmp_path / "new").exists()
    assert not list(tmp_path.glob(".export-*"))


def test_what_an_exporter_cannot_do_is_said_in_a_line(small_network, tmp_path):
    class Branching(nn.Module):
        def forward(self, x):
            return x.flatten(1) if x.sum() > 0 else -x.flatten(1)

    small_network.network = Branching()
    with pytest.raises(ExportError) as raised:
        write_graphs(BOTH, small_network, tmp_path, NOTES)
    text = str(raised.value)
    assert text.startswith(
        "torch.export cannot trace the network, which predict.py, network.pt2 and"
    )
    assert "use torch.where or torch.cond instead" in text
    assert "\n" not in text
    assert not list(tmp_path.iterdir())


def test_each_file_holds_the_preprocessing_and_the_classes(store, tmp_path):
    export_trial(store, "images", tmp_path / "new", formats=("pt", "safetensors", "onnx", "pt2"))
    folder = tmp_path / "new"
    resolved = store.get_sweep("images").resolved
    model = onnx.load(folder / "network.onnx")
    extra = {"metadata.json": ""}
    torch.export.load(folder / "network.pt2", extra_files=extra)
    with safe_open(folder / "weights.safetensors", "pt") as file:
        header = file.metadata()
    for notes in (
        {note.key: note.value for note in model.metadata_props},
        json.loads(extra["metadata.json"]),
        header,
    ):
        assert tuple(json.loads(notes["mean"])) == resolved.mean
        assert tuple(json.loads(notes["std"])) == resolved.std
        assert json.loads(notes["classes"]) == ["3", "5", "8"]
        assert json.loads(notes["input_shape"]) == [1, 8, 8]
        assert notes["input_dtype"] == "uint8"
        assert notes["config"] == (folder / "config.yaml").read_text()
    with np.load(folder / "preprocessing.npz") as file:
        constants = dict(file)
    assert tuple(constants["mean"]) == resolved.mean
    assert tuple(constants["std"]) == resolved.std
    assert constants["classes"].tolist() == ["3", "5", "8"]
    assert constants["input_shape"].tolist() == [1, 8, 8]
    assert constants["input_dtype"] == "uint8"


def test_safetensors_hold_the_same_weights(store, tmp_path):
    export_trial(store, "images", tmp_path / "new", formats=["safetensors"])
    states = [
        load_export(tmp_path / "new", file).network.state_dict()
        for file in ("weights.pt", "weights.safetensors")
    ]
    assert weights_digest(states[0]) == weights_digest(states[1])

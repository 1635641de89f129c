"""predict.py of an export runs without tune_app, in a process of its own."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from exports import export_trial

from tune_app.report.export.exported import load_export

# Modules that are None in sys.modules cannot be imported.
RUNNER = """\
import runpy, sys
sys.modules.update(dict.fromkeys({blocked}))
sys.argv = ["predict.py", *sys.argv[1:]]
runpy.run_path("predict.py", run_name="__main__")
names = ("onnxruntime", "torch", "tune_app")
print("loaded:", *(name for name in names if sys.modules.get(name) is not None))
"""


def predict(folder, inputs, *blocked):
    np.save(folder / "inputs.npy", inputs)
    done = subprocess.run(
        [sys.executable, "-I", "-c", RUNNER.format(blocked=blocked), "inputs.npy"],
        cwd=folder,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    *answers, loaded = done.stdout.splitlines()
    return answers, loaded.removeprefix("loaded: ").split()


@pytest.mark.parametrize(
    ("formats", "blocked", "loaded"),
    [
        (["pt"], ("tune_app", "onnxruntime"), ["torch"]),
        (["onnx"], ("tune_app", "torch"), ["onnxruntime"]),
    ],
    ids=["torch only", "onnxruntime only"],
)
def test_it_prints_the_class_of_each_input(store, tmp_path, formats, blocked, loaded):
    folder = tmp_path / "best"
    export_trial(store, "images", folder, formats=formats)
    images = np.random.default_rng(0).integers(256, size=(300, 1, 8, 8), dtype=np.uint8)
    export = load_export(folder)
    expected = [export.classes[i] for i in export(torch.from_numpy(images)).argmax(1)]
    assert len(set(expected)) > 1
    assert predict(folder, images, *blocked) == (expected, loaded)


def test_it_prints_the_values_of_a_regression(store, tmp_path):
    folder = tmp_path / "best"
    export_trial(store, "curve", folder, formats=["onnx"])
    rows = np.linspace(-1, 1, 7).reshape(-1, 1)  # float64, as NumPy makes it
    expected = load_export(folder)(torch.from_numpy(rows).float())[:, 0].tolist()
    answers, _ = predict(folder, rows, "tune_app", "torch")
    assert list(map(float, answers)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("formats", [["pt"], ["onnx"]], ids=["torch", "onnx"])
@pytest.mark.parametrize("sweep", ["images", "curve"])
def test_it_is_of_some_ten_lines(store, tmp_path, sweep, formats):
    export_trial(store, sweep, tmp_path / "best", trial_id="t0001", formats=formats)
    _, _, code = (tmp_path / "best" / "predict.py").read_text().split('"""')
    assert len([line for line in code.splitlines() if line]) <= 11


def test_without_inputs_it_says_what_it_takes(store, tmp_path):
    export_trial(store, "curve", tmp_path / "best", trial_id="t0001", formats=["onnx"])
    command = [sys.executable, str(tmp_path / "best" / "predict.py")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "python predict.py inputs.npy" in ran.stderr
    assert "Traceback" not in ran.stderr

"""The script predict.py of an export, which runs without tune_app."""

from tune_app.config.sections import ExportedNetwork
from tune_app.report.export.exported import ONNX_FILE, PREPROCESSING_FILE, PT2_FILE

_ONNX = '''\
"""Print {what} of every input: python predict.py inputs.npy

inputs.npy: {dtype} ({shape}), as the data set holds them. Needs onnxruntime and numpy.
"""
import sys
from pathlib import Path

import numpy as np
import onnxruntime

{classes}network = onnxruntime.InferenceSession(Path(__file__).with_name("{file}"))
inputs = np.load(sys.argv[1] if sys.argv[1:] else sys.exit(__doc__)){cast}
for batch in np.array_split(inputs, len(inputs) // 256 + 1):
    outputs = network.run(None, {{"inputs": batch}})[0]
    print(*{answer}, sep="\\n")
'''
_PT2 = '''\
"""Print {what} of every input: python predict.py inputs.npy

inputs.npy: {dtype} ({shape}), as the data set holds them. Needs torch and numpy.
"""
import sys
from pathlib import Path

import numpy as np
import torch

{classes}network = torch.export.load(Path(__file__).with_name("{file}")).module()
inputs = np.load(sys.argv[1] if sys.argv[1:] else sys.exit(__doc__)){cast}
for batch in torch.from_numpy(inputs).split(256):
    outputs = network(batch).detach().numpy()
    print(*{answer}, sep="\\n")
'''


def predict_script(origin: ExportedNetwork, dtype: str, *, onnx: bool) -> str:
    """Return a script of about ten lines that runs network.onnx or, without `onnx`, network.pt2."""
    template, file = (_ONNX, ONNX_FILE) if onnx else (_PT2, PT2_FILE)
    named = bool(origin.classes)
    return template.format(
        file=file,
        what="the class" if named else "the predicted value",
        dtype=dtype,
        shape=", ".join(["N", *map(str, origin.input_shape)]),
        classes=f'classes = np.load(Path(__file__).with_name("{PREPROCESSING_FILE}"))["classes"]\n'
        if named
        else "",
        # Only floats are converted: a cast to bytes would turn all numbers from 0 to 1 into 0.
        cast='.astype("float32")' if dtype == "float32" else "",
        answer="classes[outputs.argmax(1)]" if named else "outputs[:, 0]",
    )

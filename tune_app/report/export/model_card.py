"""The model card of an export, README.md: what the network is, how to use it, its limits."""

import textwrap
from collections.abc import Collection, Mapping, Sequence

from tune_app.config.sections import ExportedNetwork
from tune_app.config.sweep import SweepConfig
from tune_app.models.network_plan import NetworkPlan, Shape
from tune_app.report.export.export_choice import ExportChoice
from tune_app.report.export.export_contents import Measurements, ProgramFile, input_dtype
from tune_app.report.export.exported import ONNX_FILE, SCRIPT_FILE
from tune_app.results.statistics import wilson_interval
from tune_app.results.tables.markup.markdown import MARKDOWN

_KINDS = {"fcn": "fully connected", "cnn": "convolutional"}
_FILES = {
    "predict.py": "runs the network without tune_app",
    "network.onnx": "the network with its normalisation, for ONNX runtimes",
    "network.pt2": "the network with its normalisation, for `torch.export.load`",
    "weights.pt": "the weights and buffers, as a state dict",
    "weights.safetensors": "the weights and buffers, with config.yaml in the header",
    "config.yaml": "every parameter of the network and of its training",
    "preprocessing.npz": "the constants of the normalisation and the class names",
    "metrics.json": "all results, with the versions and hardware that produced them",
    "code": "the user code that config.yaml names; load_export and `tune-app evaluate` run it",
}
_TIMES = (
    "Times are medians, measured in PyTorch on one thread of the CPU that wrote the export "
    "(`inference_processor` in metrics.json)."
)
_CARD = """\
# {title}

A {kind} network with {weights:,} weights, trained on {dataset}.{chosen}

{facts}

## Data

{data}

## Use

{script} With tune_app:

```python
import torch
from tune_app.report.export.exported import load_export

network = load_export(".")  # the folder of this file
inputs = {inputs}  # replace with your inputs
print({answer})
```

{files}

{checked}

## Network

{layers}

Shapes do not include the batch. `tune-app run config.yaml` trains this configuration again{again}.

## How it was measured

{protocol}

## Limits

{limits}
"""


def model_card(
    choice: ExportChoice,
    config: SweepConfig,
    plan: NetworkPlan,
    measured: Measurements,
    files: Collection[str],
) -> str:
    """Return the model card in Markdown.

    `config` is the exported search file, `plan` the layers of its network, and `files` are the
    names of the other files in the folder.
    """
    sweep, trial = choice.sweep, choice.trial
    origin = config.exported
    assert origin is not None
    layers = [
        (layer.name, layer.kind, _shape(layer.in_shape), _shape(layer.out_shape), layer.weights)
        for layer in plan.layers
    ]
    dtype, size = input_dtype(sweep), ", ".join(map(str, origin.input_shape))
    final = trial.stage == "final"
    return _CARD.format(
        title=f"{sweep.name}, trial {trial.trial_id}",
        kind=_KINDS.get(config.model, f"`{config.model}`"),
        weights=plan.weights,
        dataset=sweep.dataset,
        chosen=f"\n\n{which_replicate(choice)}" if final else "",
        facts=markdown_table(("", ""), _facts(choice, measured)),
        data=_data(choice, config, origin),
        script=_script(origin, files, f"`{dtype} (N, {size})`", is_bytes=dtype == "uint8"),
        inputs=f"torch.zeros(1, {size}, dtype=torch.{dtype})",
        answer="[network.classes[i] for i in network(inputs).argmax(1)]"
        if origin.classes
        else "network(inputs)",
        files=markdown_table(
            ("file", "holds"), [(f"`{n}`", _FILES[n]) for n in _FILES if n in files]
        ),
        checked=_checked(measured.files),
        layers=markdown_table(("layer", "kind", "from", "to", "weights"), layers),
        again=": as a search with one trial, then with several seeds and the test split"
        if final
        else "",
        protocol=_points(*(_final_protocol if final else _search_protocol)(choice, config), _TIMES),
        limits=_points(
            *(_final_limits if final else _search_limits)(choice),
            "The network has an output for any input, but the output is meaningful only for inputs "
            f"like those of {sweep.dataset}.",
        ),
    )


def _script(origin: ExportedNetwork, files: Collection[str], inputs: str, *, is_bytes: bool) -> str:
    """Return how to use predict.py, or why it is missing if the network could not be traced."""
    array = f"{inputs}{', bytes from 0 to 255' if is_bytes else ' as in the data set'}"
    if SCRIPT_FILE not in files:
        return (
            "torch.export cannot trace this network, so there is no predict.py and no program for "
            f"other runtimes. The network takes an array {array}, and normalises it itself."
        )
    answers = "the class" if origin.classes else "the predicted value"
    runtime = "onnxruntime" if ONNX_FILE in files else "torch"
    return (
        f"`python {SCRIPT_FILE} inputs.npy` prints {answers} for every input in `inputs.npy`, an "
        f"array {array}. The network normalises the inputs itself. The script needs {runtime} and "
        "numpy, but not tune_app."
    )


def which_replicate(choice: ExportChoice) -> str:
    """Return a sentence that says which of a winner's replicates a final trial is."""
    trial, winner = choice.trial, choice.winner
    if winner is None:
        return f"Configuration {trial.source}, retrained in the final stage."
    what = f"Configuration {trial.source}, retrained with {winner.seeds} seeds"
    if choice.is_first_seed:
        return (
            f"{what}; this is the network of the first seed, chosen before the test split was read."
        )
    return f"{what}; this network was chosen by its id and is not that of the first seed."


def _facts(choice: ExportChoice, measured: Measurements) -> list[tuple[str, object]]:
    trial, facts = choice.trial, dict[str, object]()
    if trial.stage == "final":
        facts |= _winner_facts(choice)
        facts["test accuracy of this network"] = trial.test_accuracy
        facts["macro-F1 of this network on the test split"] = measured.macro_f1
        facts["test loss of this network"] = trial.test_loss
    else:
        if trial.val_accuracy is not None:
            count = choice.sweep.resolved.validation_count
            interval = wilson_interval(trial.val_accuracy, count)
            facts["validation accuracy"] = trial.val_accuracy
            facts["95 % interval of the accuracy"] = _range(interval)
            facts["macro-F1"] = "measured by `tune-app evaluate .`"
        facts["validation loss"] = trial.val_loss
    facts |= {
        "weights": trial.weights,
        "weight budget": trial.budget,
        "multiply-adds per example": trial.macs,
    }
    for batch, seconds in measured.inference_seconds.items():
        many = "one at a time" if batch == "1" else f"in batches of {batch}"
        facts[f"time per example, {many}"] = _time(seconds)
    return [(name, value) for name, value in facts.items() if value is not None]


def _winner_facts(choice: ExportChoice) -> dict[str, object]:
    """Return the results of a winner over all its replicates."""
    winner = choice.winner
    if winner is None:
        return {}
    metric = str(winner.metric).replace("_", " ")
    mean, std, interval = winner.test_mean, winner.test_std, winner.test_ci95
    spread = "" if std is None else f" ± {std:.4f}"
    return {
        f"{metric}, mean ± standard deviation over {winner.seeds} seeds": f"{mean:.4f}{spread}",
        "95 % interval of the mean": None if interval is None else _range(interval),
    }


def _data(choice: ExportChoice, config: SweepConfig, origin: ExportedNetwork) -> str:
    resolved = choice.sweep.resolved
    counts = f"{resolved.train_count:,} examples for training and "
    counts += f"{resolved.validation_count:,} for validation"
    lines = [f"{config.dataset.name}: {counts}."]
    chosen = config.dataset.model_dump(exclude_defaults=True, exclude={"name"})
    if chosen:
        named = ", ".join(f"{name} {value}" for name, value in chosen.items())
        lines.append(f"Options of the data set: {named}.")
    names = ", ".join(origin.classes)
    if len(names) < 200:
        lines.append(
            f"Classes: {names}." if names else "The network predicts a number, not a class."
        )
    return _points(*lines, f"SHA-256 of the data: `{origin.data_digest}`.")


def _checked(files: Mapping[str, ProgramFile]) -> str:
    if not files:
        return ""
    differences = [
        f"{file.largest_difference:.0e} (`{name}`)"
        if file.largest_difference
        else f"none (`{name}`)"
        for name, file in sorted(files.items())
    ]
    return f"Largest difference from PyTorch's outputs on random inputs: {', '.join(differences)}."


def _search_protocol(choice: ExportChoice, config: SweepConfig) -> list[str]:
    trial, resolved = choice.trial, choice.sweep.resolved
    interval = ["The interval is Wilson's; it covers the choice of the validation examples."]
    return [
        f"The search used the training set only: {resolved.train_count:,} examples for training, "
        f"and {resolved.validation_count:,} held out for validation. All results above are "
        "measured on the validation examples. The test split was not read.",
        f"They were measured in float32 after epoch {trial.best_epoch} of {trial.epochs}, the best "
        f"epoch by {config.objective.metric}. `tune-app evaluate .` measures them again.",
        *(interval if trial.val_accuracy is not None else []),
    ]


def _final_protocol(choice: ExportChoice, config: SweepConfig) -> list[str]:
    trial, resolved = choice.trial, choice.sweep.resolved
    learnt = resolved.train_count + resolved.validation_count
    return [
        f"The configuration was chosen by {config.objective.metric} among {choice.searched} trials "
        "of a search that did not read the test split.",
        "It was then trained from scratch, with seeds that the search had not used, on all "
        f"{learnt:,} training and validation examples. After the last of {trial.epochs} epochs it "
        "was measured once on the test split, in float32. `tune-app evaluate .` reads that split "
        "again, and notes the reading in test_readings.jsonl.",
        "Inputs are normalised by the mean and standard deviation of the training examples of the "
        "search.",
        "The standard deviation is over seeds, and the interval of the mean is Student's t "
        "interval.",
    ]


def _search_limits(choice: ExportChoice) -> list[str]:
    return [
        f"The epoch, and the trial among {choice.searched}, were chosen by the validation results, "
        "which are therefore optimistic: expect somewhat worse results on new data."
    ]


def _final_limits(choice: ExportChoice) -> list[str]:
    return ["The results apply to new data only if these are similar to the test split."]


def _points(*paragraphs: str) -> str:
    return "\n".join(
        textwrap.fill(
            text,
            100,
            initial_indent="- ",
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for text in paragraphs
    )


def _range(interval: Sequence[float]) -> str:
    low, high = interval
    return f"{low:.4f} to {high:.4f}"


def _time(seconds: float) -> str:
    if seconds < 1e-3:
        return f"{seconds * 1e6:.3g} µs"
    return f"{seconds * 1e3:.3g} ms"


def markdown_table(headings: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> str:
    """Return a table whose cells may hold Markdown; numbers get four decimals or commas."""
    lines = [headings, ("---",) * len(headings), *rows]
    return MARKDOWN.table_lines(map(_cell, line) for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _shape(shape: Shape) -> str:
    return " x ".join(map(str, shape))

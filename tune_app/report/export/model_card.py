"""What an exported network is, for who finds it later: the README.md of an export."""

import textwrap
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tune_app.config.sections import ExportedNetwork
from tune_app.config.sweep import SweepConfig
from tune_app.models.plan import NetworkPlan, Shape
from tune_app.report.export.export_choice import ExportChoice
from tune_app.report.export.exported import ONNX_FILE, SCRIPT_FILE
from tune_app.results.statistics import wilson_interval
from tune_app.results.tables.markup.markdown import MARKDOWN

_KINDS = {"fcn": "fully connected", "cnn": "convolutional"}
_FILES = {
    "predict.py": "runs the network without tune_app",
    "network.onnx": "the network with its normalisation, for ONNX runtimes",
    "network.pt2": "the network with its normalisation, for `torch.export.load`",
    "weights.pt": "its tensors, a state dict",
    "weights.safetensors": "its tensors, and all of config.yaml in the header",
    "config.yaml": "every parameter of the network and of its training",
    "preprocessing.npz": "the normalisation's constants and the names of the classes",
    "metrics.json": "what was measured, and with what",
    "code": "the functions that config.yaml names, which load_export and evaluate run",
}
_TIMES = (
    "Times are medians in PyTorch, on one thread of the CPU that exported it, "
    "`inference_processor` in metrics.json."
)
_CARD = """\
# {title}

A {kind} network of {weights:,} weights that learnt {dataset}.{chosen}

{facts}

## Data

{data}

## Use

{script} With tune_app:

```python
import torch
from tune_app.report.export.exported import load_export

network = load_export(".")  # the folder of this file
inputs = {inputs}  # put yours here
print({answer})
```

{files}

{checked}

## Network

{layers}

Shapes leave out the batch. `tune-app run config.yaml` trains this configuration again{again}.

## How it was measured

{protocol}

## Limits

{limits}
"""


def model_card(
    choice: ExportChoice,
    config: SweepConfig,
    plan: NetworkPlan,
    metrics: Mapping[str, Any],
    files: Collection[str],
) -> str:
    """Return the card's Markdown.

    `config` is the exported search file, `plan` its network's, `metrics` what metrics.json holds,
    `files` the names of those that lie beside the card.
    """
    sweep, trial = choice.sweep, choice.trial
    origin = config.exported
    assert origin is not None
    layers = [
        (layer.name, layer.kind, _shape(layer.in_shape), _shape(layer.out_shape), layer.weights)
        for layer in plan.layers
    ]
    dtype, size = metrics["input_dtype"], ", ".join(map(str, origin.input_shape))
    final = trial.stage == "final"
    return _CARD.format(
        title=f"{sweep.name}, trial {trial.trial_id}",
        kind=_KINDS.get(config.model, f"`{config.model}`"),
        weights=plan.weights,
        dataset=sweep.dataset,
        chosen=f"\n\n{which_replicate(choice)}" if final else "",
        facts=markdown_table(("", ""), _facts(choice, metrics)),
        data=_data(choice, config, origin),
        script=_script(origin, files, f"`{dtype} (N, {size})`", is_bytes=dtype == "uint8"),
        inputs=f"torch.zeros(1, {size}, dtype=torch.{dtype})",
        answer="[network.classes[i] for i in network(inputs).argmax(1)]"
        if origin.classes
        else "network(inputs)",
        files=markdown_table(
            ("file", "holds"), [(f"`{n}`", _FILES[n]) for n in _FILES if n in files]
        ),
        checked=_checked(metrics["files"]),
        layers=markdown_table(("layer", "kind", "from", "to", "weights"), layers),
        again=": in a search of one trial, then over seeds and with the test" if final else "",
        protocol=_points(*(_final_protocol if final else _search_protocol)(choice, config), _TIMES),
        limits=_points(
            *(_final_limits if final else _search_limits)(choice),
            "It answers whatever it is given; only for inputs like those of "
            f"{sweep.dataset} does that mean something.",
        ),
    )


def _script(origin: ExportedNetwork, files: Collection[str], inputs: str, *, is_bytes: bool) -> str:
    """Return how predict.py is used; of a network that could not be traced, that it is missing."""
    given = f"{inputs}{', bytes from 0 to 255' if is_bytes else ' as in the data set'}"
    if SCRIPT_FILE not in files:
        return (
            "torch.export cannot trace this network: there is no predict.py, and no program for "
            f"other runtimes. It takes an array {given}, and normalises it itself."
        )
    answers = "the class" if origin.classes else "the predicted value"
    runtime = "onnxruntime" if ONNX_FILE in files else "torch"
    return (
        f"`python {SCRIPT_FILE} inputs.npy` prints {answers} of every input in `inputs.npy`, an "
        f"array {given}. The network normalises them itself. The script needs {runtime} and numpy, "
        "not tune_app."
    )


def which_replicate(choice: ExportChoice) -> str:
    """Return, in a sentence, which of a winner's replicates a final trial is."""
    trial, winner = choice.trial, choice.winner
    if winner is None:
        return f"Configuration {trial.source}, trained again for the final stage."
    what = f"Configuration {trial.source}, trained again with {winner.seeds} seeds"
    if choice.is_first_seed:
        return f"{what}: the first seed's network, whatever the others measured on the test split."
    return f"{what}: one of these networks, asked for by its id; not the first seed's."


def _facts(choice: ExportChoice, metrics: Mapping[str, Any]) -> list[tuple[str, object]]:
    trial, facts = choice.trial, dict[str, object]()
    if trial.stage == "final":
        facts |= _winner_facts(choice)
        facts["test accuracy of this network"] = trial.test_accuracy
        facts["macro-F1 of this network, on the test split"] = metrics["macro_f1"]
        facts["test loss of this network"] = trial.test_loss
    else:
        if trial.val_accuracy is not None:
            count = choice.sweep.resolved.validation_count
            interval = wilson_interval(trial.val_accuracy, count)
            facts["validation accuracy"] = trial.val_accuracy
            facts["its 95 % interval"] = _range(interval)
            facts["macro-F1"] = "`tune-app evaluate .` measures it"
        facts["validation loss"] = trial.val_loss
    facts |= {
        "weights": trial.weights,
        "weight budget": trial.budget,
        "multiply-adds per example": trial.macs,
    }
    for batch, seconds in metrics["inference_seconds"].items():
        many = "one at a time" if batch == "1" else f"in batches of {batch}"
        facts[f"time per example, {many}"] = _time(seconds)
    return [(name, value) for name, value in facts.items() if value is not None]


def _winner_facts(choice: ExportChoice) -> dict[str, object]:
    """Return what the replicates of a winner measured together."""
    winner = choice.winner
    if winner is None:
        return {}
    metric = str(winner.metric).replace("_", " ")
    mean, std, interval = winner.test_mean, winner.test_std, winner.test_ci95
    spread = "" if std is None else f" ± {std:.4f}"
    return {
        f"{metric}, mean ± std of {winner.seeds} seeds": f"{mean:.4f}{spread}",
        "the mean's 95 % interval": None if interval is None else _range(interval),
    }


def _data(choice: ExportChoice, config: SweepConfig, origin: ExportedNetwork) -> str:
    resolved = choice.sweep.resolved
    counts = f"{resolved.train_count:,} examples to learn from and "
    counts += f"{resolved.validation_count:,} for validation"
    lines = [f"{config.dataset.name}: {counts}."]
    chosen = config.dataset.model_dump(exclude_defaults=True, exclude={"name"})
    if chosen:
        named = ", ".join(f"{name} {value}" for name, value in chosen.items())
        lines.append(f"Options of the data set: {named}.")
    names = ", ".join(origin.classes)
    if len(names) < 200:
        lines.append(f"Classes: {names}." if names else "A number is predicted, not a class.")
    return _points(*lines, f"SHA-256 of what was read: `{origin.data_digest}`.")


def _checked(files: Mapping[str, Mapping[str, Any]]) -> str:
    if not files:
        return ""
    said = [
        f"{difference:.0e} (`{name}`)" if difference else f"none (`{name}`)"
        for name in sorted(files)
        for difference in [files[name]["largest_difference"]]
    ]
    return f"Largest difference of outputs from PyTorch's, for random inputs: {', '.join(said)}."


def _search_protocol(choice: ExportChoice, config: SweepConfig) -> list[str]:
    trial, resolved = choice.trial, choice.sweep.resolved
    interval = ["The interval is Wilson's, for other examples of the kind."]
    return [
        f"The search saw the training set only: {resolved.train_count:,} examples to learn "
        f"from, and {resolved.validation_count:,} held out for validation, which all numbers "
        "above are of. The test split was not read.",
        f"They were measured in float32 after epoch {trial.best_epoch} of the {trial.epochs} that "
        f"were trained, the best one by {config.objective.metric}. `tune-app evaluate .` measures "
        "them again.",
        *(interval if trial.val_accuracy is not None else []),
    ]


def _final_protocol(choice: ExportChoice, config: SweepConfig) -> list[str]:
    trial, resolved = choice.trial, choice.sweep.resolved
    learnt = resolved.train_count + resolved.validation_count
    return [
        f"{config.objective.metric} chose the configuration, among {choice.searched} trials of a "
        "search that did not read the test split.",
        "It was then trained from scratch, with seeds that the search had not used, on training "
        f"and validation examples together, {learnt:,}. After the last of {trial.epochs} epochs "
        "it was measured on the test split, once, in float32. `tune-app evaluate .` reads that "
        "split again, and notes the reading in test_readings.jsonl.",
        "Inputs are normalised by the mean and deviation of the search's training examples.",
        "The spread is over seeds, and the interval of their mean is Student's t.",
    ]


def _search_limits(choice: ExportChoice) -> list[str]:
    return [
        f"Validation chose this epoch, and this trial out of {choice.searched}, so the numbers "
        "flatter it: on new data expect somewhat less."
    ]


def _final_limits(choice: ExportChoice) -> list[str]:
    return ["The numbers hold for new data as far as these are like the test split."]


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


def markdown_table(heads: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> str:
    """Return a table in Markdown, numbers with four digits or with commas."""
    lines = [heads, ("---",) * len(heads), *rows]
    return MARKDOWN.table_lines(map(_cell, line) for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _shape(shape: Shape) -> str:
    return " x ".join(map(str, shape))

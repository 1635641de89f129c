"""Generate the documentation page and the JSON Schema of search files from the models."""

from collections.abc import Iterable, Iterator
from inspect import getdoc
from typing import Any

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from tune_app.config.durations import format_duration
from tune_app.config.named_metrics import METRICS
from tune_app.config.parameters import (
    CnnParameters,
    FcnParameters,
    ReadUnless,
    ReadWhere,
    TrainingParameters,
)
from tune_app.config.parsing.fields import (
    ConfigSection,
    annotation_of,
    describe,
    keys_of,
    leaves_of,
    show,
)
from tune_app.config.parsing.spelling import options_of
from tune_app.config.sections import (
    Baseline,
    DatasetConfig,
    ExportedNetwork,
    FinalConfig,
    Objective,
    RecordConfig,
    Resources,
    SchedulerConfig,
    SearchConfig,
)
from tune_app.config.space import FloatRange
from tune_app.config.sweep import SweepConfig

EXAMPLE = """\
name: fashion_mnist_cnn            # name of the sweep; letters, digits and ._-
dataset:
  name: fashion_mnist              # found in the data root, or downloaded there
  validation: 0.1                  # a tenth of the training set is held out to judge trials
model: cnn                         # or fcn
budgets: [10k, 20k, 50k, 100k]     # weights; each budget has its ranking; leave out for no limit
budget_mode: fill                  # solve the channels that use the budget as fully as possible
max_macs: 20M                      # most multiply-adds per image, so that no trial is too slow
objective: {metric: val_accuracy}

parameters:
  # A plain value is a constant.
  batch_norm: true
  epochs: 30
  # A mapping says how a parameter varies. Both ends of a range are included.
  conv_layers: {int: [2, 4]}
  kernel_size: {choice: [3, 5]}
  lr: {float: [1e-4, 1e-1], log: true}
  label_smoothing: {float: [0, 0.2], step: 0.1}
  optimizer: {choice: [adam, adamw, sgd, rmsprop]}
  batch_size: {choice: [64, 128, 256]}
  # A parameter may exist only for some values of others ...
  momentum: {float: [0.8, 0.99], when: {optimizer: [sgd, rmsprop]}}
  # ... or for some budgets. Constants can be conditional too.
  residual: {value: true, when: {budget: [50k, 100k]}}

search:
  sampler: tpe                     # or forest, random, grid
  trials: 200                      # divided among the budgets
  seed: 0
  time_limit: 30m
  start_with:                      # tried first; parameters left out are drawn
    - {lr: 1e-2, optimizer: sgd}
scheduler: {type: asha, grace_epochs: 3, reduction_factor: 3}
resources: {cpus_per_trial: 1, gpus_per_trial: auto, trial_time_limit: 20m}
final: {top: 3, seeds: 5}          # retrain the winners of each budget and test them once
baselines:
  - {model: knn, k: [1, 3, 5]}
"""

_INTRODUCTION = """\
# Search files

A search file describes a sweep: the data set, the kind of network, its weight budgets, the
parameters that vary, and the search. `tune-app run FILE` runs it; `tune-app check FILE` checks it
without training. All problems of a file are reported together, each with its line.

This page is generated from the models that check search files (`scripts/generate_docs`).

## An example

```yaml
"""

_SPACE = """\
```

Only `name`, `dataset` and `model` are required. The files in `search_spaces/` are studies to
start from; their first line lets editors with a YAML language server complete keys and values.

Numbers can be written as people write them: `1e-4` is a number. Only `true` and `false` are
booleans (`yes` and `no` are texts), and environment variables are not expanded. `--set` changes a
value for one run, as in `tune-app run FILE --set parameters.lr=1e-3`.

## How parameters vary

| written | meaning |
|---|---|
| `lr: 0.01` | a constant; a list is one too, as in `widths: [128, 64]` |
| `lr: {value: 0.01, when: ...}` | a constant with a condition |
| `layers: {int: [1, 4]}` | a whole number from 1 to 4, both ends included |
| `lr: {float: [1e-4, 1e-1]}` | a number from 0.0001 to 0.1, both ends included |
| `kernel_size: {choice: [3, 5]}` | one of the values, which may be lists too |

These keys can be added to a range, a choice or a conditional constant:

"""

_METRICS_TEXT = """\
A list of names, as in `metrics: [f1_macro, auroc]`. Each metric is measured on the validation
split after each epoch and appears in the record and the tables as `val_f1_macro`; the final stage
measures it on the test split as `test_f1_macro`. Metrics that are not listed are not computed. The
definitions are those of scikit-learn; torchmetrics computes them, so run
`pip install "tune-app[metrics]"`. An objective names a metric with its split,
`objective: {metric: val_f1_macro}`; the winners are then compared by it on the test split too."""

_SECTIONS: dict[str, tuple[type[ConfigSection], str]] = {
    "dataset": (DatasetConfig, ""),
    "objective": (Objective, ""),
    "search": (SearchConfig, ""),
    "scheduler": (SchedulerConfig, ""),
    "resources": (Resources, ""),
    "final": (FinalConfig, ""),
    "baselines": (Baseline, "A list, whose items have these keys."),
    "record": (RecordConfig, ""),
    "exported": (ExportedNetwork, ""),
}
_LINKED = ("metrics", *_SECTIONS)
_PARAMETERS: dict[str, tuple[type[ConfigSection], str]] = {
    "Parameters of an FCN": (
        FcnParameters,
        "Give the hidden layers as `widths`, or as `layers`, `width` and `taper`.",
    ),
    "Parameters of a CNN": (
        CnnParameters,
        "Give the conv layers as `channels_list`, or as `conv_layers`, `channels` and "
        "`channel_growth`.",
    ),
    "Parameters of the training": (TrainingParameters, ""),
}


def search_file_markdown() -> str:
    """Return the text of the page `docs/search-files.md`."""
    options = _table(
        (f"`{key}`", describe(annotation_of(info)), _default(info), info.description or "")
        for key, info in FloatRange.model_fields.items()
        if key in options_of("float")
    )
    parts = [_INTRODUCTION + EXAMPLE + _SPACE + options, "## The top of the file"]
    parts.append(_table(_rows(SweepConfig)))
    for title, (model, text) in {**_SECTIONS, **_PARAMETERS}.items():
        heading = f"`{title}`" if title in _SECTIONS else title
        parts += [f"## {heading}", " ".join(filter(None, [getdoc(model), text]))]
        parts.append(_table(_rows(model)))
        if title == "objective":
            parts += ["## `metrics`", _METRICS_TEXT, _metric_rows()]
    return "\n\n".join(parts) + "\n"


def _metric_rows() -> str:
    rows = [("name", "task", "best", "meaning"), ("---",) * 4]
    rows += [(f"`{name}`", one.task, one.mode, one.meaning) for name, one in METRICS.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _rows(model: type[ConfigSection]) -> Iterator[tuple[str, str, str, str]]:
    for key, info in keys_of(model).items():
        takes = f"see [{key}](#{key})" if key in _LINKED else describe(annotation_of(info))
        meaning = info.description or ""
        for rule in info.metadata:
            if isinstance(rule, ReadWhere | ReadUnless):
                meaning += f"; read only if {rule}"
        yield f"`{key}`", takes, _default(info), meaning


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    default = info.default
    if isinstance(default, ConfigSection):
        return "its defaults"
    if default is None or default in ((), {}):
        return "none"
    if info.alias and isinstance(default, float):
        return f"`{format_duration(default)}`"
    return f"`{default if isinstance(default, str) else show(default)}`"


def _table(rows: Iterable[tuple[str, str, str, str]]) -> str:
    head = [("key", "takes", "default", "meaning"), ("---",) * 4]
    return "\n".join(f"| {' | '.join(row)} |" for row in [*head, *rows])


def sweep_json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a search file, for completion in editors.

    It describes every key and value, but not the rules that join several of them.
    """
    schema: dict[str, Any] = _without_titles(SweepConfig.model_json_schema())
    for key in options_of("float"):
        info = FloatRange.model_fields[key]
        value = _without_titles(TypeAdapter(annotation_of(info)).json_schema())
        schema["$defs"][key] = {"description": info.description, **value}
    fields: dict[str, list[FieldInfo]] = {}
    for model, _ in _PARAMETERS.values():
        for name, info in model.model_fields.items():
            fields.setdefault(name, []).append(info)
    schema["properties"]["parameters"] = {
        "description": SweepConfig.model_fields["parameters"].description,
        "type": "object",
        "properties": {name: _parameter_schema(infos) for name, infos in fields.items()},
        "additionalProperties": False,
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _parameter_schema(infos: list[FieldInfo]) -> dict[str, Any]:
    """Return the schema of one parameter, from its fields in each kind of network that has it."""
    values: list[Any] = []
    leaves: set[Any] = set()
    for annotation in map(annotation_of, infos):
        leaves |= set(leaves_of(annotation))
        value = _without_titles(TypeAdapter(annotation).json_schema())
        if value not in values:
            values.append(value)
    value = values[0] if len(values) == 1 else {"anyOf": values}
    kinds: dict[str, Any] = {"choice": {"type": "array", "items": value}, "value": value}
    for kind, fits in (("int", {int, float} & leaves), ("float", float in leaves)):
        if fits:
            end = {"type": "integer" if kind == "int" else "number"}
            kinds[kind] = {"type": "array", "items": end, "minItems": 2, "maxItems": 2}
    options = {key: {"$ref": f"#/$defs/{key}"} for kind in kinds for key in options_of(kind)}
    spelled = {
        "type": "object",
        "properties": {**kinds, **options},
        "oneOf": [{"required": [kind]} for kind in kinds],
        "additionalProperties": False,
    }
    return {"description": infos[0].description, "anyOf": [value, spelled]}


def _without_titles(schema: Any) -> Any:
    """Return `schema` without the titles that pydantic derives from names."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _without_titles(value)
        for key, value in schema.items()
        if key != "title" or not isinstance(value, str)
    }

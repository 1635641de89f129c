"""The page on search files and the JSON Schema for editors, from the models that check files."""

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
name: fashion_mnist_cnn            # what the sweep is called; letters, digits and ._-
dataset:
  name: fashion_mnist              # downloaded, or found under the data root
  validation: 0.1                  # a tenth of the training set judges the trials
model: cnn                         # or fcn
budgets: [10k, 20k, 50k, 100k]     # weights; each has its own ranking; leave out for no limit
budget_mode: fill                  # solve the channels to come as close as possible from below
max_macs: 20M                      # multiply-adds per image, so that no trial takes for ever
objective: {metric: val_accuracy}

parameters:
  # A plain value is a constant.
  batch_norm: true
  epochs: 30
  # What varies says how. Both ends of a range are included.
  conv_layers: {int: [2, 4]}
  kernel_size: {choice: [3, 5]}
  lr: {float: [1e-4, 1e-1], log: true}
  label_smoothing: {float: [0, 0.2], step: 0.1}
  optimizer: {choice: [adam, adamw, sgd, rmsprop]}
  batch_size: {choice: [64, 128, 256]}
  # A parameter may exist only beside some values of others ...
  momentum: {float: [0.8, 0.99], when: {optimizer: [sgd, rmsprop]}}
  # ... or for some budgets. Constants can be conditional too.
  residual: {value: true, when: {budget: [50k, 100k]}}

search:
  sampler: tpe                     # or random, grid
  trials: 200                      # shared out among the budgets
  seed: 0
  time_limit: 30m
  start_with:                      # tried first; what is left out is drawn
    - {lr: 1e-2, optimizer: sgd}
scheduler: {type: asha, grace_epochs: 3, reduction_factor: 3}
resources: {cpus_per_trial: 1, gpus_per_trial: auto, trial_time_limit: 20m}
final: {top: 3, seeds: 5}          # retrain the winners of each budget, and test them once
baselines:
  - {model: knn, k: [1, 3, 5]}
"""

_INTRODUCTION = """\
# Search files

A search file says what a sweep is: what is learnt, by which kind of network, how large it may
be, what may vary, and how to search. `tune-app run FILE` runs it, `tune-app check FILE` reads
it and trains nothing. All problems of a file are reported together, each with its line.

This page is generated from the models that check the files (`scripts/generate_docs`).

## An example

```yaml
"""

_SPACE = """\
```

Only `name`, `dataset` and `model` must be given. The files in `search_spaces/` are studies to
start from; their first line makes editors with a YAML language server complete keys and values.

Numbers are written as people write them: `1e-4` is a number. `true` and `false` are the only
words for yes and no, and environment variables are not expanded. `--set` changes a value for one
run, as in `tune-app run FILE --set parameters.lr=1e-3`.

## What may vary

| written | is |
|---|---|
| `lr: 0.01` | a constant; so is a list, as in `widths: [128, 64]` |
| `lr: {value: 0.01, when: ...}` | a constant with a condition |
| `layers: {int: [1, 4]}` | a whole number from 1 to 4, both ends included |
| `lr: {float: [1e-4, 1e-1]}` | a number from 0.0001 to 0.1, both ends included |
| `kernel_size: {choice: [3, 5]}` | one of the values; these may be lists too |

Beside these may stand:

"""

_METRICS_TEXT = """\
Names, as in `metrics: [f1_macro, auroc]`: measured on the validation split after each epoch, in
the record and the tables as `val_f1_macro`, and in the final stage on the test split as
`test_f1_macro`. Nothing of this is computed unless it is asked for. The definitions are
scikit-learn's, the numbers torchmetrics': `pip install "tune-app[metrics]"`. An objective names one
with its split, `objective: {metric: val_f1_macro}`; winners are then compared by it on the test
split too."""

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
        "Hidden layers come as `widths`, or as `layers`, `width` and `taper`.",
    ),
    "Parameters of a CNN": (
        CnnParameters,
        "Conv layers come as `channels_list`, or as `conv_layers`, `channels` and "
        "`channel_growth`.",
    ),
    "Parameters of the training": (TrainingParameters, ""),
}


def search_file_markdown() -> str:
    """Return the page `docs/search-files.md`."""
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
    rows = [("name", "of", "good", "meaning"), ("---",) * 4]
    rows += [(f"`{name}`", own.task, own.mode, own.meaning) for name, own in METRICS.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _rows(model: type[ConfigSection]) -> Iterator[tuple[str, str, str, str]]:
    for key, info in keys_of(model).items():
        takes = f"see [{key}](#{key})" if key in _LINKED else describe(annotation_of(info))
        meaning = info.description or ""
        for rule in info.metadata:
            if isinstance(rule, ReadWhere | ReadUnless):
                meaning += f"; read where {rule}"
        yield f"`{key}`", takes, _default(info), meaning


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "must be given"
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

    It knows every key and value, but not the rules that join several of them.
    """
    schema: dict[str, Any] = _without_titles(SweepConfig.model_json_schema())
    for key in options_of("float"):
        info = FloatRange.model_fields[key]
        own = _without_titles(TypeAdapter(annotation_of(info)).json_schema())
        schema["$defs"][key] = {"description": info.description, **own}
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
    """Return the schema of one parameter, which both kinds of networks may have."""
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
    """Return `schema` without the titles that pydantic makes up from names."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _without_titles(value)
        for key, value in schema.items()
        if key != "title" or not isinstance(value, str)
    }

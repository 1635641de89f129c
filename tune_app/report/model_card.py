"""What an exported network is, for who finds it later: the README.md of an export."""

from collections.abc import Sequence

from tune_app.config.sweep import SweepConfig
from tune_app.models.network import plan_network
from tune_app.models.plan import Shape
from tune_app.results.store import SweepRecord, TrialRecord

_KINDS = {"fcn": "fully connected", "cnn": "convolutional"}
_CARD = """\
# {title}

A {kind} network of {weights:,} weights that learnt {dataset}.

{facts}

## Network

{layers}

Shapes leave out the batch. `config.yaml` holds every parameter, those of the training too.
`tune-app run config.yaml` trains this configuration again.

## Use

`inputs` are {inputs_text}. The network normalises them itself.

```python
import torch
from tune_app.report.exported import load_export

network = load_export(".")  # the folder of this file
inputs = {inputs}  # put yours here
print({answer})
```

## How it was measured

- The search saw the training set only: {train_count:,} examples to learn from, and
  {validation_count:,} held out for validation, which all numbers above are of. The test split
  was not read.
- They were measured in float32 after epoch {best_epoch} of the {epochs} that were trained, the
  best one by {metric}. `tune-app evaluate .` measures them again.

## Limits

- Validation chose this epoch, and this trial out of {trials}, so the numbers flatter it: on new
  data expect somewhat less.
- It answers whatever it is given; only for inputs like those of {dataset} does that mean
  something{classes}.
"""


def model_card(sweep: SweepRecord, trial: TrialRecord, config: SweepConfig, trials: int) -> str:
    """Return the card's Markdown; `config` is the exported search file.

    `trials` is how many the search had to choose from.
    """
    origin = config.exported
    assert origin is not None
    plan = plan_network(config.model, trial.config, origin.input_shape, origin.outputs)
    facts = {
        "validation accuracy": trial.val_accuracy,
        "validation loss": trial.val_loss,
        "weights": plan.weights,
        "weight budget": trial.budget,
        "multiply-adds per example": plan.macs,
    }
    layers = [
        (layer.name, layer.kind, _shape(layer.in_shape), _shape(layer.out_shape), layer.weights)
        for layer in plan.layers
    ]
    names = ", ".join(origin.classes)
    bytes_in = len(origin.input_shape) == 3 and sweep.dataset != "arrays"
    size = ", ".join(map(str, origin.input_shape))
    return _CARD.format(
        title=f"{sweep.name}, trial {trial.trial_id}",
        kind=_KINDS[config.model],
        weights=plan.weights,
        dataset=sweep.dataset,
        facts=_table(("", ""), [item for item in facts.items() if item[1] is not None]),
        layers=_table(("layer", "kind", "from", "to", "weights"), layers),
        inputs_text=f"`(N, {size})`, {'bytes from 0 to 255' if bytes_in else 'as in the data set'}",
        inputs=f"torch.zeros(1, {size}, dtype=torch.{'uint8' if bytes_in else 'float32'})",
        answer="[network.classes[i] for i in network(inputs).argmax(1)]"
        if origin.classes
        else "network(inputs)",
        train_count=sweep.resolved["train_count"],
        validation_count=sweep.resolved["validation_count"],
        best_epoch=trial.best_epoch,
        epochs=trial.epochs,
        metric=config.objective.metric,
        trials=trials,
        classes=f". Its classes: {names}" if origin.classes and len(names) < 200 else "",
    )


def _table(heads: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _shape(shape: Shape) -> str:
    return " x ".join(map(str, shape))

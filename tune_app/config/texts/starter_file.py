"""Write a commented search file to start from, for `tune-app new`."""

from tune_app.config.parsing.similar_names import proposal
from tune_app.config.parsing.spelling import spell_parameter
from tune_app.config.parsing.yaml_text import write_document
from tune_app.config.space import SearchSpace
from tune_app.errors import SpaceError

_HEAD = """\
# {title}
# Check it:  tune-app check FILE      Run it:  tune-app run FILE
name: {name}
dataset: {{name: {dataset}{path}, validation: 0.1}}   # a share of the training set, or a count
model: {model}
"""
_BUDGETS = """\
budgets: [{budgets}]      # weights, biases included; each budget has its ranking
budget_mode: cap          # cap: at most the budget; fill: solves {size} (leave it out then)
"""
_NETWORK = {
    "fcn": """\
parameters:               # a plain value is a constant; both ends of a range are included
  layers: {int: [1, 3]}
  width: {int: [4, 512], log: true}       # of the first hidden layer
  taper: {choice: [0.5, 0.7, 1.0]}        # a layer's width as a ratio of the one before
  batch_norm: {choice: [true, false]}
  dropout: {float: [0.0, 0.5]}
""",
    "cnn": """\
parameters:               # a plain value is a constant; both ends of a range are included
  conv_layers: {int: [2, 4]}
  channels: {int: [4, 48], log: true}     # of the first layer
  channel_growth: {choice: [1, 1.5, 2]}   # a layer's channels as a ratio of the one before
  kernel_size: {choice: [3, 5]}
  head: {choice: [flatten, gap]}
  batch_norm: true
""",
}
_TRAINING = """\
  optimizer: {choice: [adam, sgd]}
  momentum: {float: [0.8, 0.99], when: {optimizer: [sgd]}}
  lr: {float: [1e-4, 1e-1], log: true}
  lr_schedule: one_cycle
  batch_size: {choice: [64, 128, 256]}
  epochs: EPOCHS
"""
_SEARCH = """\
search: {sampler: tpe, trials: 40, seed: 0}
scheduler: {type: asha}   # stops unpromising trials early, within each budget
"""
_BUDGETS_OF = {
    "digits": "2k, 5k, 10k",
    "mnist": "10k, 20k, 50k, 100k",
    "fashion_mnist": "10k, 20k, 50k, 100k",
    "cifar10": "20k, 50k, 100k, 200k",
    "images": "20k, 50k, 100k",
    "arrays": "2k, 10k, 50k",
    "sinc": "600",
    "sin": "600",
}
_REGRESSION = ("sinc", "sin")


def starter_file(model: str, dataset: str, space: SearchSpace | None = None) -> str:
    """Return the text of a search file for a model and a data set, ready to run.

    With a `space`, say from another tool's file, the search file has its parameters instead.

    Raises:
        SpaceError: The model or data set is unknown, or they cannot be combined.
    """
    for kind, name, known in (
        ("model", model, tuple(_NETWORK)),
        ("data set", dataset, tuple(_BUDGETS_OF)),
    ):
        if name not in known:
            near = proposal(name, known)
            raise SpaceError(f"unknown {kind} '{name}', expected one of {', '.join(known)}{near}")
    if model == "cnn" and dataset in _REGRESSION:
        raise SpaceError(
            f"a cnn needs images, but '{dataset}' is a function of one number; use fcn"
        )
    path = {"images": ", path: my_images", "arrays": ", path: my_arrays.npz"}.get(dataset, "")
    size = "width" if model == "fcn" else "channels"
    text = _HEAD.format(
        title=f"The best {model.upper()}s on {dataset} under weight budgets.",
        name=f"{dataset}_{model}",
        dataset=dataset,
        path=path,
        model=model,
    )
    text += _BUDGETS.format(budgets=_BUDGETS_OF[dataset], size=size)
    if dataset in ("mnist", "fashion_mnist", "cifar10", "images") and model == "cnn":
        text += "max_macs: 4M              # most multiply-adds per image: no trial is too slow\n"
    if space is not None:
        spelled = {name: spell_parameter(parameter) for name, parameter in space.items()}
        return text + write_document({"parameters": spelled}) + _SEARCH
    training = _TRAINING.replace("EPOCHS", "30")
    if dataset in _REGRESSION:
        training = training.replace("  lr_schedule", "  loss: mse\n  lr_schedule")
        training = training.replace("EPOCHS", "200")
    return text + _NETWORK[model] + training + _SEARCH

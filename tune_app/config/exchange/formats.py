"""Write a search space to another tool's file, and read one from it."""

from collections.abc import Callable, Mapping

from tune_app.config.exchange.configspace_json import read_configspace, write_configspace
from tune_app.config.exchange.foreign import ForeignSpace
from tune_app.config.exchange.optuna_json import read_optuna, write_optuna
from tune_app.config.exchange.ray_source import read_ray, write_ray
from tune_app.config.exchange.wandb_yaml import read_wandb, write_wandb
from tune_app.config.parsing.fields import one_of
from tune_app.config.parsing.spelling import read_parameter
from tune_app.config.parsing.validation import Reading
from tune_app.config.parsing.yaml_text import key_of, read_document
from tune_app.config.space import SearchSpace
from tune_app.config.sweep import SweepConfig
from tune_app.errors import Problem, SpaceError, SweepFileError

WRITERS: dict[str, Callable[[SweepConfig], tuple[str, list[str]]]] = {
    "optuna": write_optuna,
    "configspace": write_configspace,
    "wandb": write_wandb,
    "ray": write_ray,
}


def write_space(config: SweepConfig, tool: str) -> tuple[str, list[str]]:
    """Return the text of a sweep's space for another tool, and notes on what the text loses.

    Raises:
        SpaceError: The tool is unknown, or its format cannot hold the space.
    """
    if tool not in WRITERS:
        raise SpaceError(one_of(tool, WRITERS, noun="format"))
    return WRITERS[tool](config)


def read_space(text: str, *, source: str) -> tuple[SearchSpace, list[str]]:
    """Return the space in the text of another tool's file, and notes on what is lost.

    The text itself shows its tool; a `source` that ends with .py is read as Ray Tune's.

    Raises:
        SweepFileError: The text has problems; the message lists all of them.
    """
    foreign = read_ray(text) if source.endswith(".py") else _read_data(text)
    reading = Reading()
    for name, spelled in foreign.parameters.items():
        read_parameter(reading, spelled, (name,))
    problems = list(foreign.problems)
    for at, text_found in reading.findings:
        problems.append(Problem(foreign.lines[str(at[0])], key_of(at), text_found))
    if not problems:
        names = {name: reading.known[(name,)] for name in foreign.parameters}
        try:
            return SearchSpace(names), foreign.notes
        except SpaceError as error:
            problems.append(Problem(None, "", str(error)))
    raise SweepFileError(source, problems)


def _read_data(text: str) -> ForeignSpace:
    document = read_document(text)
    data = document.data
    if document.problems:
        return ForeignSpace(problems=document.problems)
    if isinstance(data, Mapping) and isinstance(data.get("hyperparameters"), list):
        return read_configspace(document)
    if isinstance(data, Mapping) and isinstance(data.get("parameters"), Mapping):
        return read_wandb(document)
    if isinstance(data, Mapping) and data:
        return read_optuna(document)
    known = "Optuna, ConfigSpace, W&B or (in a file named .py) Ray Tune"
    return ForeignSpace(problems=[Problem(None, "", f"not a search space of {known}")])

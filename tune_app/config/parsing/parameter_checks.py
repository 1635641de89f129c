"""Check the rules of a search space: names, values, sizes, conditions, and unread parameters."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from tune_app.config.budget import format_budget
from tune_app.config.network_kinds import NETWORK_KINDS
from tune_app.config.parameters import ReadUnless, ReadWhere
from tune_app.config.parsing.fields import show
from tune_app.config.parsing.partial_config import Findings, PartialConfig
from tune_app.config.parsing.similar_names import proposal
from tune_app.config.parsing.validation import MAX_REPORTED
from tune_app.config.space import Choice, Constant, Parameter, parents_first

_SYNONYMS = {  # names that other tools use
    "learning_rate": "lr",
    "hidden_layers": "layers",
    "num_layers": "layers",
    "units": "width",
    "filters": "channels",
    "l2": "weight_decay",
}


def name_rules(config: PartialConfig) -> Findings:
    """Check that the model or the training reads every parameter's name."""
    unknown = [name for name in config.names if name not in config.fields]
    for name in unknown[:MAX_REPORTED]:
        owner = next(
            (kind.name for kind in NETWORK_KINDS.values() if name in kind.parameters.model_fields),
            None,
        )
        if config.has_user_model or (owner is None and config.takes_any):
            continue
        if owner is None:
            near = proposal(_SYNONYMS.get(name, name), config.fields)
            text = f"nothing reads a parameter of this name{near or '; remove it'}"
        else:
            text = f"is a parameter of {owner}, but the model is {config.get('model')}; remove it"
        yield ("parameters", name), text


def value_rules(config: PartialConfig) -> Findings:
    """Check that every parameter accepts its values, and both ends of its range."""
    yield from config.wrong_values


def size_rules(config: PartialConfig) -> Findings:
    """Check that the sizes are given in only one way, and not at all if a budget decides them."""
    model = config.get("model")
    if model is None:
        return
    if config.has_user_model:
        yield from _user_model_size_rules(config)
        return
    if config.get("fill") is not None:
        yield ("fill",), f"names a parameter of a user model, but the model is {model}; remove it"
    kind = NETWORK_KINDS[model]
    fill = config.get("budget_mode") == "fill"
    if fill and kind.listed in config.names:
        yield (
            ("parameters", kind.listed),
            f"leaves a budget nothing to fill; give {kind.count} instead, or use budget_mode: cap",
        )
    if fill and kind.first in config.names:
        yield (
            ("parameters", kind.first),
            "is what fill mode solves from the budget; remove it, or use budget_mode: cap",
        )
    for name in kind.described:
        if kind.listed in config.names and name in config.names and not fill:
            yield (
                ("parameters", name),
                f"{kind.listed} already gives the sizes; remove one of the two",
            )


def _user_model_size_rules(config: PartialConfig) -> Findings:
    solved = config.get("fill")
    if config.get("budget_mode") == "fill" and ("fill",) in config.known and solved is None:
        yield (
            ("fill",),
            "is missing; it names the integer parameter of your function that a budget decides",
        )
    if solved is not None and config.get("budget_mode") == "cap":
        yield ("fill",), "is read only with budget_mode: fill; remove fill, or budget_mode: cap"
    if solved is not None and solved in config.names:
        yield (
            ("parameters", solved),
            "is what fill mode solves from the budget; remove it, or use budget_mode: cap",
        )
    if "fill" in config.names:
        yield ("parameters", "fill"), "is a reserved name; give the parameter another name"


def condition_rules(config: PartialConfig) -> Findings:
    """Check that conditions name parameters or budgets of the file, with values they can have."""
    wrong = config.wrong_names
    for name, parameter in config.parameters.items():
        for parent, accepted in parameter.when.items():
            at = ("parameters", name, "when", parent)
            if parent == "budget":
                for budget in _never_budgets(config, accepted):
                    yield at, budget
            elif parent not in config.names:
                known = [*config.names, *(["budget"] if config.get("budgets") else [])]
                text = f"is not a parameter of this file{proposal(parent, known)}"
                yield at, text
            elif parent not in (name, *wrong) and (parameter_of := config.parameters.get(parent)):
                yield from ((at, text) for text in _never_values(parent, parameter_of, accepted))
    yield from _cycles(config.parameters)


def _never_budgets(config: PartialConfig, accepted: tuple[Any, ...]) -> list[str]:
    budgets = config.get("budgets")
    if budgets is None:
        return []
    if not budgets:
        return ["this file has no budgets; add budgets, or remove the condition"]
    listed = ", ".join(map(format_budget, budgets))
    return [
        f"{format_budget(budget)} is not among the budgets {listed}"
        for budget in accepted
        if budget not in budgets
    ]


def _never_values(name: str, parent: Parameter, accepted: tuple[Any, ...]) -> list[str]:
    if parent.count is None:
        return [f"{name} is a range without a step, so a condition on one value of it is never met"]
    return [
        f"{name} is never {show(value)}: {values_of(parent, value)}"
        for value in accepted
        if not parent.contains(value)
    ]


def values_of(parameter: Parameter, missed: Any) -> str:
    """Return the words for the values of a parameter, with a proposal close to `missed`."""
    match parameter:
        case Constant(value=value):
            return f"it is always {show(value)}"
        case Choice(values=values):
            words = [value for value in values if isinstance(value, str)]
            return f"it is one of {', '.join(map(show, values))}{proposal(missed, words)}"
    step = "" if parameter.step in (None, 1) else f" in steps of {parameter.step}"
    return f"it goes from {parameter.low} to {parameter.high}{step}"


def _cycles(parameters: Mapping[str, Parameter]) -> Findings:
    # Every parameter in `waiting` has a parent there too, so following parents must come back to a
    # parameter on the path: that part of the path is a circle. Each circle is reported once.
    _, waiting = parents_first(parameters)
    walked: set[str] = set()
    for name in waiting:
        path: list[str] = []
        while name not in walked:
            walked.add(name)
            path.append(name)
            name = next(parent for parent in parameters[name].when if parent in waiting)
        if name in path:
            circle = [*path[path.index(name) :], name]
            text = ", ".join(f"{child} depends on {parent}" for child, parent in pairwise(circle))
            yield ("parameters", name, "when"), f"conditions must not form a circle: {text}"


def reader_rules(config: PartialConfig) -> Findings:
    """Check that every parameter is read in at least one configuration of the space."""
    model = config.get("model")
    if model is None:
        return
    kind = NETWORK_KINDS.get(model)
    wrong = config.wrong_names
    for name, parameter in config.parameters.items():
        if name not in config.fields:
            continue
        if kind and name in kind.described and kind.listed in config.names:
            continue
        for rule in config.fields[name].metadata:
            if not isinstance(rule, ReadWhere | ReadUnless) or rule.parent in wrong:
                continue
            if not _may_hold(rule, parameter, config):
                yield (
                    ("parameters", name),
                    f"is read only if {rule}, which never happens here; remove it, "
                    f"or change {rule.parent}",
                )


def _may_hold(rule: ReadWhere | ReadUnless, parameter: Parameter, config: PartialConfig) -> bool:
    if rule.parent in parameter.when:
        return any(map(rule.holds, parameter.when[rule.parent]))
    default = config.fields[rule.parent].default
    parent = config.parameters.get(rule.parent)
    if parent is None:
        return not config.has_default(rule.parent) or rule.holds(default)
    return rule.may_hold(parent) or (bool(parent.when) and rule.holds(default))

"""The first sections of a report: question, data, search space, budgets and plan."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tune_app.config.budget import format_budget
from tune_app.config.parsing.fields import show, thaw
from tune_app.config.sections import SETS_WITH_PATH, SETS_WITH_TEST_SPLIT, DatasetConfig
from tune_app.config.space import Choice, Constant, FloatRange, IntRange, Parameter
from tune_app.report.document.blocks import (
    Block,
    Bullets,
    Facts,
    Paragraph,
    Section,
    paragraph,
    text,
)
from tune_app.results.humanize import counted, joined
from tune_app.results.store import Resolved, Store, SweepRecord, TrialRecord
from tune_app.results.store.names import TEST_FILE
from tune_app.results.tables.layout import exact_text, value_text
from tune_app.results.tables.markup.parts import Code, Grid, Text

KINDS = {"fcn": "fully connected", "cnn": "convolutional"}


def metric_name(sweep: SweepRecord) -> str:
    """Return the name of the objective within a sentence: "accuracy", "loss", "f1_macro", ..."""
    return sweep.sweep_config.objective.metric.removeprefix("val_")


def question(sweep: SweepRecord) -> Section:
    """Return the question of the sweep in a sentence, and the note that a user added."""
    kind = KINDS.get(sweep.model, sweep.model)
    limits = [format_budget(budget) for budget in sweep.budgets]
    size = f" with at most {joined(limits, 'or')} weights" if limits else ""
    end = "highest" if sweep.sweep_config.objective.mode == "max" else "lowest"
    order = f"{end} {metric_name(sweep)}"
    asked = paragraph(
        f"Which {kind} network{size} reaches the {order} on ",
        Code(sweep.dataset),
        ", and how certain is the answer?",
    )
    note = (paragraph(sweep.note),) if sweep.note else ()
    return Section("The question", (asked, *note))


def data(sweep: SweepRecord, tested: int | None) -> Section:
    """Return the section about the data set: name, counts, classes and digest.

    `tested` is the number of test examples that networks were tested on, None without a test.
    """
    known, config = sweep.resolved, sweep.sweep_config.dataset
    shape = " × ".join(map(str, known.input_shape))
    classes = known.classes
    items = [
        ("Data set", text(Code(sweep.dataset), _options(config))),
        ("Training", text(_examples(known.train_count))),
        ("Validation", text(_examples(known.validation_count), _validation_kind(known))),
        ("Test", text(_test_split(config, tested))),
        ("One example", text(shape and f"{shape} numbers")),
        ("Classes", text(f"{len(classes)}: {', '.join(classes)}" if classes else "")),
        ("Digest", text(Code(known.data_digest) if known.data_digest else "")),
    ]
    blocks: list[Block] = [Facts(tuple(item for item in items if item[1]))]
    if (summary := known.data_summary) is not None:
        blocks.append(Bullets(tuple(text(line) for line in summary.lines())))
    return Section("Data", tuple(blocks))


def space(sweep: SweepRecord, trials: Sequence[TrialRecord]) -> Section:
    """Return the section about the search space: what varied and what was fixed."""
    config = sweep.sweep_config
    parameters = config.parameters
    varied = config.space.varied
    rows = [(name, *_described(parameters[name]), _condition(parameters[name])) for name in varied]
    grid = Grid(
        caption="Parameters that the search varied; ranges include both ends",
        headings=("parameter", "values", "drawn", "only if"),
        numeric=(False,) * 4,
        rows=tuple(rows),
    )
    fixed = [
        f"{name} {value_text(thaw(parameter.value))}"
        + (f" (if {_condition(parameter)})" if parameter.when else "")
        for name, parameter in parameters.items()
        if isinstance(parameter, Constant)
    ]
    blocks: list[Block] = [grid] if rows else []
    blocks += _sentence_of("Fixed in the search file: ", ", ".join(fixed))
    if trials:
        built = trials[0].config
        # Widths that were chosen to fill a budget differ from trial to trial: they are no defaults.
        solved = {*parameters, "widths", "channels_list"}
        rest = {n: v for n, v in built.items() if n not in solved and v not in (None, [])}
        blocks += _sentence_of("Defaults: ", exact_text(rest))
    return Section("Search space", tuple(blocks))


def budgets(sweep: SweepRecord) -> Section:
    """Return the section about weight budgets, the sampler, epochs, and the final stage."""
    config = sweep.sweep_config
    search, scheduler = config.search, config.scheduler
    sizes = joined([format_budget(budget) for budget in sweep.budgets])
    size: Text
    if not sizes:
        size = text("no limit on the weights")
    elif config.budget_mode == "fill":
        size = text(
            f"{sizes}; mode ",
            Code("fill"),
            ": widths are chosen to use as much of the budget as possible",
        )
    else:
        size = text(f"{sizes}; mode ", Code("cap"), ": a network may be smaller than its budget")
    items = [("Weights", size)]
    if config.max_macs is not None:
        items.append(("Multiply-adds", text(f"at most {config.max_macs:,} per example")))
    items.append(
        ("Ranked by", text(f"{metric_name(sweep)} on the validation examples at the best epoch"))
    )
    predefined = ""
    if search.start_with:
        predefined = f"; {counted(len(search.start_with), 'predefined configuration')} first"
    items.append(
        (
            "Search",
            text(
                f"{search.sampler}, {counted(search.trials, 'trial')}, seed {search.seed}",
                predefined,
                f"; started from the trials of {search.start_from}" if search.start_from else "",
                f"; at most {search.time_limit_s:g} s" if search.time_limit_s else "",
            ),
        )
    )
    if scheduler.type == "none":
        length = f"{config.epochs} epochs for every trial, without early stopping"
    elif scheduler.pauses:
        who = (
            f"the best 1 of {scheduler.reduction_factor} of each rung"
            if scheduler.type == "promote"
            else "those with the highest predicted gain"
        )
        length = (
            f"up to {config.epochs} epochs; trials pause after {scheduler.grace(config.epochs)} "
            f"epochs and each {scheduler.reduction_factor} times as many, and {scheduler.type} "
            f"continues {who}"
        )
    else:
        length = (
            f"up to {config.epochs} epochs; asha compares the trials of a budget after "
            f"{scheduler.grace(config.epochs)} epochs and after each further "
            f"{scheduler.reduction_factor} times as many, and continues the best 1 of "
            f"{scheduler.reduction_factor}"
        )
    items.append(("Epochs", text(length)))
    if config.final is not None:
        seeds = counted(config.final.seeds, "seed")
        plan = f"the best {config.final.top} of each budget, retrained with {seeds} each"
        items.append(("Final stage", text(plan)))
    return Section("Budgets and plan", (Facts(tuple(items)),))


def test_count(store: Store, trials: Sequence[TrialRecord]) -> int | None:
    """Return the number of test examples of the final stage; None if no outputs were saved."""
    for trial in trials:
        path = store.kept_folder(trial) / TEST_FILE
        if trial.stage == "final" and path.is_file():
            with np.load(path) as answers:
                return len(answers["predicted"])
    return None


def _test_split(config: DatasetConfig, count: int | None) -> str:
    if config.name in SETS_WITH_TEST_SPLIT:
        kind = "the split published with the data"
    elif config.name in SETS_WITH_PATH:
        kind = "the data set's test split, or examples held out before the search"
    else:
        kind = "held out before the search"
    return f"{counted(count, 'example')}, {kind}" if count else f"{kind}; not read"


def _examples(count: int) -> str:
    return counted(count, "example") if count else ""


def _validation_kind(known: Resolved) -> str:
    summary = known.data_summary
    if summary is not None and not summary.holds_out("validation"):
        return ", the split that came with the data"
    stratified = known.task == "classification"
    return ", held out of the training set" + (
        ", with the same share of every class" if stratified else ""
    )


def _options(config: DatasetConfig) -> str:
    """Return the data set's options in the search file."""
    options = {
        "from": config.path,
        "classes": config.classes,
        "train_size": config.train_size,
        "random_labels": config.random_labels or None,
    }
    parts = [f"{name} {value_text(value)}" for name, value in options.items() if value is not None]
    return "; " + ", ".join([*parts, f"split with seed {config.seed}"])


def _described(parameter: Parameter) -> tuple[str, str]:
    """Return the values of a parameter, and how they are drawn."""
    match parameter:
        case Choice(values=values):
            return ", ".join(_value(value) for value in values), "one of these values"
        case IntRange() | FloatRange():
            step = "" if parameter.step in (None, 1) else f", step {parameter.step:g}"
            kind = "whole numbers" if isinstance(parameter, IntRange) else "numbers"
            scale = "evenly in the logarithm" if parameter.log else "evenly"
            return f"{parameter.low:g} to {parameter.high:g}", f"{kind}, {scale}{step}"
        case _:
            return _value(parameter.value), "fixed"


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value, value))}]"
    return value if isinstance(value, str) else show(value)


def _condition(parameter: Parameter) -> str:
    parts = [
        f"{parent} is {joined([_parent_value(parent, value) for value in values], 'or')}"
        for parent, values in parameter.when.items()
    ]
    return ", ".join(parts)


def _parent_value(parent: str, value: Any) -> str:
    return format_budget(value) if parent == "budget" else _value(value)


def _sentence_of(opening: str, words: str) -> list[Paragraph]:
    return [paragraph(opening, words, ".")] if words else []

"""The last sections of a report: how the numbers were measured, and how to repeat the sweep."""

from collections.abc import Mapping, Sequence

from tune_app.config.search_file import parse_sweep
from tune_app.errors import SweepFileError
from tune_app.report.background import metric_name
from tune_app.report.document.blocks import (
    Block,
    Bullets,
    Caution,
    Facts,
    Listing,
    Section,
    paragraph,
    text,
)
from tune_app.report.history import moment
from tune_app.results.humanize import counted, joined
from tune_app.results.store import SweepRecord, TrialRecord
from tune_app.results.tables.layout import value_text
from tune_app.results.tables.markup.parts import Code, Strong, Text


def protocol(sweep: SweepRecord, trials: Sequence[TrialRecord]) -> Section:
    """Return the section on which stage used which split, and how results are compared."""
    finals = [trial for trial in trials if trial.stage == "final"]
    search = [trial for trial in trials if trial.stage == "search"]
    metric = metric_name(sweep)
    validation = f"{sweep.resolved.validation_count:,}"
    rules = [
        text(
            "The search trained on the training examples and compared trials on the validation "
            "examples only. Neither a trial of the search nor a choice between trials used the "
            "test split."
        ),
        text(
            f"The validation {metric} of a trial is measured on {validation} examples at the epoch "
            f"where this {metric} is best. Because it also guided the sampler and the choice among "
            f"{counted(len(search), 'trial')}, it is an optimistic estimate."
        ),
    ]
    if finals:
        rules += _rules_of_finals(sweep, finals)
    else:
        rules.append(
            text(
                Strong("There was no final stage."),
                " All numbers of this sweep are validation numbers of single training runs: expect "
                "somewhat worse results on new data, and do not rely on small differences.",
            )
        )
    blocks: list[Block] = [Bullets(tuple(rules)), *_readings(sweep, search)]
    return Section("Protocol", tuple(blocks))


def again(sweep: SweepRecord, trials: Sequence[TrialRecord]) -> Section:
    """Return the section on how to repeat a sweep: command, file, environment and seeds."""
    blocks: list[Block] = []
    if sweep.command:
        blocks.append(Listing(sweep.command, "Command"))
    if sweep.source:
        blocks.append(Listing(sweep.source, "Search file at that time"))
        if changed := _changed(sweep):
            blocks.append(paragraph("Options of the command changed these values of the file:"))
            blocks.append(Bullets(tuple(text(Code(key), f": {values}") for key, values in changed)))
    blocks.append(Facts(tuple(item for item in _environment(sweep, trials) if item[1])))
    return Section("How to repeat this sweep", tuple(blocks))


def _rules_of_finals(sweep: SweepRecord, finals: Sequence[TrialRecord]) -> list[Text]:
    winners = sweep.final.get("winners", {})
    most = max((len(ids) for ids in winners.values()), default=0)
    each = " of each budget" if sweep.budgets else ""
    metric = metric_name(sweep)
    seeds = counted(sweep.final.get("seeds", 0), "seed")
    return [
        text(
            f"The best {most}{each} by validation {metric} were retrained from scratch on training "
            f"and validation examples together, with {seeds} "
            "that the search had not used. Trials that trained to the end took precedence over "
            "trials that were stopped early."
        ),
        text(
            "The weights after the last epoch were tested once for each seed: the test split was "
            "not used to choose an epoch or a seed."
        ),
        text(
            "Mean ± standard deviation (with n − 1) are over the seeds; the 95 % interval is "
            "Student's t interval of the mean. It covers the variation between seeds, not the "
            "choice of test examples."
        ),
        text(
            "A row ties with the best one if Welch's t-test, Holm-corrected over the compared "
            "rows, does not reject at 5 % that their means are equal. The best mean is slightly "
            "optimistic, because it is the largest of several."
        ),
    ]


def _readings(sweep: SweepRecord, search: Sequence[TrialRecord]) -> list[Block]:
    if not sweep.test_readings:
        return [
            paragraph(Strong("The test split of this sweep has not been read.")),
        ]
    readings = sorted(sweep.test_readings, key=lambda reading: float(reading["time"]))
    lines = [text(f"{moment(reading['time'])}: {reading['by']}") for reading in readings]
    blocks: list[Block] = [
        paragraph(f"The test split was read {counted(len(readings), 'time')}:"),
        Bullets(tuple(lines)),
    ]
    later = [trial for trial in search if trial.created > readings[0]["time"]]
    if later:
        blocks.append(
            Caution(
                text(
                    f"{counted(len(later), 'trial')} of the search started after the first of "
                    "these "
                    "readings. The trials did not use the test split, but the person who started "
                    "them may have known the earlier test results."
                )
            )
        )
    return blocks


def _changed(sweep: SweepRecord) -> list[tuple[str, str]]:
    """Return the keys whose values in the file and in the sweep differ, with both values."""
    try:
        written = parse_sweep(sweep.source, source=sweep.name).to_dict()
    except SweepFileError:
        return []  # of an older version; the sections above show the values that were used
    ran = sweep.sweep_config.to_dict()
    before, after = _leaves(written), _leaves(ran)
    return [
        (key, f"{_shown(after.get(key))}, in the file {_shown(before.get(key))}")
        for key in dict.fromkeys([*before, *after])
        if before.get(key) != after.get(key)
    ]


def _leaves(config: Mapping[str, object]) -> dict[str, object]:
    """Return a configuration with the values of its sections under dotted keys."""
    leaves: dict[str, object] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            leaves.update({f"{key}.{name}": inner for name, inner in value.items()})
        else:
            leaves[key] = value
    return leaves


def _shown(value: object) -> str:
    return "nothing" if value is None else value_text(value)


def _environment(sweep: SweepRecord, trials: Sequence[TrialRecord]) -> list[tuple[str, Text]]:
    hardware, kernels = sweep.hardware, sweep.resolved.kernels
    commit = sweep.git_commit or ""
    memory = hardware.get("memory_bytes")
    parts = [
        hardware.get("processor"),
        counted(hardware["cores"], "core") if hardware.get("cores") else "",
        f"{memory / 2**30:.0f} GiB of memory" if memory else "",
        joined(list(hardware.get("gpus") or ())) or "no GPU",
        hardware.get("system"),
    ]
    versions = ", ".join(f"{name} {version}" for name, version in sweep.versions.items())
    split = sweep.sweep_config.dataset.seed
    seeds = f"search {sweep.seed}, splits {split}"
    finals = [trial.seed for trial in trials if trial.stage == "final"]
    if finals:
        seeds += f", final trainings {', '.join(map(str, dict.fromkeys(finals)))}"
    changed = " and uncommitted changes" if commit.endswith("+") else ""
    precision = sweep.resolved.precision
    trained = f"trained in {precision}, measured in fp32" if precision else ""
    return [
        ("Versions", text(versions)),
        ("Source", text(commit and "commit ", Code(commit.rstrip("+")) if commit else "", changed)),
        ("Hardware", text(", ".join(part for part in parts if part))),
        ("Seeds", text(f"{seeds}; the record has the seed of every trial")),
        ("Precision", text(trained)),
        (
            "Kernels",
            text(", ".join(f"{name} {value_text(kind)}" for name, kind in kernels.items())),
        ),
    ]

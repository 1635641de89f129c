"""What the numbers of a sweep rest on, and how to get them again: in words, from its record."""

from collections.abc import Mapping, Sequence
from typing import Any

from tune_app.config.files import parse_sweep
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
    """Return who saw which examples, and how numbers were chosen and compared."""
    finals = [trial for trial in trials if trial.stage == "final"]
    search = [trial for trial in trials if trial.stage == "search"]
    metric = metric_name(sweep)
    validation = f"{sweep.resolved.validation_count:,}"
    told = [
        text(
            "The search trained on the training examples and judged by the validation examples "
            "only. No trial of the search, and no choice among them, used the test split."
        ),
        text(
            f"The validation {metric} of a trial is that of its best epoch, by this same {metric}, "
            f"on {validation} examples. It chose the epoch, steered the sampler, and chose among "
            f"{counted(len(search), 'trial')}: as an estimate it flatters."
        ),
    ]
    if finals:
        told += _of_finals(sweep, finals)
    else:
        told.append(
            text(
                Strong("There was no final stage."),
                " All numbers of this sweep are validation numbers of single trainings: on new "
                "data expect somewhat less, and do not trust small differences.",
            )
        )
    blocks: list[Block] = [Bullets(tuple(told)), *_readings(sweep, search)]
    return Section("Protocol", tuple(blocks))


def again(sweep: SweepRecord, trials: Sequence[TrialRecord]) -> Section:
    """Return how to run a sweep again: command, file, surroundings and seeds."""
    blocks: list[Block] = []
    if sweep.command:
        blocks.append(Listing(sweep.command, "The command"))
    if sweep.source:
        blocks.append(Listing(sweep.source, "The search file as it was"))
        if changed := _changed(sweep):
            blocks.append(paragraph("The command line changed what the file says: "))
            blocks.append(Bullets(tuple(text(Code(key), f": {values}") for key, values in changed)))
    blocks.append(Facts(tuple(item for item in _surroundings(sweep, trials) if item[1])))
    return Section("How to run it again", tuple(blocks))


def _of_finals(sweep: SweepRecord, finals: Sequence[TrialRecord]) -> list[Text]:
    winners = sweep.final.get("winners", {})
    most = max((len(ids) for ids in winners.values()), default=0)
    each = " of each budget" if sweep.budgets else ""
    metric = metric_name(sweep)
    seeds = counted(sweep.final.get("seeds", 0), "seed")
    return [
        text(
            f"The best {most}{each} by validation {metric} were retrained from scratch on training "
            f"and validation examples together, with {seeds} "
            "that the search had not used. Trials that trained to their end came before stopped "
            "ones."
        ),
        text(
            "The weights after the last epoch were tested, once for each seed: no epoch and no "
            "seed was chosen by the test split."
        ),
        text(
            "mean ± std is over the seeds, std with n − 1; the 95 % interval is Student's t "
            "interval of the mean. It covers what the seeds change, not the choice of test "
            "examples."
        ),
        text(
            "A row is a tie with the best where Welch's t-test, Holm-corrected over the rows "
            "compared, does not reject at 5 % that their means are equal. The best mean is the "
            "largest of several, and flatters a little for it."
        ),
    ]


def _readings(sweep: SweepRecord, search: Sequence[TrialRecord]) -> list[Block]:
    if not sweep.test_readings:
        return [
            paragraph(Strong("The test split of this sweep has not been read.")),
        ]
    readings = sorted(sweep.test_readings, key=lambda one: float(one["time"]))
    lines = [text(f"{moment(one['time'])}: {one['by']}") for one in readings]
    blocks: list[Block] = [
        paragraph(f"The test split was read {counted(len(readings), 'time')}:"),
        Bullets(tuple(lines)),
    ]
    later = [trial for trial in search if trial.created > readings[0]["time"]]
    if later:
        blocks.append(
            Caution(
                text(
                    f"{counted(len(later), 'trial')} of the search came after the first of these "
                    "readings. Nothing of the test split reached them, but whoever ran them could "
                    "know the earlier numbers."
                )
            )
        )
    return blocks


def _changed(sweep: SweepRecord) -> list[tuple[str, str]]:
    """Return the keys that differ between the file and what ran, with both values."""
    try:
        written = parse_sweep(sweep.source, source=sweep.name).to_dict()
    except SweepFileError:
        return []  # written for an older version; what ran is in the sections above
    ran = sweep.sweep_config.to_dict()
    before, after = _leaves(written), _leaves(ran)
    return [
        (key, f"{_shown(after.get(key))}, in the file {_shown(before.get(key))}")
        for key in dict.fromkeys([*before, *after])
        if before.get(key) != after.get(key)
    ]


def _leaves(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration by dotted keys, a section's keys apart."""
    leaves = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            leaves.update({f"{key}.{name}": own for name, own in value.items()})
        else:
            leaves[key] = value
    return leaves


def _shown(value: Any) -> str:
    return "nothing" if value is None else value_text(value)


def _surroundings(sweep: SweepRecord, trials: Sequence[TrialRecord]) -> list[tuple[str, Text]]:
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
    split = sweep.config["dataset"].get("seed", 0)
    seeds = f"search {sweep.seed}, splits {split}"
    own = [trial.seed for trial in trials if trial.stage == "final"]
    if own:
        seeds += f", final trainings {', '.join(map(str, dict.fromkeys(own)))}"
    changed = " and uncommitted changes" if commit.endswith("+") else ""
    precision = sweep.resolved.precision
    trained = f"trained in {precision}, measured in fp32" if precision else ""
    return [
        ("Versions", text(versions)),
        ("Source", text(commit and "commit ", Code(commit.rstrip("+")) if commit else "", changed)),
        ("Hardware", text(", ".join(part for part in parts if part))),
        ("Seeds", text(f"{seeds}; each trial's own is in the record")),
        ("Precision", text(trained)),
        (
            "Kernels",
            text(", ".join(f"{name} {value_text(kind)}" for name, kind in kernels.items())),
        ),
    ]

"""The course of a search: how its trials ended, epochs trained and saved, times, and failures."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime

from tune_app.config.budget import format_budget
from tune_app.config.trial_config import training_of
from tune_app.report.document.blocks import Block, Bullets, Facts, Section, paragraph, text
from tune_app.results.humanize import counted, duration_text, joined
from tune_app.results.store import SweepRecord, SweepStatus, TrialRecord, TrialStatus
from tune_app.results.tables.layout import last_line
from tune_app.results.tables.markup.parts import Code, Grid, Text

_ENDINGS = {
    TrialStatus.FINISHED: "trained to the end",
    TrialStatus.STOPPED: "stopped early by the scheduler",
    TrialStatus.PAUSED: "paused by the scheduler",
    TrialStatus.DIVERGED: "diverged (the loss was no longer finite)",
    TrialStatus.FAILED: "failed",
    TrialStatus.TIMEOUT: "ended by the time limit",
    TrialStatus.INTERRUPTED: "interrupted",
    TrialStatus.RUNNING: "still training",
    TrialStatus.PENDING: "not started",
}
_RUNG = re.compile(r"rung (\d+)")
_SHOWN = 6


def history(sweep: SweepRecord, trials: Sequence[TrialRecord]) -> Section:
    """Return the section about the course of the search; `trials` are all trials of the sweep."""
    search = [trial for trial in trials if trial.stage == "search"]
    counts = Counter(trial.status for trial in search)
    items: list[tuple[str, Text]] = [("State", _state(sweep))]
    if search:
        endings = [
            f"{counts[status]} {words}" for status, words in _ENDINGS.items() if counts[status]
        ]
        items.append(("Trials", text(f"{len(search)}: {', '.join(endings)}")))
    spent = sum(trial.epochs for trial in search)
    saved = epochs_saved(sweep, search)
    if spent:
        share = f" ({saved / (spent + saved):.0%} of the planned epochs)" if saved else ""
        items.append(("Epochs", text(f"{spent:,} trained, {saved:,} saved by stopping{share}")))
    if rungs := _rungs(search):
        items.append(("Stopped after", text(rungs)))
    items.append(("Rejected configurations", text(_refused(sweep))))
    if sweep.ended is not None:
        pauses = ", pauses included" if sweep.run_flags.get("resumed") else ""
        items.append(
            (
                "Wall time",
                text(
                    f"{duration_text(sweep.ended - sweep.created)} from "
                    f"{moment(sweep.created)} to {moment(sweep.ended)}{pauses}"
                ),
            )
        )
    if seconds := sum(trial.seconds for trial in search):
        items.append(("Training time", text(f"{duration_text(seconds)}, summed over the trials")))
    finals = [trial for trial in trials if trial.stage == "final"]
    if finals:
        length = duration_text(sum(trial.seconds for trial in finals))
        items.append(
            ("Final stage", text(f"{counted(len(finals), 'training')}, {length} in total"))
        )
    blocks: list[Block] = [Facts(tuple(item for item in items if item[1])), *_failures(trials)]
    if again := sweep.run_flags.get("resumed"):
        blocks.append(paragraph(f"The search was resumed {counted(len(again), 'time')}:"))
        resumes = [
            text(f"{moment(resumption['started'])}: ", Code(resumption["command"]))
            for resumption in again
        ]
        blocks.append(Bullets(tuple(resumes)))
    return Section("How the search went", tuple(blocks))


def epochs_saved(sweep: SweepRecord, search: Sequence[TrialRecord]) -> int:
    """Return the number of epochs that trials did not train because they were stopped or paused."""
    # Without a recorded number, it follows from the trials that were stopped or paused.
    if sweep.epochs_saved is not None:
        return sweep.epochs_saved
    early = (TrialStatus.STOPPED, TrialStatus.PAUSED)
    stopped = (trial for trial in search if trial.status in early)
    return sum(training_of(trial.config).epochs - trial.epochs for trial in stopped)


def moment(seconds_since_1970: float) -> str:
    """Return a local time with its time zone, to the minute."""
    return datetime.fromtimestamp(seconds_since_1970).astimezone().strftime("%Y-%m-%d %H:%M %Z")


def _state(sweep: SweepRecord) -> Text:
    reason = f" ({sweep.stop_reason})" if sweep.stop_reason else ""
    if sweep.status == SweepStatus.COMPLETE:
        return text(f"complete{reason}")
    return text(f"{sweep.status}{reason}; this report may still change")


def _rungs(search: Sequence[TrialRecord]) -> str:
    rungs: Counter[int] = Counter()
    for trial in search:
        if trial.status == TrialStatus.STOPPED and (found := _RUNG.match(trial.stop_reason or "")):
            rungs[int(found[1])] += 1
    return joined([f"{counted(rung, 'epoch')}: {rungs[rung]}" for rung in sorted(rungs)])


def _refused(sweep: SweepRecord) -> str:
    total = sum(sweep.refused.values())
    if not total:
        return "none"
    by_budget = [
        f"{format_budget(int(budget))}: {count:,}"
        for budget, count in sweep.refused.items()
        if budget != "all"
    ]
    detail = f" ({', '.join(by_budget)})" if len(by_budget) > 1 else ""
    return f"{total:,}{detail}: too large, or no network could be built; no epoch was spent on them"


def _failures(trials: Sequence[TrialRecord]) -> list[Grid]:
    """Return a table of failures by reason, the most frequent first; none without failures."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for trial in trials:
        if trial.status in ("failed", "diverged", "timeout", "interrupted"):
            why = last_line(trial.error or "") or trial.stop_reason or "not recorded"
            groups[trial.status, why].append(trial.trial_id)
    if not groups:
        return []
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    rows = [(str(len(ids)), status, why, _some(ids)) for (status, why), ids in ordered]
    return [
        Grid(
            caption="Failed and interrupted trials by reason",
            headings=("trials", "status", "reason", "trial ids"),
            numeric=(True, False, False, False),
            rows=tuple(rows),
        )
    ]


def _some(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return ", ".join(ids[:_SHOWN]) + more

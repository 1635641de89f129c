"""The progress display of a running sweep: a live table, or plain lines without a terminal."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tune_app.config.budget import format_budget
from tune_app.config.data_summary import DataSummary
from tune_app.config.sweep import SweepConfig
from tune_app.results.humanize import duration_text
from tune_app.results.store.statuses import TrialStatus
from tune_app.sweep.progress import SweepProgress
from tune_app.sweep.trial.tasks import LiveTrial

REFRESH_PER_SECOND = 2
PLAIN_LINE_EVERY_S = 15.0
STATES = (
    TrialStatus.FINISHED,
    TrialStatus.STOPPED,
    TrialStatus.PAUSED,
    TrialStatus.RUNNING,
    TrialStatus.DIVERGED,
    TrialStatus.FAILED,
    TrialStatus.TIMEOUT,
)


class Announcer:
    """Prints the start and the progress of a sweep; `quiet` prints nothing."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = Console(stderr=True, quiet=quiet)
        self.quiet = quiet

    def opening(self, config: SweepConfig) -> None:
        """Print what will be searched, before any slow step."""
        budgets = ", ".join(format_budget(b) for b in config.budgets) or "no weight limit"
        self.console.print(
            f"{config.name}: {config.model} on {config.dataset.name}, {budgets}; "
            f"{config.search.trials} trials of at most {config.epochs} epochs "
            f"({config.search.sampler}, {config.scheduler.type})",
            highlight=False,
            soft_wrap=True,
        )

    def data(self, summary: DataSummary) -> None:
        """Print the summary of the data: what was read, and what was not."""
        for line in summary.lines():
            self.console.print(f"  {line}", highlight=False, soft_wrap=True, markup=False)

    @contextmanager
    def watch(self, progress: SweepProgress) -> Iterator[None]:
        """Show `progress` for as long as the block runs."""
        if progress.final:
            self.console.print(
                f"{progress.config.name}: {progress.trials} trainings of the winners, on training "
                "and validation data, then tested",
                highlight=False,
                soft_wrap=True,
            )
        if self.quiet:
            yield
        elif self.console.is_terminal:
            with Live(
                get_renderable=lambda: live_table(progress),
                console=self.console,
                refresh_per_second=REFRESH_PER_SECOND,
                transient=True,
            ):
                yield
        else:
            ended = threading.Event()
            thread = threading.Thread(target=self._plain_lines, args=(progress, ended))
            thread.start()
            try:
                yield
            finally:
                ended.set()
                thread.join()

    def _plain_lines(self, progress: SweepProgress, ended: threading.Event) -> None:
        while not ended.wait(PLAIN_LINE_EVERY_S):
            self.console.print(plain_line(progress), highlight=False, soft_wrap=True)


def live_table(progress: SweepProgress) -> Group:
    """Return the trials by state, the best of each budget so far, the speed and the time left.

    For the final stage, return only the line below: its results are read when it is complete.
    """
    if progress.final:
        return Group(Text(plain_line(progress), style="dim"))
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("budget", justify="right")
    for state in STATES:
        table.add_column(state, justify="right")
    table.add_column(f"best {progress.config.objective.metric}", justify="right")
    table.add_column("weights", justify="right")
    table.add_column("trial")
    trials = list(progress.ledger.trials.values())
    for budget in progress.budgets:
        drawn = [live for live in trials if live.task.draw.budget == budget]
        states = Counter(live.status for live in drawn)
        best = best_of(progress, budget)
        table.add_row(
            "none" if budget is None else format_budget(budget),
            *(str(states[state] or "·") for state in STATES),
            "·" if best is None else f"{best.value:.4f}",
            "" if best is None else f"{best.task.draw.weights:,}",
            "" if best is None else best.task.trial_id,
        )
    return Group(table, Text(plain_line(progress), style="dim"))


def plain_line(progress: SweepProgress) -> str:
    """Return the progress in one line."""
    trials = list(progress.ledger.trials.values())
    ended = [live for live in trials if live.status not in ("pending", "running")]
    elapsed = time.time() - progress.ledger.started
    parts = [f"{len(ended)} of {progress.trials} {'trainings' if progress.final else 'trials'}"]
    states = Counter(live.status for live in ended if live.status != "finished")
    parts += [f"{count} {status}" for status, count in sorted(states.items())]
    bests = {budget: best_of(progress, budget) for budget in progress.budgets}
    values = [
        f"{'' if budget is None else format_budget(budget) + ' '}{best.value:.4f}"
        for budget, best in bests.items()
        if best is not None
    ]
    if values:
        parts.append(f"best {progress.config.objective.metric}: {', '.join(values)}")
    parts.append(f"{progress.ledger.epochs_run / max(elapsed, 1e-9):.1f} epochs/s")
    parts.append(duration_text(elapsed))
    left = seconds_left(progress, elapsed)
    if left:  # not once all is done
        parts.append(f"about {duration_text(left)} left")
    return " | ".join(parts)


def best_of(progress: SweepProgress, budget: int | None) -> LiveTrial | None:
    """Return the best trial so far among those that fit a budget."""
    fitting = [
        live
        for live in list(progress.ledger.trials.values())
        if live.score is not None
        and live.status not in ("diverged", "failed")
        and (budget is None or live.task.draw.weights <= budget)
    ]
    return max(fitting, key=lambda live: (live.score, -live.task.draw.weights), default=None)


def seconds_left(progress: SweepProgress, elapsed: float) -> float | None:
    """Estimate the time left from the mean time of the trials so far; None before one has ended."""
    trials = list(progress.ledger.trials.values())
    ended = sum(live.status not in ("pending", "running") for live in trials)
    # What runs now is on average half done; what another process ended took no time of ours.
    done = ended + (len(trials) - ended) / 2
    ours = done - progress.ledger.remembered
    if ended == progress.ledger.remembered or not elapsed:
        return None
    left = max(0.0, (progress.trials - done) * elapsed / ours)
    limit = None if progress.final else progress.config.search.time_limit_s
    return left if limit is None else min(left, max(0.0, limit - elapsed))

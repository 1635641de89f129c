"""The line that tells how far a sweep is."""

import time

import pytest

from tune_app.actions.live_progress import plain_line
from tune_app.config.parameters import TrainingParameters
from tune_app.config.search_file import parse_sweep
from tune_app.config.trial_config import TrialConfig
from tune_app.results.store.statuses import TrialStatus
from tune_app.sweep.progress import SweepProgress
from tune_app.sweep.search.feasible import Draw
from tune_app.sweep.trial.tasks import Ledger, TrialTask

FILE = """
name: small
dataset: {name: digits}
model: fcn
budgets: [1k]
parameters: {width: {int: [4, 9]}, epochs: 4}
search: {trials: 4}
"""


@pytest.mark.parametrize(
    ("ended", "tells"),
    [
        (0, ["0 of 4 trials", "0.4 epochs/s", "20.0 s"]),
        (2, ["2 of 4 trials", "best val_accuracy: 1k 0.9000", "0.4 epochs/s", "20.0 s"]),
        (4, ["4 of 4 trials", "best val_accuracy: 1k 0.9000", "0.4 epochs/s", "20.0 s"]),
    ],
)
def test_it_tells_the_time_left_while_something_is(ended, tells):
    ledger = Ledger(started=time.time() - 20, epochs_run=8)
    draw = Draw(
        {}, TrialConfig(TrainingParameters()), weights=900, macs=900, budget=1_000, fill_share=None
    )
    for number in range(4):
        live = ledger.add(TrialTask(f"t{number}", number, draw, "tpe", 0, (), ""))
        if number < ended:
            live.status, live.score, live.value = TrialStatus.FINISHED, 0.9, 0.9
    config = parse_sweep(FILE, source="small.yaml")
    *line, last = plain_line(SweepProgress(config, ledger, 4, (1_000,), 2)).split(" | ")
    if ended == 2:
        assert last.startswith("about ")
        assert last.endswith(" left")
        assert line == tells
    else:
        assert [*line, last] == tells

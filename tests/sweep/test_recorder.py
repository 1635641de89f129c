"""What the recorder makes of failures."""

from types import SimpleNamespace

import pytest

from tune_app.results.store import open_store
from tune_app.sweep.ray_tune.recorder import Recorder
from tune_app.sweep.trial.tasks import Ledger

LOST = "The actor died because its node has died. Node Id: 0b44\n"
CRASHED = "The actor died unexpectedly before finishing this task.\n"


@pytest.mark.parametrize(
    ("failures", "held_against_it"),
    [([LOST], 0), ([CRASHED], 1), ([CRASHED, LOST], 1), ([LOST, CRASHED], 2)],
    ids=["lost", "crashed", "lost in the end", "crashed in the end"],
)
def test_a_lost_node_is_not_held_against_a_trial(tmp_path, failures, held_against_it):
    file = tmp_path / "error.txt"
    file.write_text("".join(f"Failure # {n}\n{text}" for n, text in enumerate(failures, 1)))
    trial = SimpleNamespace(
        error_file=str(file), run_metadata=SimpleNamespace(num_failures=len(failures))
    )
    recorder = Recorder(open_store(tmp_path), "sweep", Ledger(), dict)
    recorder.on_trial_recover(1, [trial], trial)
    assert trial.run_metadata.num_failures == held_against_it

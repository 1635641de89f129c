"""Hints that say how to resolve an error, in words for the command line, Python, or REST.

An error is raised by code that does not know who called it. So the error carries a `Hint`: a key,
and the facts that its sentence needs. The door through which the request came chooses the sentence.
All sentences are in this module, side by side.
"""

from dataclasses import dataclass
from enum import StrEnum


class Door(StrEnum):
    """The door through which a request came."""

    CLI = "cli"
    PYTHON = "python"
    REST = "rest"


# One sentence for each door; {names} are facts of the hint. An empty one says nothing there.
WORDS: dict[str, dict[Door, str]] = {
    "another_folder": {
        Door.CLI: "name another folder with --to",
        Door.PYTHON: "pass another folder as `to`",
        Door.REST: "",
    },
    "another_file": {
        Door.CLI: "remove it, or name another file with --to",
        Door.PYTHON: "remove it, or pass another path",
        Door.REST: "",
    },
    "list_trials": {
        Door.CLI: "see what became of its trials with: tune-app show {sweep} --all",
        Door.PYTHON: "see what became of its trials with: sweep.trials()",
        Door.REST: "see what became of its trials at /api/v1/sweeps/{sweep}/trials",
    },
    "choose_trial": {
        Door.CLI: "choose another with --trial: tune-app show {sweep} --all lists them",
        Door.PYTHON: "choose another with trial=: sweep.trials() lists them",
        Door.REST: "choose another with `trial`: /api/v1/sweeps/{sweep}/trials lists them",
    },
    "finish_trial": {
        Door.CLI: "finish the trial with: tune-app resume {sweep}; or choose another with --trial",
        Door.PYTHON: "finish the trial with: tune_app.resume(sweep); or choose another with trial=",
        Door.REST: "finish the trial with: POST /api/v1/sweeps/{sweep}/resume",
    },
    "budget_or_trial": {
        Door.CLI: "give either --budget or --trial",
        Door.PYTHON: "give either budget= or trial=",
        Door.REST: "give either `budget` or `trial`",
    },
    "choose_network": {
        Door.CLI: "choose one of {names} with --budget, all of them with --budget all, or a trial "
        "with --trial",
        Door.PYTHON: "choose one of {names} with budget=, or a trial with trial=",
        Door.REST: "choose one of {names}, or all, with `budget`, or a trial with `trial`",
    },
    "write_export": {
        Door.CLI: "write one with: tune-app export SWEEP --to {directory}",
        Door.PYTHON: 'write one with: sweep.export("{directory}")',
        Door.REST: "",
    },
    "resume_or_rename": {
        Door.CLI: "continue it with: {resume}; or run this file under another name: --name NAME, "
        "or --new for the next free one",
        Door.PYTHON: "continue it with tune_app.resume(sweep); or change `name`, or pass new=True "
        "for the next free one",
        Door.REST: "continue it with POST /api/v1/sweeps/{sweep}/resume; or send another `name`",
    },
    "another_name": {
        Door.CLI: "move them away, or run this file under another name: --name NAME, or --new for "
        "the next free one",
        Door.PYTHON: "move them away, or change `name`, or pass new=True for the next free one",
        Door.REST: "send another `name`",
    },
    "more_trials": {
        Door.CLI: "--trials says how many in all",
        Door.PYTHON: "`trials` says how many in all",
        Door.REST: "`trials` says how many in all",
    },
    "cluster_address": {
        Door.CLI: "see --address and RAY_ADDRESS (host:port of the head, 6379 by default)",
        Door.PYTHON: "see `address` and RAY_ADDRESS (host:port of the head, 6379 by default)",
        Door.REST: "",
    },
    "no_ray_client": {
        Door.CLI: "start tune-app on a node of the cluster with --address HOST:6379, or send the "
        "sweep as a job: tune-app submit",
        Door.PYTHON: 'start the program on a node of the cluster with address="HOST:6379", or '
        "send the sweep as a job: tune-app submit",
        Door.REST: "",
    },
    "files_elsewhere": {
        Door.CLI: "use the --storage that it was started with",
        Door.PYTHON: "open the storage that it was started with",
        Door.REST: "",
    },
    "is_storage_right": {
        Door.CLI: "is {option} right?",
        Door.PYTHON: "is this the right storage?",
        Door.REST: "",
    },
    "list_sweeps": {
        Door.CLI: "list the sweeps with: tune-app list",
        Door.PYTHON: "list the sweeps with: list(tune_app.open_storage())",
        Door.REST: "list the sweeps at /api/v1/sweeps",
    },
    "stop_sweep": {
        Door.CLI: "wait for it, or stop it with: tune-app stop {sweep}",
        Door.PYTHON: "wait for it, or stop it with: tune-app stop {sweep}",
        Door.REST: "wait for it, or stop it with: POST /api/v1/sweeps/{sweep}/stop",
    },
    "upgrade_or_other_storage": {
        Door.CLI: "upgrade tune-app, or use another {option}",
        Door.PYTHON: "upgrade tune-app, or use another storage",
        Door.REST: "",
    },
    "take_one_table": {
        Door.CLI: "{flags} cannot be combined; take one",
        Door.PYTHON: "{names} cannot be combined; take one",
        Door.REST: "{names} cannot be combined; take one",
    },
    "two_parameters": {
        Door.CLI: "--pivot takes two, like optimizer,lr",
        Door.PYTHON: "`pivot` takes two, like optimizer,lr",
        Door.REST: "`pivot` takes two, like optimizer,lr",
    },
    "fetch_data": {
        Door.CLI: "get it with: tune-app data {name}; or {by_hand}; another data root is named "
        "by --data or TUNE_APP_DATA",
        Door.PYTHON: "get it with: tune-app data {name}; or {by_hand}; another data root is "
        "named by `data_root` or TUNE_APP_DATA",
        Door.REST: "",
    },
    "fetch_again": {
        Door.CLI: "remove it and get it again with: tune-app data {name}",
        Door.PYTHON: "remove it and get it again with: tune-app data {name}",
        Door.REST: "",
    },
    "data_root": {
        Door.CLI: "the data root is named by --data or TUNE_APP_DATA",
        Door.PYTHON: "the data root is named by `data_root` or TUNE_APP_DATA",
        Door.REST: "",
    },
    "trials_with_weights": {
        Door.CLI: "list trials that have them with: tune-app show {sweep}",
        Door.PYTHON: "list trials that have them with: sweep.ranked()",
        Door.REST: "",
    },
    "keep_weights": {
        Door.CLI: "run its search file again with --set record.weights_every={every} and --new",
        Door.PYTHON: "run it again with `record: {{weights_every: {every}}}` in its search file",
        Door.REST: "",
    },
    "measure_on_test": {
        Door.CLI: "--test measures it on the test split",
        Door.PYTHON: "test=True measures it on the test split",
        Door.REST: "",
    },
    "same_architecture": {
        Door.CLI: "name trials of one architecture: tune-app show {sweep} --all --sort weights "
        "lists them side by side",
        Door.PYTHON: "name trials of one architecture: sweep.trials() lists them",
        Door.REST: "",
    },
    "train_again_by_step": {
        Door.CLI: "--by-step trains again and records it",
        Door.PYTHON: "by_step=True trains again and records it",
        Door.REST: "",
    },
    "make_token": {
        Door.CLI: "make one with: tune-app token",
        Door.PYTHON: "make one with: tune-app token",
        Door.REST: "",
    },
    "replace_token": {
        Door.CLI: "make a new one with: tune-app token --replace",
        Door.PYTHON: "make a new one with: tune-app token --replace",
        Door.REST: "",
    },
    "another_port": {
        Door.CLI: "choose another with --port",
        Door.PYTHON: "choose another port",
        Door.REST: "",
    },
}


@dataclass(frozen=True)
class Hint:
    """A hint on an error: a key of `WORDS`, and the facts that its sentences name."""

    key: str
    facts: tuple[tuple[str, str], ...] = ()

    def words(self, door: Door) -> str:
        """Return the sentence for a door; empty if there is none."""
        return WORDS[self.key][door].format(**dict(self.facts))


def hint(key: str, **facts: object) -> Hint:
    """Return a hint with its facts as texts."""
    return Hint(key, tuple((name, str(fact)) for name, fact in facts.items()))

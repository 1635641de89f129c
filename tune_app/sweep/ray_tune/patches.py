"""Every use of a private name of Ray, in one place, and none of them needed.

Each function here makes a sweep faster or friendlier through something that Ray does not promise
to keep. Each first checks that the name is there and takes what we give it; where it does not,
the sweep goes on the public way, and `Fallbacks` says once what that costs. A test takes the names
away one at a time, another pins what each of them is relied on for.
"""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from tune_app.sweep.fallbacks import Fallbacks, accepts
from tune_app.sweep.trial.tasks import DriverOnly

MOST_WORKERS = 100_000  # kept for reuse: all
WORKER_START_S = 20.0  # how long a free worker leaves a trial to the one that starts for it
PLACEMENT_S = 1.0  # and how long to one for which Ray has yet to find a place
NO_SUCH_NAME = 64  # exit code of a helper process whose Ray lacks what it was to call

CONTROLLER = "Ray (ray.tune.execution.tune_controller.TuneController)"
WRAPPER = "Ray (what a scheduler of ray.tune gets as its controller)"
CLASS_CACHE = "Ray (ray.tune.execution.class_cache)"
SIGTERM = "Ray (ray._private.utils.set_sigterm_handler)"
HEAD = "Ray (ray._raylet.GcsClient)"
MIXINS = "Ray (__mixins__ of a function that trains)"
FAILURES = "Ray (ray.tune.experiment.Trial.run_metadata.num_failures)"

Trainable = TypeVar("Trainable", bound=Callable[..., Any])


# -- starting Ray ---------------------------------------------------------------------------------


@contextlib.contextmanager
def signal_handlers_kept(fallbacks: Fallbacks) -> Iterator[None]:
    """Keep our handler of SIGTERM while Ray starts or connects.

    Ray sets one of its own then, which raises SystemExit wherever the process happens to be, in
    places too where that is swallowed. Without this, ours is set again when Ray is up.
    """
    utils: Any
    try:
        from ray._private import utils
    except ImportError:
        utils = None
    before = getattr(utils, "set_sigterm_handler", None)
    if not callable(before):
        fallbacks.note(SIGTERM, "a SIGTERM while Ray starts may end the process without a word")
    # Set where it is missing too: whatever part of Ray still calls it then finds something.
    if utils is not None:
        utils.set_sigterm_handler = lambda *handlers, **named: None
    try:
        yield
    finally:
        if callable(before):
            utils.set_sigterm_handler = before
        elif utils is not None:
            del utils.set_sigterm_handler


def ask_head(
    address: str, timeout_s: float, fallbacks: Fallbacks
) -> "subprocess.CompletedProcess[str] | None":
    """Ask what listens at `address` whether it is a Ray head that accepts us.

    In a process of its own: the client's first call retries for minutes in C++ where something
    else listens, or the token is wrong, and cannot be interrupted. Returns None where this Ray
    cannot be asked so; `ray.init` then finds out, later.

    Raises:
        subprocess.TimeoutExpired: There is no answer.
    """
    code = (
        "import sys\n"
        "try:\n"
        "    from ray._raylet import GcsClient as client\n"
        "except ImportError:\n"
        f"    sys.exit({NO_SUCH_NAME})\n"
        "try:\n"
        "    client(address=sys.argv[1])\n"
        "except TypeError:\n"
        f"    sys.exit({NO_SUCH_NAME})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, address], capture_output=True, text=True, timeout=timeout_s
    )
    if done.returncode == NO_SUCH_NAME:
        fallbacks.note(HEAD, "a wrong address or token is noticed by Ray itself, after minutes")
        return None
    return done


def ask_job_server(address: str, environment: dict[str, str], timeout_s: float) -> str:
    """Return where the job server of the cluster at `address` is, as its head says it.

    In a process of its own: Ray ends the one that asks a head that is not there.

    Raises:
        subprocess.CalledProcessError: It does not say; with the code NO_SUCH_NAME where this Ray
            cannot be asked so.
        subprocess.TimeoutExpired: There is no answer.
    """
    code = (
        "import sys\n"
        "from ray.dashboard import utils\n"
        "ask = getattr(utils, 'get_address_for_submission_client', None)\n"
        f"print(ask(sys.argv[1])) if ask else sys.exit({NO_SUCH_NAME})\n"
    )
    asked = subprocess.run(
        [sys.executable, "-c", code, address],
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=True,
    )
    return asked.stdout.split()[-1]


# -- workers --------------------------------------------------------------------------------------


@contextlib.contextmanager
def started_workers_used(fallbacks: Fallbacks) -> Iterator[None]:
    """Have Tune ask for workers as Ray has started them already, in a Ray of our own.

    Tune names variables of the environment for its workers, which these have inherited; yet
    because they are named Ray starts others, and those that wait are never used: a second of each
    core. Empty names in the module that asks for workers avoid that.
    """
    before: dict[str, Any] = {}
    try:
        from ray.tune.execution import class_cache

        for name in ("DEFAULT_ENV_VARS", "ENV_VARS_TO_PROPAGATE"):  # a dict and a set
            before[name] = getattr(class_cache, name)
        empty = {name: type(variables)() for name, variables in before.items()}
    except (ImportError, AttributeError, TypeError):
        fallbacks.note(CLASS_CACHE, "Ray starts each worker anew, which takes a second more")
        yield
        return
    for name, variables in empty.items():
        setattr(class_cache, name, variables)
    try:
        yield
    finally:
        for name, variables in before.items():
            setattr(class_cache, name, variables)


class Shellless:
    """A base of the class that Tune makes of a function: in a worker there is no shell of IPython.

    Tune would quiet one there, and for that import all of IPython: half a second in every worker.
    """

    def is_actor(self) -> bool:
        return False


def without_shell(trainable: Trainable) -> Trainable:
    """Return `trainable`, a function for Tune, marked so that Tune looks for no shell."""
    trainable.__mixins__ = (Shellless,)  # type: ignore[attr-defined]
    return trainable


def check_without_shell(fallbacks: Fallbacks) -> None:
    """Say so where Tune no longer heeds what `without_shell` marked."""

    @without_shell
    def probe(config: Any) -> None:
        """Stand for a function that trains."""

    try:
        from ray.tune.trainable.function_trainable import FunctionTrainable, wrap_function

        heeded = hasattr(FunctionTrainable, "is_actor") and issubclass(
            wrap_function(probe), Shellless
        )
    except (ImportError, AttributeError, TypeError, ValueError):
        heeded = False
    if not heeded:
        fallbacks.note(MIXINS, "each worker imports IPython, which takes half a second more")


def may_reuse_workers(fallbacks: Fallbacks) -> bool:
    """Tell whether Tune hands workers on from trial to trial in the way that we know."""
    try:
        from ray.tune.execution.tune_controller import TuneController
        from ray.tune.utils.object_cache import _ObjectCache

        known = accepts(TuneController._maybe_reuse_cached_actor, None, None) and accepts(
            _ObjectCache.increase_max, None, None, by=1
        )
    except (ImportError, AttributeError):
        known = False
    if not known:
        fallbacks.note(CONTROLLER, "each trial starts a worker of its own, which takes seconds")
    return known


class WorkerKeeper(DriverOnly):
    """Has Tune keep the workers that run and those that start, in the place of its own choice.

    A worker is a process that has imported torch and Ray, which takes seconds; a trial of a small
    network often takes less. Left alone, Tune does two things that make workers scarce:

    - It ends a worker for which no trial waits at that moment, though the searcher is about to
      draw one. So the most workers that may wait for each kind of resources is raised to "all".
    - It gives a worker that is free to the trial for which another worker is starting, ends the
      one that starts, and starts one for the next trial. With trials shorter than a worker's
      start, all but one worker never come up. So a free worker leaves a trial alone while its own
      worker may still come: up to 20 s for one that Ray has placed on a node, 1 s for one that
      Ray has yet to place. The latter will not come up while others hold the CPUs, or, once a
      node is lost, while the free worker itself does.
    """

    def __init__(self, controller: Any) -> None:
        self._controller = controller
        self._reuse = controller._maybe_reuse_cached_actor
        self._waits_since: dict[Any, float] = {}  # by worker
        self._kept: list[Any] = []
        controller._maybe_reuse_cached_actor = self.reuse_worker

    @classmethod
    def of(cls, tune_controller: Any, fallbacks: Fallbacks) -> "WorkerKeeper | None":
        """Return the keeper of a controller as a scheduler gets it; None where it has changed."""
        controller: Any = getattr(tune_controller, "_tune_controller", None)
        try:
            holds = (
                accepts(controller._maybe_reuse_cached_actor, None)
                and accepts(controller._actor_cache.increase_max, None, by=1)
                and accepts(controller._actor_manager.is_actor_started, None)
                and hasattr(controller._trial_to_actor, "get")
                and hasattr(controller._resetting_trials, "__contains__")
            )
        except AttributeError:
            holds = False
        if holds:
            return cls(controller)
        fallbacks.note(WRAPPER, "Tune ends and starts workers more often than it needs to")
        _answer_in_place_of(controller, "_maybe_reuse_cached_actor", False)
        _answer_in_place_of(getattr(controller, "_actor_cache", None), "increase_max", None)
        return None

    def keep(self, resources: Any) -> None:
        """Keep all workers that have these resources."""
        if resources not in self._kept:
            self._kept.append(resources)
            self._controller._actor_cache.increase_max(resources, by=MOST_WORKERS)

    def reuse_worker(self, trial: Any) -> bool:
        """Give `trial` a free worker if there is one, and none is starting for it."""
        worker = self._controller._trial_to_actor.get(trial)
        if worker is not None:
            since = self._waits_since.setdefault(worker, time.monotonic())
            placed = self._controller._actor_manager.is_actor_started(worker)
            if time.monotonic() - since < (WORKER_START_S if placed else PLACEMENT_S):
                return trial in self._controller._resetting_trials
        return bool(self._reuse(trial))


def _answer_in_place_of(holder: Any, method: str, answer: Any) -> None:
    """Give an object a method that it lacks, for whatever part of Ray still calls it."""
    if holder is not None and not hasattr(holder, method):
        setattr(holder, method, lambda *arguments, **named: answer)


# -- failures -------------------------------------------------------------------------------------


def forgive_failure(trial: Any, fallbacks: Fallbacks) -> None:
    """Take back the last failure that Tune counted against a trial, which was not its own."""
    try:
        trial.run_metadata.num_failures -= 1
    except (AttributeError, TypeError):
        fallbacks.note(FAILURES, "a trial fails after the third node that is lost under it")

"""All uses of private names of Ray. None of them is essential.

Each function here makes a sweep faster or its errors clearer, with a name that Ray does not promise
to keep. Each first checks that the name exists and accepts our arguments; if not, the sweep uses
only public names, and `Fallbacks` warns once what that costs. One test removes the names one at a
time; another checks the behaviour that each of them is used for.
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

    While starting, Ray sets its own handler. It raises SystemExit at whatever point the process has
    reached, even where that exception is swallowed. If Ray's function cannot be replaced, our
    handler is only set again after Ray has started.
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
    """Check that a Ray head listens at `address` and accepts our token.

    The check runs in a separate process. If something else listens there, or the token is wrong,
    the first call of Ray's client retries for minutes in C++ and cannot be interrupted. Returns
    None if this release of Ray lacks the name; then `ray.init` itself notices the problem, later.

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
    """Ask the head of the cluster at `address` for its job server; return that address.

    The question is asked in a separate process, because Ray ends a process that asks a missing
    head.

    Raises:
        subprocess.CalledProcessError: The head does not name a job server. The exit code is
            NO_SUCH_NAME if this release of Ray lacks the name.
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
    """Make Tune request workers that a local Ray has already started.

    Tune requests workers with certain environment variables. The waiting workers have inherited the
    same variables, but because of the request Ray starts new workers and never uses the waiting
    ones, which costs a second of each core. The request is left out by emptying the list of
    variables in Tune's module.
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
    """A base of the class that Tune makes of a function, which skips Tune's search for IPython.

    To quieten an IPython shell, Tune would import all of IPython, which takes half a second in
    every worker; but a worker never has such a shell.
    """

    def is_actor(self) -> bool:
        return False


def without_shell(trainable: Trainable) -> Trainable:
    """Return the function `trainable`, marked so that Tune does not search for IPython."""
    trainable.__mixins__ = (Shellless,)  # type: ignore[attr-defined]
    return trainable


def check_without_shell(fallbacks: Fallbacks) -> None:
    """Warn if Tune no longer respects the mark of `without_shell`."""

    @without_shell
    def probe(config: Any) -> None:
        """A placeholder for a training function."""

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
    """Tell whether Tune passes workers from trial to trial with the names that we rely on."""
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
    """Makes Tune keep its workers, both running and starting ones.

    A worker is a process that has imported torch and Ray, which takes seconds; a trial of a small
    network often takes less. By default, Tune does two things that make workers scarce:

    - It ends a worker if no trial waits for one at that moment, although the searcher is about to
      draw a trial. So the limit on waiting workers is raised to all workers.
    - If a worker becomes free while another worker is starting for a trial, it gives the free
      worker to that trial, ends the starting worker, and starts another one for the next trial. If
      trials are shorter than the start of a worker, only one worker is ever ready. So a free
      worker is not given to a trial while the trial's own worker may still become ready: for up to
      20 s if Ray has placed that worker on a node, and 1 s if it has not. A worker that is not
      placed cannot start while others hold the CPUs or, after the loss of a node, while the free
      worker itself holds them.
    """

    def __init__(self, controller: Any) -> None:
        self._controller = controller
        self._reuse = controller._maybe_reuse_cached_actor
        self._waits_since: dict[Any, float] = {}  # by worker
        self._kept: list[Any] = []
        controller._maybe_reuse_cached_actor = self.reuse_worker

    @classmethod
    def of(cls, tune_controller: Any, fallbacks: Fallbacks) -> "WorkerKeeper | None":
        """Return a keeper for the controller that a scheduler gets; None if Tune has changed."""
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
        """Give `trial` a free worker, unless a worker is starting for this trial."""
        worker = self._controller._trial_to_actor.get(trial)
        if worker is not None:
            since = self._waits_since.setdefault(worker, time.monotonic())
            placed = self._controller._actor_manager.is_actor_started(worker)
            if time.monotonic() - since < (WORKER_START_S if placed else PLACEMENT_S):
                return trial in self._controller._resetting_trials
        return bool(self._reuse(trial))


def _answer_in_place_of(holder: Any, method: str, answer: Any) -> None:
    """Add a missing method to an object, because some part of Ray still calls it."""
    if holder is not None and not hasattr(holder, method):
        setattr(holder, method, lambda *arguments, **named: answer)


# -- failures -------------------------------------------------------------------------------------


def forgive_failure(trial: Any, fallbacks: Fallbacks) -> None:
    """Remove the last failure that Tune counted for a trial, because the trial did not cause it."""
    try:
        trial.run_metadata.num_failures -= 1
    except (AttributeError, TypeError):
        fallbacks.note(FAILURES, "a trial fails after the third node that is lost under it")

"""Several processes that want the same thing at the same moment."""

import threading
from collections.abc import Callable
from dataclasses import replace

from stored import SWEEP, reopened

from tune_app.errors import SweepBusyError, SweepExistsError, TuneAppError
from tune_app.results.store import Store, this_process

RACERS = 6


def race(store: Store, step: Callable[[Store, int], object]) -> list[BaseException | None]:
    """Do `step` at once in threads with a connection each; return what each raised."""
    raised: list[BaseException | None] = [None] * RACERS
    start = threading.Barrier(RACERS)

    def run(number: int) -> None:
        own = reopened(store)
        try:
            start.wait()
            step(own, number)
        except TuneAppError as error:
            raised[number] = error
        finally:
            own.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(RACERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_the_first_sweeps_of_a_storage_are_made_at_once(store):
    raised = race(store, lambda own, n: own.create_sweep(replace(SWEEP, name=f"study{n}")))
    assert raised == [None] * RACERS
    assert {sweep.name for sweep in store.list_sweeps()} == {f"study{n}" for n in range(RACERS)}


def test_one_of_those_who_take_a_name_at_once_gets_it(store):
    raised = race(store, lambda own, n: own.create_sweep(replace(SWEEP, seed=n)))
    winner = raised.index(None)
    assert store.get_sweep("study").seed == winner
    del raised[winner]
    assert all(isinstance(error, SweepExistsError) for error in raised)


def test_one_of_those_who_claim_a_sweep_at_once_owns_it(store):
    store.create_sweep(SWEEP)
    raised = race(store, lambda own, n: own.claim("study", this_process() | {"host": f"host{n}"}))
    winner = raised.index(None)
    owner = store.get_sweep("study").owner
    assert owner is not None
    assert owner["host"] == f"host{winner}"
    del raised[winner]
    assert all(isinstance(error, SweepBusyError) for error in raised)

"""The plan over the nodes of a cluster, on made lists of them."""

import pytest

from tune_app.config.sections import Resources
from tune_app.errors import ClusterError
from tune_app.sweep.ray_tune.placement import GPUS, Admission, Node, plan_placement


def nodes(*sizes):
    """Return nodes of (CPUs, GPUs)."""
    return [Node(f"10.0.0.{n}", *size) for n, size in enumerate(sizes, start=1)]


@pytest.mark.parametrize(
    ("there", "wanted", "by_node", "on_gpus", "on_cpus", "share"),
    [
        ([(2, 0)], {}, (2,), 0, 2, 0),
        ([(2, 0), (64, 0), (0, 0)], {}, (2, 64, 0), 0, 66, 0),
        ([(3, 0), (3, 0)], {"cpus_per_trial": 2}, (1, 1), 0, 2, 0),
        ([(16, 1)], {}, (4,), 4, 0, 1 / 4),
        ([(2, 1), (16, 2), (8, 0)], {}, (2, 4, 8), 6, 8, 1 / 2),
        ([(16, 2), (8, 0)], {"gpus_per_trial": 0.5}, (4, 0), 4, 0, 1 / 2),
        ([(16, 2), (8, 0)], {"gpus_per_trial": 0.6}, (2, 0), 2, 0, 0.6),
        ([(16, 4), (8, 1)], {"gpus_per_trial": 2}, (2, 0), 2, 0, 2),
        ([(16, 2), (8, 0)], {"gpus_per_trial": 0}, (16, 8), 0, 24, 0),
        ([(16, 1), (8, 0)], {"max_concurrent": 6}, (4, 8), 4, 2, 1 / 4),
        ([(16, 1), (8, 0)], {"max_concurrent": 3}, (4, 8), 3, 0, 1 / 4),
    ],
    ids=[
        *("a laptop", "small and large", "whole trials per node", "a GPU is shared"),
        *("GPUs here and CPUs there", "half GPUs", "shares of one GPU", "two GPUs each"),
        *("GPUs left alone", "GPUs come first", "GPUs only"),
    ],
)
def test_trials_fill_the_nodes(there, wanted, by_node, on_gpus, on_cpus, share):
    plan = plan_placement(Resources(**wanted), nodes(*there))
    assert plan.by_node == by_node
    assert (plan.on_gpus, plan.on_cpus, plan.gpus_per_trial) == (on_gpus, on_cpus, share)
    assert plan.concurrent == on_gpus + on_cpus


@pytest.mark.parametrize(
    ("there", "wanted", "message"),
    [
        (
            [(2, 0)],
            {"cpus_per_trial": 4},
            "resources.cpus_per_trial is 4, but there are 2 CPUs",
        ),
        (
            [(2, 0), (3, 0)],
            {"cpus_per_trial": 4},
            "resources.cpus_per_trial is 4, but no node has more than 3 CPUs (of 2 nodes)",
        ),
        (
            [(8, 0)],
            {"gpus_per_trial": 0.5},
            "resources.gpus_per_trial is 0.5, but there are 0 GPUs; 'auto' uses all GPUs",
        ),
        (
            [(8, 1), (8, 1)],
            {"gpus_per_trial": 2},
            "resources.gpus_per_trial is 2, but no node has more than 1 GPUs (of 2 nodes); "
            "'auto' uses all GPUs",
        ),
    ],
    ids=["cpus", "cpus of any node", "no gpu", "gpus of any node"],
)
def test_a_trial_that_no_node_can_hold_is_refused(there, wanted, message):
    with pytest.raises(ClusterError) as error:
        plan_placement(Resources(**wanted), nodes(*there))
    assert str(error.value) == message


class Endless:
    """A searcher that has always one more."""

    metric = mode = None

    def suggest(self, trial_id):
        return {"task": trial_id}

    def on_trial_complete(self, trial_id, result=None, error=False):
        pass


def endless(monkeypatch, there):
    """Return an Admission of an endless searcher over `there`, which may change."""
    from ray.tune.search import Searcher

    class EndlessSearcher(Endless, Searcher):
        pass

    monkeypatch.setattr("tune_app.sweep.ray_tune.placement.LOOK_EVERY_S", 0.0)
    return Admission(EndlessSearcher(), Resources(), lambda: nodes(*there))


def asked(admission, *ids):
    return [(found or {}).get(GPUS) for found in map(admission.suggest, ids)]


def test_a_searcher_is_asked_for_as_many_trials_as_there_is_room_for(monkeypatch):
    there = [(2, 1), (1, 0)]
    admission = endless(monkeypatch, there)
    assert asked(admission, "a", "b", "c", "d") == [0.5, 0.5, 0.0, None]
    admission.on_trial_complete("a")
    assert asked(admission, "e", "f") == [0.5, None]


def test_nodes_that_join_are_filled_and_those_that_leave_are_not_counted_on(monkeypatch):
    there = [(1, 0)]
    admission = endless(monkeypatch, there)
    assert asked(admission, "a", "b") == [0.0, None]
    there.append((2, 0))
    assert asked(admission, "b", "c", "d") == [0.0, 0.0, None]
    there.clear()
    there.append((1, 0))
    admission.on_trial_complete("a")
    assert asked(admission, "d") == [None]
    there.clear()  # for a while; what runs goes on
    assert asked(admission, "d") == [None]

"""What is asked of nodes before a sweep starts on them."""

import platform
from importlib import metadata
from pathlib import Path

import pytest

from tune_app.errors import ClusterError
from tune_app.sweep.ray_tune import nodes as checking
from tune_app.sweep.ray_tune.node_probe import package_digest, probe_node
from tune_app.sweep.ray_tune.nodes import Needs, alive_nodes, check_nodes, node_problems
from tune_app.sweep.ray_tune.placement import Node
from tune_app.sweep.trial.file_transfer import StorageMark, marked

MB = 10**6
NODE = Node("10.0.0.2", 4.0, name="box", node_id="b", store_bytes=200 * MB)


def report(**changes):
    """Return what a node says that has all it needs."""
    fine = {
        "python": platform.python_version(),
        "ray": metadata.version("ray"),
        "package": package_digest(),
        "shared": False,
        "write_error": None,
        "bucket_error": None,
        "memory": 8 * 2**30,
    }
    return fine | changes


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, None),
        (
            {"ray": "2.61.0"},
            f"Ray 2.61.0, where this process has {metadata.version('ray')}; install the same on "
            "every node",
        ),
        (
            {"python": "3.9.1"},
            f"Python 3.9, where this process has {platform.python_version().rpartition('.')[0]}; "
            "install the same on every node",
        ),
        (
            {"shared": True, "write_error": "PermissionError: [Errno 13] Permission denied"},
            "the storage is there and cannot be written (PermissionError: [Errno 13] Permission "
            "denied); let the user that runs Ray there write to it, or choose another storage",
        ),
        (
            {"memory": 150 * MB},
            "150.0 MB of memory are free, and the data set needs 200.0 MB; free some, leave the "
            "node out, or set dataset.train_size",
        ),
        (
            {"error": "ModuleNotFoundError: No module named 'cloudpickle'"},
            "nothing can be started there: ModuleNotFoundError: No module named 'cloudpickle'",
        ),
    ],
    ids=["fine", "ray", "python", "storage", "memory", "nothing starts"],
)
def test_a_problem_of_a_node_comes_with_the_way_out(changes, problem):
    found = node_problems(NODE, report(**changes), 100 * MB)
    assert found == ([] if problem is None else [problem])


def test_a_data_set_must_fit_into_the_object_store():
    (problem,) = node_problems(NODE, report(), 300 * MB)
    assert problem == (
        "Ray's object store there holds 200.0 MB, and the data set is 300.0 MB; start Ray with "
        "--object-store-memory=600000000"
    )


def test_a_node_that_sees_the_storage_tells_so_and_leaves_nothing_there(tmp_path):
    with marked(tmp_path) as mark:
        assert mark.is_here()
        here = probe_node(mark.storage, mark.name, mark.word, None)
        assert (here["shared"], here["write_error"]) == (True, None)
        elsewhere = probe_node(mark.storage, mark.name, "another word", None)
        assert elsewhere["shared"] is False
        assert [path.name for path in tmp_path.iterdir()] == [mark.name]
    assert not any(tmp_path.iterdir())
    assert not mark.is_here()


def test_a_storage_that_cannot_be_written_there_is_told(tmp_path, monkeypatch):
    def refuse(path, content):
        raise PermissionError(13, "Permission denied")

    with marked(tmp_path) as mark:
        monkeypatch.setattr(Path, "write_bytes", refuse)
        found = probe_node(mark.storage, mark.name, mark.word, None)
    assert found["write_error"] == "PermissionError: [Errno 13] Permission denied"


def test_all_failing_nodes_are_named_together(monkeypatch):
    nodes = [NODE, Node("10.0.0.3", 4.0, name="den", node_id="c"), Node("10.0.0.4", 1.0)]
    answers = {
        "b": report(ray="2.1.0"),
        "c": report(memory=1),
        "": report(package=None),
    }
    monkeypatch.setattr(checking, "_ask_all", lambda *asked: answers)
    with pytest.raises(ClusterError) as error:
        check_nodes(nodes, Needs(Path(), 10 * MB), StorageMark("/nowhere", "word"))
    first, *rest = str(error.value).splitlines()
    assert first == "2 things are wrong: nodes cannot take part in the sweep"
    assert [line.partition(":")[0] for line in rest] == [
        "  node 10.0.0.2 (box)",
        "  node 10.0.0.3 (den)",
    ]


def test_a_node_without_our_package_is_told_from_one_with_it(monkeypatch):
    needs, mark = Needs(Path(), MB), StorageMark("/nowhere", "word")
    monkeypatch.setattr(checking, "_ask_all", lambda *asked: {"b": report()})
    assert check_nodes([NODE], needs, mark)
    monkeypatch.setattr(checking, "_ask_all", lambda *asked: {"b": report(package=None)})
    assert not check_nodes([NODE], needs, mark)


def test_nodes_that_do_not_answer_are_named(monkeypatch, caplog):
    needs, mark = Needs(Path(), MB), StorageMark("/nowhere", "word")
    monkeypatch.setattr(checking, "_ask_all", lambda *asked: {})
    with pytest.raises(ClusterError, match="no node of the cluster answered within 60 s"):
        check_nodes([NODE], needs, mark)
    monkeypatch.setattr(checking, "_ask_all", lambda *asked: {"c": report()})
    other = Node("10.0.0.3", 4.0, node_id="c")
    assert check_nodes([NODE, other], needs, mark)
    assert "node 10.0.0.2 (box) did not answer within 10 s" in caplog.text


def test_a_real_node_answers(ray_session, tmp_path):
    with marked(tmp_path) as mark:
        assert check_nodes(alive_nodes(), Needs(tmp_path, MB), mark)

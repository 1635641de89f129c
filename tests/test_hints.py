"""Every error names its way out in the words of whoever asked."""

import ast
import pickle
from string import Formatter

import pytest

from tests.test_house import SOURCES
from tune_app.errors import DataMissingError, ExportError, StorageError
from tune_app.hints import WORDS, Door, hint


def facts_of(sentence: str) -> set[str]:
    """Return the names in braces."""
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


def used_hints() -> dict[str, list[set[str]]]:
    """Return the facts that the package gives to each hint, at every place that makes it."""
    used: dict[str, list[set[str]]] = {}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "hint":
                (key,) = node.args
                assert isinstance(key, ast.Constant), f"{path}: the key is no plain text"
                used.setdefault(key.value, []).append({str(fact.arg) for fact in node.keywords})
    return used


def test_every_hint_is_used_and_worded_for_every_door():
    assert set(used_hints()) == set(WORDS)
    assert {key: set(doors) for key, doors in WORDS.items()} == {key: set(Door) for key in WORDS}


@pytest.mark.parametrize("key", WORDS)
def test_a_hint_gets_the_facts_that_its_sentences_name(key):
    named = set().union(*map(facts_of, WORDS[key].values()))
    for given in used_hints()[key]:
        assert named == given


@pytest.mark.parametrize("key", WORDS)
def test_only_the_command_line_is_told_of_flags(key):
    for door in (Door.PYTHON, Door.REST):
        assert " --" not in WORDS[key][door].replace("tune-app token --replace", "")


def test_each_door_has_its_own_words_for_one_error():
    error = ExportError("nets holds other files: empty it", hint=hint("another_folder"))
    assert error.worded(Door.CLI) == (
        "nets holds other files: empty it; name another folder with --to"
    )
    assert str(error) == "nets holds other files: empty it; pass another folder as `to`"
    assert error.worded(Door.REST) == "nets holds other files: empty it"


@pytest.mark.parametrize("kind", [ExportError, StorageError, DataMissingError])
def test_a_hint_survives_the_way_between_processes(kind):
    error = pickle.loads(pickle.dumps(kind("no", hint=hint("list_trials", sweep="a"))))
    assert error.worded(Door.CLI) == (
        "no; see what became of its trials with: tune-app show a --all"
    )

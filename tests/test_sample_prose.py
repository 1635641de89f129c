"""scripts/sample_prose: a sample that can be repeated, with true places."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLACE = re.compile(r"^ *(\d+)  (\S+):(\d+)\n((?:     .*\n|\n(?!\n| *\d+  \S+:\d))*)", re.M)


def sampled(*arguments: str) -> str:
    command = [sys.executable, str(ROOT / "scripts" / "sample_prose"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def sample() -> str:
    return sampled("--docstrings", "7", "--sentences", "30")


def test_a_seed_gives_one_sample_and_another_seed_another(sample):
    assert sampled("--docstrings", "7", "--sentences", "30", "--seed", "0") == sample
    assert sampled("--docstrings", "7", "--sentences", "30", "--seed", "1") != sample


def test_a_sample_has_the_size_that_was_asked_for_in_the_order_of_files_and_lines(sample):
    found = [(int(n), path, int(line)) for n, path, line, _ in PLACE.findall(sample)]
    docstrings, sentences = found[:7], found[7:]
    assert [n for n, _, _ in found] == [*range(1, 8), *range(1, 31)]
    assert all(path.startswith("tune_app/") for _, path, _ in docstrings)
    assert all(path.endswith(".md") for _, path, _ in sentences)
    for kind in (docstrings, sentences):
        assert [(path, line) for _, path, line in kind] == sorted((p, line) for _, p, line in kind)


def test_a_text_stands_at_the_line_that_is_printed_with_it(sample):
    for _, path, line, text in PLACE.findall(sample):
        below = " ".join((ROOT / path).read_text("utf-8").splitlines()[int(line) - 1 :])
        start = " ".join(text.split())[:25]
        assert start in " ".join(below.split())[:1000], (path, line, start)

"""Every `ray` and `tune-app` command under docker/ and docs/, read by the real parsers."""

from typing import Any

import click
import pytest
import typer.main
from docker_files import DOCKER, ROOT, command_lines

FILES = (
    "docker/compose.yaml",
    "docker/cluster.yaml",
    "docker/kuberay/rayjob.yaml",
    "docker/README.md",
    "README.md",
    *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*.md")),
)


MISTAKES = (click.UsageError, typer.BadParameter.__mro__[1])  # Typer brings a click of its own


def read_by(group: Any, words: list[str]) -> None:
    """Parse `words` as `group` would, and run nothing.

    Raises:
        UsageError: There is no such command, option or value.
    """
    context = group.context_class(group, info_name=words[0])
    name, command, rest = group.resolve_command(context, words[1:])
    if hasattr(command, "resolve_command") and rest:
        read_by(command, [name or "", *rest])
    elif command is not None:
        command.make_context(name, rest, parent=context)


def parsed(words: list[str]) -> None:
    if words[0] == "ray":
        from ray.scripts.scripts import cli

        read_by(cli, words)
    else:
        from tune_app.cli import app

        read_by(typer.main.get_command(app), words)


@pytest.mark.parametrize("name", FILES)
def test_the_commands_of_a_file_are_understood(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://127.0.0.1:8265")  # the page exports it
    for words in command_lines(name):
        try:
            parsed(words)
        except MISTAKES as error:
            pytest.fail(f"{' '.join(words)}: {error.format_message()}")


def test_a_command_that_there_is_not_is_noticed():
    for words in (["ray", "start", "--heed"], ["tune-app", "runn"], ["tune-app", "run", "--no"]):
        with pytest.raises(MISTAKES):
            parsed(words)


def test_rays_symmetric_run_takes_the_options_of_the_slurm_script():
    from ray.scripts.symmetric_run import curate_and_validate_ray_start_args

    text = (DOCKER / "slurm" / "sweep.sbatch").read_text(encoding="utf-8")
    assert "ray symmetric-run --address" in text
    given = ["--address", "n1:24567", "--min-nodes", "2", "--num-cpus", "8"]
    left = curate_and_validate_ray_start_args(given)
    assert left == ["--num-cpus", "8"]
    parsed(["ray", "start", "--head", "--node-ip-address=10.0.0.1", "--port=24567", *left])

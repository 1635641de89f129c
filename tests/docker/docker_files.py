"""The files under docker/ as tests read them."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
COMPOSE_FILES = ("compose.yaml", "compose.gpu.yaml")
KUBERAY_FILES = ("raycluster.yaml", "rayjob.yaml")


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def read_compose(name: str = "compose.yaml") -> dict[str, Any]:
    """Return a compose file with every `${NAME:-default}` at its default, as `up` finds it."""
    text = (DOCKER / name).read_text(encoding="utf-8")
    return yaml.safe_load(re.sub(r"(?<!\$)\$\{\w+:-([^}]*)\}", r"\1", text))


def cluster_spec(name: str) -> dict[str, Any]:
    """Return the RayClusterSpec of a file under kuberay/."""
    spec = read_yaml(DOCKER / "kuberay" / name)["spec"]
    return spec.get("rayClusterSpec", spec)


def pod_templates(name: str) -> Iterator[dict[str, Any]]:
    spec = cluster_spec(name)
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        yield group["template"]


def command_lines(name: str) -> Iterator[list[str]]:
    """Yield every `ray` and `tune-app` command of a file or page, split into words."""
    path = ROOT / name
    if path.suffix == ".md":
        blocks = re.findall(
            r"^```\w*\n(.*?)^```|((?:^    \S[^\n]*\n)+)", path.read_text(), re.M | re.S
        )
        texts = [fenced or indented for fenced, indented in blocks]
    elif path.name == "compose.yaml":
        services = read_compose(path.name)["services"].values()
        commands = [service.get("command", []) for service in services]
        texts = [
            command[2].replace("$$", "$") if command[:2] == ["sh", "-c"] else shlex.join(command)
            for command in commands
        ]
    elif path.parent.name == "kuberay":
        texts = [read_yaml(path)["spec"].get("entrypoint", "")]
    elif path.name == "cluster.yaml":
        cluster = read_yaml(path)
        texts = cluster["head_start_ray_commands"] + cluster["worker_start_ray_commands"]
    else:
        texts = [path.read_text(encoding="utf-8")]
    for text in texts:
        yield from _commands(text)


def _commands(text: str) -> Iterator[list[str]]:
    plain = re.sub(r'"?\$\([^)]*\)"?', "10.0.0.1", text.replace("\\\n", " "))
    plain = re.sub(r"\$\{?\w+\}?", "10.0.0.1", plain)
    for line in re.split(r"\n|&&|;|\|", plain):
        command = re.search(r"(?<![\w./`-])(ray|tune-app) +[\w-].*", line)
        if command and not line.lstrip().startswith("#"):
            yield shlex.split(command[0], comments=True)

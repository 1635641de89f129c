"""A Dockerfile carried out without Docker: instruction by instruction, each stage a chroot.

Needs root, debootstrap and Debian's archive. What lets this machine reach package indexes
(resolv.conf, pip's configuration, proxies, certificates) is handed in; nothing else of it is.
"""

import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
HANDED_IN = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "UV_INDEX_URL")
PROXIES = ("http_proxy", "https_proxy", "no_proxy")


def make_debian(root: Path, suite: str) -> None:
    """Fill `root` with a minimal Debian."""
    debootstrap = ["unshare", "--mount", "debootstrap", "--variant=minbase", suite, str(root)]
    subprocess.run(debootstrap, check=True, stdout=subprocess.DEVNULL)


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """Return (instruction, rest of its line) of a Dockerfile, in order."""
    kept = [line for line in dockerfile.read_text().splitlines() if not line.startswith("#")]
    joined = "\n".join(kept).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]  # type: ignore[misc]


@dataclass
class Stage:
    """One FROM of a Dockerfile: a root folder, and what ENV, USER and WORKDIR said."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)
    user: str = "0:0"
    folder: str = "/"

    def command(self, words: list[str], **environment: str) -> list[str]:
        """Return the command that runs `words` in here, in a process namespace of its own."""
        mounted = (
            f"mount -t proc proc {self.root}/proc && mount -t tmpfs -o size=2g shm"
            f" {self.root}/dev/shm && exec {shlex.join(self.inner(words, **environment))}"
        )
        (self.root / "dev" / "shm").mkdir(exist_ok=True)
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", mounted]

    def inner(self, words: list[str], **environment: str) -> list[str]:
        """Return the command that runs `words` in here, once the namespaces are there."""
        env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        env |= _of_this_machine() | {"HOME": "/root" if self.user == "0:0" else "/home/ray"}
        env |= self.env | environment
        return [
            *("chroot", f"--userspec={self.user}", str(self.root)),
            *("env", "-i", f"--chdir={self.folder}", *(f"{k}={v}" for k, v in env.items())),
            *words,
        ]

    def run(self, words: list[str], **environment: str) -> str:
        """Run `words` in here and return what they print.

        Raises:
            AssertionError: They failed; the text is what they said last.
        """
        ran = subprocess.run(self.command(words, **environment), capture_output=True, text=True)
        said = f"{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}"
        assert ran.returncode == 0, f"{shlex.join(words)} ended with {ran.returncode}:\n{said}"
        return ran.stdout

    def inside(self, path: str) -> Path:
        """Return where a path of in here is out there."""
        return self.root / (path if path.startswith("/") else f"{self.folder}/{path}").lstrip("/")


def build(dockerfile: Path, context: Path, base: Path, work: Path, **given: str) -> Stage:
    """Carry out `dockerfile` with `base` for its base image; return the last stage."""
    args: dict[str, str] = {}
    stages: dict[str, Stage] = {}
    stage = Stage(base)
    for word, rest in instructions(dockerfile):
        if word == "ARG":
            name, _, default = rest.partition("=")
            args[name] = given.get(name, default)
        elif word == "FROM":
            name = rest.partition(" AS ")[2] or "final"
            stage = stages[name] = Stage(work / name)
            subprocess.run(["cp", "--archive", base, stage.root], check=True)
            _hand_in(stage.root)
        elif word == "RUN":
            stage.run(["sh", "-c", rest], **args)
        elif word == "WORKDIR":
            stage.folder = rest
            stage.inside(rest).mkdir(parents=True, exist_ok=True)
        elif word == "COPY":
            _copy(stage, rest, context, stages)
        elif word == "ENV":
            stage.env |= dict(pair.split("=", 1) for pair in rest.split())
        elif word == "USER":
            stage.user = rest
        else:
            assert word == "CMD", f"{word} is an instruction that nothing here carries out"
    return stage


def _copy(stage: Stage, rest: str, context: Path, stages: dict[str, Stage]) -> None:
    *sources, target = rest.split()
    origin = context
    if found := re.fullmatch(r"--from=(\w+)", sources[0]):
        origin = stages[found[1]].root
        del sources[0]
    many = len(sources) > 1 or target.endswith("/")
    for source in sources:
        path = origin / source.lstrip("/")
        to = stage.inside(target) / path.name if many else stage.inside(target)
        to.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            # .dockerignore is of the context; what an earlier stage compiled comes along.
            ignored = shutil.ignore_patterns("__pycache__") if origin is context else None
            shutil.copytree(path, to, symlinks=True, dirs_exist_ok=True, ignore=ignored)
        else:
            shutil.copy2(path, to)


def _hand_in(root: Path) -> None:
    for path in (Path("/etc/resolv.conf"), Path("/etc/pip.conf")):
        if path.exists():
            shutil.copy(path, root / path.relative_to("/"))
    if CERTIFICATES.exists():
        shutil.copy(CERTIFICATES, root / "etc" / "certificates.crt")


def _of_this_machine() -> dict[str, str]:
    names = (*HANDED_IN, *PROXIES, *map(str.upper, PROXIES))
    env = {name: os.environ[name] for name in names if name in os.environ}
    if CERTIFICATES.exists():
        env |= {"SSL_CERT_FILE": "/etc/certificates.crt", "PIP_CERT": "/etc/certificates.crt"}
    return env

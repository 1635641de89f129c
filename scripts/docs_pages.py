"""Pages of the documentation that are made when it is built; a hook of MkDocs.

The README and its neighbours become pages where they are, so that nothing is written twice; so do
the notebooks, with the outputs that they were committed with. The commands' page comes from the
commands themselves. A link to a file of the repository leads
to its page, under the page's title if it only said the file's name, or keeps its text only where
there is no page.
"""

import base64
import json
import posixpath
import re
from html import escape
from pathlib import Path
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from typer.cli import get_docs_for_click

ROOT = Path(__file__).resolve().parent.parent
FROM_FILES = {  # in the repository: the page
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "docker/README.md": "clusters.md",
    "notebooks/README.md": "notebooks/index.md",
}
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
PICTURE = re.compile(r"(!\[[^\]]*\])\(([^):\s]+)\)")
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!\w+:)([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    for source, page in FROM_FILES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=_relinked(text, source)))
    for path in NOTEBOOKS:
        source = f"notebooks/{path.name}"
        text, pictures = notebook_page(path)
        page = _page_of(source)
        files.append(File.generated(config, page, content=_relinked(text, source)))
        for name, picture in pictures.items():
            files.append(File.generated(config, f"notebooks/{name}", content=picture))
    files.append(File.generated(config, "reference/commands.md", content=commands()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Mend the links of a page that is a file under docs/."""
    if page.file.generated_by is not None:
        return markdown
    return _relinked(markdown, f"docs/{page.file.src_uri}")


def notebook_page(path: Path) -> tuple[str, dict[str, bytes]]:
    """Return a notebook as Markdown, and its pictures by name."""
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            shown = {kind: _joined(own) for kind, own in output.get("data", {}).items()}
            plain = _joined(output.get("text", shown.get("text/plain", "")))
            if "image/png" in shown:
                name = f"{path.stem}-{len(pictures) + 1}.png"
                pictures[name] = base64.b64decode(shown["image/png"])
                said = "" if plain.startswith("<") else plain
                title = said.partition(". ")[0]
                parts.append(f"![{title}]({name}){{ .shown }}\n\n<small>{escape(said)}</small>")
            elif "text/markdown" in shown:
                parts.append(shown["text/markdown"])
            elif "text/html" in shown:
                # Tables as the theme styles them, without pandas' own style.
                html = re.sub(r"<style.*?</style>", "", shown["text/html"], flags=re.S)
                html = re.sub(r"<table[^>]*>", "<table>", html)
                html = re.sub(r"\n\s*\n", "\n", html)
                parts.append(f'<div class="output" markdown="0">\n{html}\n</div>')
            else:
                parts.append(f"```text\n{plain.rstrip()}\n```")
    return "\n\n".join(parts) + "\n", pictures


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def _page_of(file: str) -> str | None:
    """Return the page of a file of the repository, None where it has none."""
    if file.startswith("docs/") and file.endswith(".md"):
        return file.removeprefix("docs/")
    if file.startswith("notebooks/") and file.endswith(".ipynb"):
        return f"{file.removesuffix('.ipynb')}.md"
    return FROM_FILES.get(file)


def _relinked(text: str, source: str) -> str:
    """Return `text`, a file of the repository, with links between pages in place of files."""
    page = _page_of(source)
    assert page is not None
    here = posixpath.dirname(page)

    def file_of(target: str) -> str:
        return posixpath.normpath(posixpath.join(posixpath.dirname(source), target))

    def mend(link: re.Match[str]) -> str:
        said, target, anchor = link[1], link[2], link[3] or ""
        file = file_of(target)
        leads_to = _page_of(file)
        if leads_to is None:
            return said
        if said == target:
            said = _title_of(file)
        return f"[{said}]({posixpath.relpath(leads_to, here)}{anchor})"

    def show(picture: re.Match[str]) -> str:
        said, target = picture[1], picture[2]
        file = file_of(target)
        if file.startswith("docs/"):
            target = posixpath.relpath(file.removeprefix("docs/"), here)
        return f"{said}({target})"

    return LINK.sub(mend, PICTURE.sub(show, text))


def _title_of(file: str) -> str:
    """Return the first heading of a file of the repository."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return next(line.removeprefix("# ") for line in lines if line.startswith("# "))


def commands() -> str:
    """Return a page of all commands and their options, from the commands themselves."""
    from tune_app.cli import app

    group = typer.main.get_command(app)
    _say_whole(group)
    with group.context_class(group, info_name="tune-app") as context:
        return get_docs_for_click(obj=group, ctx=context, name="tune-app", title="Commands")


def _say_whole(group: Any) -> None:
    """Let lists of commands say each one's first sentence to its end, without hidden commands.

    Typer cuts them at 45 characters and lists all.
    """
    for name, command in list(group.commands.items()):
        if command.hidden:
            del group.commands[name]
            continue
        command.short_help = " ".join((command.help or "").partition("\n\n")[0].split())
        if hasattr(command, "commands"):
            _say_whole(command)

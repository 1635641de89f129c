"""Generate those pages of the documentation that have no file under docs/ (a hook of MkDocs).

The README, the change log and similar files become pages, so that their text exists only once. The
notebooks become pages with their committed outputs. The page of commands is generated from the
commands themselves.

Links to files of the repository are rewritten. If the file has a page, the link leads to that page;
if the link's text was only the file's name, it becomes the page's title. If the file has no page,
only the text of the link remains.
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
FROM_FILES = {  # file in the repository: page of the documentation
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
    """Rewrite the links of a page that has a file under docs/."""
    if page.file.generated_by is not None:
        return markdown
    return _relinked(markdown, f"docs/{page.file.src_uri}")


def notebook_page(path: Path) -> tuple[str, dict[str, bytes]]:
    """Return a notebook as Markdown, and its pictures by file name."""
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            shown = {kind: _joined(content) for kind, content in output.get("data", {}).items()}
            plain = _joined(output.get("text", shown.get("text/plain", "")))
            if "image/png" in shown:
                name = f"{path.stem}-{len(pictures) + 1}.png"
                pictures[name] = base64.b64decode(shown["image/png"])
                caption = "" if plain.startswith("<") else plain
                title = caption.partition(". ")[0]
                parts.append(f"![{title}]({name}){{ .shown }}\n\n<small>{escape(caption)}</small>")
            elif "text/markdown" in shown:
                parts.append(shown["text/markdown"])
            elif "text/html" in shown:
                # Remove pandas' styles, so that the theme styles the tables.
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
    """Return the page of a file of the repository, or None if it has no page."""
    if file.startswith("docs/") and file.endswith(".md"):
        return file.removeprefix("docs/")
    if file.startswith("notebooks/") and file.endswith(".ipynb"):
        return f"{file.removesuffix('.ipynb')}.md"
    return FROM_FILES.get(file)


def _relinked(text: str, source: str) -> str:
    """Return `text`, read from the file `source`, with links to pages instead of files."""
    page = _page_of(source)
    assert page is not None
    here = posixpath.dirname(page)

    def file_of(target: str) -> str:
        return posixpath.normpath(posixpath.join(posixpath.dirname(source), target))

    def relink(link: re.Match[str]) -> str:
        label, target, anchor = link[1], link[2], link[3] or ""
        file = file_of(target)
        leads_to = _page_of(file)
        if leads_to is None:
            return label
        if label == target:
            label = _title_of(file)
        return f"[{label}]({posixpath.relpath(leads_to, here)}{anchor})"

    def move(picture: re.Match[str]) -> str:
        label, target = picture[1], picture[2]
        file = file_of(target)
        if file.startswith("docs/"):
            target = posixpath.relpath(file.removeprefix("docs/"), here)
        return f"{label}({target})"

    return LINK.sub(relink, PICTURE.sub(move, text))


def _title_of(file: str) -> str:
    """Return the first heading of a file of the repository."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return next(line.removeprefix("# ") for line in lines if line.startswith("# "))


def commands() -> str:
    """Generate the page of all commands and their options."""
    from tune_app.cli import app

    group = typer.main.get_command(app)
    _show_whole_summaries(group)
    with group.context_class(group, info_name="tune-app") as context:
        return get_docs_for_click(obj=group, ctx=context, name="tune-app", title="Commands")


def _show_whole_summaries(group: Any) -> None:
    """Make lists of commands show each command's first paragraph in full, and no hidden commands.

    Typer would cut the paragraph at 45 characters and list the hidden commands too.
    """
    for name, command in list(group.commands.items()):
        if command.hidden:
            del group.commands[name]
            continue
        command.short_help = " ".join((command.help or "").partition("\n\n")[0].split())
        if hasattr(command, "commands"):
            _show_whole_summaries(command)

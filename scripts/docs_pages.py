"""Pages of the documentation that are made when it is built; a hook of MkDocs.

The README and its neighbours become pages where they are, so that nothing is written twice, and
the commands' page comes from the commands themselves. A link to a file of the repository leads
to its page, or keeps its text only where it has none.
"""

import posixpath
import re
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
}
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!\w+:)([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    for source, page in FROM_FILES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=_relinked(text, source)))
    files.append(File.generated(config, "reference/commands.md", content=commands()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Mend the links of a page that is a file under docs/."""
    if page.file.generated_by is not None:
        return markdown
    return _relinked(markdown, f"docs/{page.file.src_uri}")


def _relinked(text: str, source: str) -> str:
    """Return `text`, a file of the repository, with links between pages in place of files."""
    page = FROM_FILES.get(source, source.removeprefix("docs/"))

    def mend(link: re.Match[str]) -> str:
        said, target, anchor = link[1], link[2], link[3] or ""
        file = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        leads_to = FROM_FILES.get(file)
        if file.startswith("docs/") and file.endswith(".md"):
            leads_to = file.removeprefix("docs/")
        if leads_to is None:
            return said
        return f"[{said}]({posixpath.relpath(leads_to, posixpath.dirname(page))}{anchor})"

    return LINK.sub(mend, text)


def commands() -> str:
    """Return a page of all commands and their options, from the commands themselves."""
    from tune_app.cli import app

    group = typer.main.get_command(app)
    with group.context_class(group, info_name="tune-app") as context:
        return get_docs_for_click(obj=group, ctx=context, name="tune-app", title="Commands")

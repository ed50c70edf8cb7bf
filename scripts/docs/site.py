"""Hooks of mkdocs: pages that live elsewhere in the repository, and links between them and docs/.

Links are written as paths in the repository, so that they work on a code host as well. On the site a link to a page of
the site is followed, and a link to any other file is shown as its path."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]

ELSEWHERE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "benchmarks/RESULTS.md": "explanation/benchmarks.md",
    "hunts/README.md": "how-to/hunt-files.md",
    "samples/README.md": "reference/samples.md",
}
"""Pages of the site that are not in docs/: their place in the repository, and on the site."""

LINK = re.compile(r"(?<!!)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^)\s#]+)(?P<anchor>#[^)]*)?\)")

SHIM = "https://unpkg.com/iframe-worker/shim"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that are not in docs/."""
    for source, place in ELSEWHERE.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Makes links to files of the repository into links of the site."""
    place = page.file.src_uri
    source = next((s for s, p in ELSEWHERE.items() if p == place), f"docs/{place}")

    def resolved(link: re.Match[str]) -> str:
        target, anchor = link["target"], link["anchor"] or ""
        if ":" in target:
            return link[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        on_site = site_place(path)
        if on_site is None:
            return link["text"]
        return f"[{link['text']}]({posixpath.relpath(on_site, posixpath.dirname(place) or '.')}{anchor})"

    return LINK.sub(resolved, markdown)


def site_place(path: str) -> str | None:
    """Where a file of the repository is on the site; None: it is not there.

    Raises FileNotFoundError for a path that is not in the repository."""
    if path in ELSEWHERE:
        return ELSEWHERE[path]
    if not (ROOT / path).exists():
        raise FileNotFoundError(f"a link names {path}, which does not exist")
    return path.removeprefix("docs/") if path.startswith("docs/") else None


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Takes the one script that the theme loads from another server from docs/ instead."""
    return output.replace(SHIM, posixpath.relpath("worker.js", posixpath.dirname(page.file.dest_uri) or "."))


def on_post_template(output_content: str, template_name: str, config: MkDocsConfig) -> str:
    """The same for pages without a source, such as 404.html."""
    return output_content.replace(SHIM, "/worker.js")

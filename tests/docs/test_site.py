"""The documentation site builds without a warning, and no Markdown file of the repository has a broken link."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.docs.site import LINK, ROOT

MARKDOWN = sorted(
    path.relative_to(ROOT)
    for folder in (".", "docs", "hunts", "samples", "benchmarks")
    for path in (ROOT / folder).glob("**/*.md" if folder == "docs" else "*.md")
)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as code hosts and mkdocs make them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ +(.+?)$", text, re.MULTILINE)
    return {re.sub(r" ", "-", re.sub(r"[^\w\- ]", "", heading.lower())) for heading in headings}


@pytest.mark.parametrize("page", MARKDOWN, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for link in LINK.finditer(text):
        if ":" in link["target"]:
            continue
        target = (ROOT / page).parent / link["target"]
        assert target.exists(), f"{page} links to {link['target']}"
        if link["anchor"]:
            assert link["anchor"][1:] in anchors(target), f"{page} links to {link['target']}{link['anchor']}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder


def test_the_site_needs_no_other_server(site: Path) -> None:
    """Links for readers may lead anywhere; what a page loads by itself comes with the site."""
    loads = re.compile(r"<(?:script|img|iframe|link)\s[^>]*(?:src|href)=\"?https?:[^>]*>")
    pages = list(site.rglob("*.html"))
    assert len(pages) > len(MARKDOWN) - 2  # README.md is not on the site
    for page in pages:
        assert not loads.findall(page.read_text(encoding="utf-8")), page


def test_the_site_can_be_searched_without_a_server(site: Path) -> None:
    assert "lakehunt" in (site / "search" / "search_index.js").read_text(encoding="utf-8")

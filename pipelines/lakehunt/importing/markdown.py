"""Extracts queries from Markdown: the KQL blocks of a page, and the page's metadata.

The formats are those of public packs: Microsoft's template for Microsoft 365 Defender (a block under `## Query`,
tactics in a table with a column `Covered?`), FalconForce's (tables of tactics, blocks labelled `C#`), and pages with a
`kql` block for each product."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lakehunt.hunting.content import attack

_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*")
_SECTION = re.compile(r"#{2,6}[ \t]+\S.*")
_FENCE = re.compile(r"([ \t]*)(`{3,}|~{3,})[ \t]*([^`]*?)[ \t]*")
_KQL = frozenset({"csl", "kql", "kusto"})
_OTHER_LANGUAGES = frozenset(
    [
        "bash",
        "bat",
        "batch",
        "cmd",
        "console",
        "css",
        "csv",
        "diff",
        "go",
        "hcl",
        "html",
        "http",
        "ini",
        "java",
        "javascript",
        "js",
        "json",
        "markdown",
        "md",
        "mermaid",
        "output",
        "powershell",
        "properties",
        "ps",
        "ps1",
        "pwsh",
        "py",
        "python",
        "rust",
        "sh",
        "shell",
        "spl",
        "terraform",
        "toml",
        "ts",
        "typescript",
        "vb",
        "vbscript",
        "xml",
        "yaml",
        "yml",
        "yara",
        "zsh",
    ]
)
_OPERATOR = re.compile(
    r"(?:^|\s)\|\s*(?:as|count|distinct|evaluate|extend|getschema|graph-match|invoke|join|limit|lookup|make-graph"
    r"|make-series|mv-apply|mv-expand|order|parse|parse-kv|parse-where|partition|project(?:-\w+)?|reduce|render|sample"
    r"|scan|search|serialize|sort|summarize|take|top|union|where)\b(?![-\w]|\s*\{)"
)
_ABOUT_A_QUERY = re.compile(r"\b(?:query|queries|kql)\b", re.IGNORECASE)

_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_IMAGE_ONLY = re.compile(r"\s*(?:!\[[^\]]*\]\([^)]*\)\s*|\[!\[[^\]]*\]\([^)]*\)\]\([^)]*\)\s*)+")
_EMPHASIS = re.compile(r"(\*\*|__|`)(.+?)\1")
_TACTICS_LINE = re.compile(r"[\s>*_+-]*tactics?\b[\s*_]*:[\s*_]*(.+)", re.IGNORECASE)
_DIVIDER = re.compile(r"[\s|:-]+")


@dataclass(frozen=True)
class Block:
    """A query of a page. Its text starts at `line` and `column` of the file (from 1).

    `number` counts the queries under the same heading, from 1; `lead` is the text between heading and query."""

    text: str
    line: int
    column: int
    heading: str
    number: int
    lead: str


@dataclass(frozen=True)
class Page:
    """A page: its queries, and the metadata they share.

    `covers` are the tactics as written, together with other words of the same table, such as Ransomware."""

    title: str
    description: str
    blocks: tuple[Block, ...]
    covers: tuple[str, ...]
    techniques: tuple[str, ...]


@dataclass
class _Section:
    heading: str
    level: int
    prose: list[str] = field(default_factory=list)
    lead: int = 0  # start of the prose between the last block and the next one
    queries: int = 0


def read(text: str) -> Page:
    """Parses a Markdown text; any text is valid."""
    reader = _Reader(_LINE_BREAK.split(text))
    reader.read()
    sections = reader.sections
    prose = [line for section in sections for line in (section.heading, *section.prose)]
    return Page(
        title=next((section.heading for section in sections if section.level == 1), ""),
        description=_joined(section.prose for section in sections if _describes(section)),
        blocks=tuple(reader.blocks),
        covers=tuple(dict.fromkeys(_covers(prose))),
        techniques=tuple(dict.fromkeys(attack.known_techniques("\n".join(prose)))),
    )


class _Reader:
    """Splits a page's lines into sections of prose and blocks of KQL."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines
        self.sections = [_Section("", 0)]
        self.blocks: list[Block] = []

    def read(self) -> None:
        number = 0
        while number < len(self.lines):
            line = self.lines[number]
            fence = _FENCE.fullmatch(line)
            heading = _HEADING.fullmatch(line)
            if fence:
                end, after = self._end(number, fence[2])
                self._block(fence, number + 1, end)
                number = after
                continue
            if heading:
                self.sections.append(_Section(_plain(heading[2]), len(heading[1])))
            else:
                self.sections[-1].prose.append(line)
            number += 1

    def _end(self, opened: int, fence: str) -> tuple[int, int]:
        """The line after a block's last one, and the line to continue from.

        A block ends at its closing fence, as in CommonMark. It also ends where a section or another block of KQL
        starts: real pages have unbalanced fences, and no line of KQL looks like either."""
        for number in range(opened + 1, len(self.lines)):
            line = self.lines[number]
            other = _FENCE.fullmatch(line)
            if other and not other[3] and other[2].startswith(fence):
                return number, number + 1
            if (other and _is_kql(other[3])) or _SECTION.fullmatch(line):
                return number, number
        return len(self.lines), len(self.lines)

    def _block(self, fence: re.Match[str], start: int, end: int) -> None:
        section = self.sections[-1]
        while start < end and not self.lines[start].strip():
            start += 1
        lines = self.lines[start:end]
        indent = min((_indentation(line) for line in lines if line.strip()), default=0)
        indent = min(indent, len(fence[1]))  # a block in a list is indented like its fence
        text = "\n".join(line[indent:] for line in lines).rstrip()
        if not text or not _is_query(fence[3], text, section.heading):
            return
        section.queries += 1
        lead = _joined([section.prose[section.lead :]])
        section.lead = len(section.prose)
        self.blocks.append(Block(text, start + 1, indent + 1, section.heading, section.queries, lead))


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _is_kql(language: str) -> bool:
    return _word(language) in _KQL


def _word(language: str) -> str:
    """Normalizes `KQL`, `{.kql}` and `kusto query` to `kql`."""
    found = re.search(r"[\w+#-]+", language.lower())
    return found[0] if found else ""


def _is_query(language: str, text: str, heading: str) -> bool:
    """Whether a block is KQL, according to its language or else to its text or the heading."""
    word = _word(language)
    if word in _KQL:
        return True
    if word in _OTHER_LANGUAGES:
        return False
    return bool(_OPERATOR.search(text)) or (not word and bool(_ABOUT_A_QUERY.search(heading)))


# Metadata of a page


def _describes(section: _Section) -> bool:
    return section.level == 1 or "description" in section.heading.lower()


def _joined(parts: Iterator[list[str]] | Sequence[list[str]]) -> str:
    """Prose as plain text, without tables, images and rules."""
    texts = []
    for lines in parts:
        kept = [_plain_line(line) for line in lines if not _is_decoration(line)]
        texts.append("\n".join(kept).strip())
    return re.sub(r"\n{3,}", "\n\n", "\n\n".join(text for text in texts if text))


def _is_decoration(line: str) -> bool:
    return line.lstrip().startswith("|") or bool(_IMAGE_ONLY.fullmatch(line) or re.fullmatch(r"\s*[-*_]{3,}\s*", line))


def _plain_line(line: str) -> str:
    return "".join(c if c.isprintable() or c == "\t" else " " for c in line).rstrip()


def _plain(text: str) -> str:
    """A heading on one line, without Markdown's markup."""
    text = _EMPHASIS.sub(r"\2", _LINK.sub(r"\1", text))
    return " ".join(_plain_line(text).split())


def _covers(prose: Sequence[str]) -> Iterator[str]:
    """The tactics named by a page: in a table, or in a line such as `- Tactic: Execution`."""
    header: list[str] = []
    for line in prose:
        row = _cells(line)
        if not row:
            header = []
            found = _TACTICS_LINE.fullmatch(line)
            yield from _named_tactics(found[1]) if found else ()
        elif not header:
            header = [cell.lower() for cell in row]
        elif not _DIVIDER.fullmatch(line):
            yield from _covered(header, row)


def _cells(line: str) -> list[str]:
    """The cells of a table's row; none for any other line."""
    text = line.strip()
    if not text.startswith("|"):
        return []
    return [cell.strip() for cell in text[1:].removesuffix("|").split("|")]


def _covered(header: Sequence[str], row: Sequence[str]) -> Iterator[str]:
    if not header or "tactic" not in header[0]:
        return
    if len(header) > 1 and "covered" in header[1]:  # Microsoft's template lists all tactics and marks those that apply
        if len(row) > 1 and row[1]:
            yield _plain(row[0])
        return
    yield from _named_tactics(row[0])


def _named_tactics(text: str) -> Iterator[str]:
    """The tactics in a list; none if it is a sentence that starts like a list."""
    for part in re.split(r"[,;/]|<br\s*/?>", _plain(text)):
        if attack.tactic(part):
            yield part.strip()

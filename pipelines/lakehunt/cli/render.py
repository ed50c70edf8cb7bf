"""Output formats of rows: table | vertical | json | jsonl | csv | csv-exact, the same for every command.

On a terminal, tables fit its width: cells are truncated, and columns without room are left out and listed below. If
standard output is not a terminal, no column is left out, and only cells longer than `LONGEST` are truncated."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import IO, Any

import click

from lakehunt.core.printable import printable, to_json, truncated

Record = Mapping[str, Any]

GAP = " │ "
MORE = "…"
NARROWEST = 20
"""The minimum assumed width of a terminal."""

LEAST = 12
"""Minimum width of a truncated column; more if its heading needs it, up to `HEADING`."""

HEADING = 20
CSV = ("csv", "csv-exact")
FOR_READING = ("table", "vertical")
"""The formats for people; the others are for programs."""

FORMULA = tuple("=+-@\t\r\n＝＋－＠")
"""How a text begins that a spreadsheet may take for a formula, which can run programs."""

FEW = 3
"""If fewer columns than this fit (and not all), rows are printed vertically."""

LONGEST = 32_767
"""Maximum characters of a cell of a table: those of the longest command line that Windows accepts. Other formats show
values of any length."""


def shown(value: Any) -> str:
    """A value on one line; control characters are made visible, since a command line may hold them."""
    if isinstance(value, list):
        return f"[{', '.join(shown(item) for item in value)}]"
    if value is None:
        return ""
    return printable(value if isinstance(value, str) else json.dumps(_plain(value), ensure_ascii=False))


@dataclass(frozen=True)
class Column:
    """A column of a table: the key of its values in a record, its heading (if another), and how a value is shown."""

    name: str
    heading: str = ""
    show: Callable[[Any], str] = shown

    @property
    def title(self) -> str:
        return printable(self.heading or self.name)


def records(
    form: str, rows: Iterable[Record], columns: Sequence[Column], *, title: str = "", empty: str = "", what: str = "row"
) -> None:
    """Prints rows. Tables have these columns, other formats all values of a row.

    `empty` is printed instead of an empty table; `what` is the noun for counted rows."""
    found = list(rows)
    if form == "json":
        click.echo(to_json([_plain(row) for row in found]))
    elif form == "jsonl":
        json_lines(found)
    elif form in CSV:
        _csv(found, columns, _safe if form == "csv" else _exact)
    elif not found and empty:
        click.echo(empty)
    else:
        shown = lines(form, found, columns, terminal_width())
        click.echo("\n".join([*([bold(title)] if title else []), *shown, f"({counted(len(found), what)})"]))


def json_lines(objects: Iterable[Any]) -> None:
    """Prints one object per line, each as soon as it is available."""
    for item in objects:
        click.echo(json.dumps(_plain(item), ensure_ascii=False))


def lines(form: str, rows: Sequence[Record], columns: Sequence[Column], width: int | None) -> Iterator[str]:
    """The lines of rows in one of the forms FOR_READING; those of a table have at most `width` cells (None: any)."""
    return _vertical(rows, columns) if form == "vertical" else table(rows, columns, width)


def counted(number: int, what: str = "row") -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date | datetime) else value


def _names(rows: Sequence[Record], columns: Sequence[Column]) -> list[str]:
    """All keys of the rows; without rows, those of the columns."""
    return list(dict.fromkeys(key for row in rows for key in row)) or [column.name for column in columns]


def _csv(rows: Sequence[Record], columns: Sequence[Column], cell: Callable[[Any], Any]) -> None:
    names = _names(rows, columns)
    writer = csv.writer(_Lines())
    writer.writerow(map(cell, names))
    writer.writerows([cell(row.get(name)) for name in names] for row in rows)


class _Lines:
    """Standard output, with rows that end as lines do here. Of a terminator of its own, csv.writer would quote only
    those characters, and readers take a bare carriage return for the end of a row, too."""

    def write(self, row: str) -> int:
        return sys.stdout.write(f"{row.removesuffix(END)}\n")


END = "\r\n"


def _exact(value: Any) -> Any:
    plain = _plain(value)
    return json.dumps(plain, ensure_ascii=False) if isinstance(plain, (list, dict)) else plain


def _safe(value: Any) -> Any:
    """The cell, with an apostrophe before text that a spreadsheet may take for a formula."""
    plain = _exact(value)
    return f"'{plain}" if isinstance(plain, str) and plain.startswith(FORMULA) else plain


# Terminals


def terminal_width() -> int | None:
    """The width of the terminal; None if standard output is not one."""
    return max(NARROWEST, shutil.get_terminal_size().columns) if sys.stdout.isatty() else None


def styled(text: str, stream: IO[str], **style: Any) -> str:
    """The text in colour, on a terminal and unless NO_COLOR is set (https://no-color.org)."""
    plain = not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return text if plain else click.style(text, **style)


def bold(text: str) -> str:
    return styled(text, sys.stdout, bold=True)


def width_of(text: str) -> int:
    """The width of a text in cells: East Asian characters take two."""
    from rich.cells import cell_len

    return cell_len(text)


def fit(text: str, width: int) -> str:
    """The text in exactly `width` cells: padded, or truncated with a mark."""
    from rich.cells import set_cell_size

    return (
        text + " " * (width - length) if (length := width_of(text)) <= width else set_cell_size(text, width - 1) + MORE
    )


# Tables


def table(rows: Sequence[Record], columns: Sequence[Column], width: int | None) -> Iterator[str]:
    """The lines of a table of at most `width` cells; None: unlimited."""
    cells = [[_cell(column, row.get(column.name)) for column in columns] for row in rows]
    numbers = [_is_number(row.get(column.name) for row in rows) for column in columns]
    titles = [column.title for column in columns]
    natural = [max(map(width_of, [title, *(row[i] for row in cells)])) for i, title in enumerate(titles)]
    widths = dict(enumerate(natural)) if width is None else _widths(titles, natural, numbers, width)
    if widths is None:
        yield from _vertical(rows, columns)
        return
    left_out = [title for i, title in enumerate(titles) if i not in widths]
    places = _with_mark(list(widths), len(columns))

    def line(texts: Sequence[str]) -> str:
        parts = [MORE if i is None else _aligned(texts[i], widths[i], numbers[i]) for i in places]
        return GAP.join(parts).rstrip()

    yield bold(line(titles))
    yield "─┼─".join("─" * (len(MORE) if i is None else widths[i]) for i in places)
    yield from map(line, cells)
    if left_out:
        names = f"{len(left_out)} columns left out: {', '.join(left_out)} (--format vertical shows all)"
        yield from textwrap.wrap(names, width or NARROWEST, break_long_words=False, break_on_hyphens=False)


def _cell(column: Column, value: Any) -> str:
    if isinstance(value, list):
        return str(_short(column.show([_short(item) for item in value])))
    return column.show(_short(value))


def _short(value: Any) -> Any:
    return truncated(value, LONGEST) if isinstance(value, str) and len(value) > LONGEST else value


def _is_number(values: Iterable[Any]) -> bool:
    there = [value for value in values if value is not None]
    return bool(there) and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in there)


def _widths(
    titles: Sequence[str], natural: Sequence[int], numbers: Sequence[bool], width: int
) -> dict[int, int] | None:
    """The columns that are shown, and how wide; None where too few would be."""
    least = [
        size if number else min(size, max(LEAST, min(width_of(title), HEADING)))
        for title, size, number in zip(titles, natural, numbers, strict=True)
    ]
    kept = _kept(least, width)
    if len(kept) < min(FEW, len(least)):
        return None
    taken = sum(least[i] for i in kept) + len(GAP) * (len(kept) - 1)
    room = width - taken - (0 if len(kept) == len(least) else len(GAP) + len(MORE))
    return _widened({i: least[i] for i in kept}, natural, room)


def _kept(least: Sequence[int], width: int) -> list[int]:
    """The columns that have room. The first ones say what a row is, the last one is often what a query made of it."""
    count = len(least)
    if sum(least) + len(GAP) * (count - 1) <= width:
        return list(range(count))
    kept: list[int] = []
    used = len(MORE)
    for i in dict.fromkeys([0, count - 1, *range(1, count - 1)]):
        used += least[i] + len(GAP)
        if used > width:
            break
        kept.append(i)
    return sorted(kept)


def _widened(widths: dict[int, int], natural: Sequence[int], room: int) -> dict[int, int]:
    """Distributes the remaining width among truncated columns."""
    while room > 0 and (cut := [i for i, size in widths.items() if size < natural[i]]):
        share = max(1, room // len(cut))
        for i in cut:
            more = min(share, natural[i] - widths[i], room)
            widths[i] += more
            room -= more
    return widths


def _with_mark(kept: Sequence[int], count: int) -> list[int | None]:
    """The shown columns, with None where others are left out."""
    gap = next((place for place, i in enumerate([*kept, count]) if place != i), None)
    return [*kept] if gap is None else [*kept[:gap], None, *kept[gap:]]


def _aligned(text: str, width: int, is_number: bool) -> str:
    return " " * (width - width_of(text)) + text if is_number and width_of(text) <= width else fit(text, width)


# One value a line


def _vertical(rows: Sequence[Record], columns: Sequence[Column]) -> Iterator[str]:
    """Every value of every row in full, below a line with the row's number."""
    known = {column.name: column.show for column in columns}
    names = _names(rows, columns)
    size = max(map(width_of, map(printable, names)), default=0)
    for number, row in enumerate(rows, 1):
        yield bold(f"── row {number} ──")
        for name in names:
            first, *others = _value_lines(row.get(name), known.get(name, shown))
            yield f"{fit(printable(name), size)}  {first}".rstrip()
            yield from (f"{' ' * size}  {line}" for line in others)


def _value_lines(value: Any, show: Callable[[Any], str]) -> list[str]:
    """The lines of a value; lists have one item per line."""
    return [shown(item) for item in value] if isinstance(value, list) and value else [show(value)]

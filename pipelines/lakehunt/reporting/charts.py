"""Charts of a report as inline SVG: drawn by pygal, coloured by the page's style sheet.

pygal's own styles, its configuration, which it writes as a script, and its tooltips, which need one, are left out: no
chart may weaken what the page lets run. Browsers show the value of a bar from its title."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from xml.etree import ElementTree

from markupsafe import Markup

from lakehunt.core.printable import printable
from lakehunt.reporting.report_data import Finding

WIDTH, HEIGHT = 520, 230
MOST_DAYS = 92
"""Maximum days in a chart; the most recent ones are shown."""

MOST_SERIES = 5
"""Hunts with a colour of their own; the others share one."""

MOST_LABELS = 6
"""Maximum labels on the axis of days."""

_LETTERS = 48


def by_status(findings: Sequence[Finding]) -> Markup:
    """Findings by day of their last event: new and recurring."""
    names = {True: "new", False: "recurring"}
    return _stacked(findings, [names[one.is_new] for one in findings], list(names.values()), "status")


def by_hunt(findings: Sequence[Finding]) -> Markup:
    """Findings by day of their last event: the hunts with most findings, and all others."""
    most = [id_ for id_, _ in Counter(one.hunt_id for one in findings).most_common(MOST_SERIES)]
    names = {one.hunt_id: _short(printable(one.hunt_name)) for one in findings}
    series = [names[one.hunt_id] if one.hunt_id in most else "other hunts" for one in findings]
    return _stacked(findings, series, [*dict.fromkeys(names[id_] for id_ in most), "other hunts"], "hunts")


def _stacked(findings: Sequence[Finding], series: Sequence[str], order: Sequence[str], kind: str) -> Markup:
    """A stacked bar per day; empty series are left out."""
    if not findings:
        return Markup("")
    counts = Counter(zip(series, (one.day for one in findings), strict=True))
    days = _days({one.day for one in findings})
    named = [name for name in order if name in series]
    return _drawn(days, {name: [counts[name, day] for day in days] for name in named}, kind)


def _days(seen: Iterable[str]) -> list[str]:
    """The days from the first to the last; if they are too many, the most recent ones with findings."""
    first, last = (date.fromisoformat(day) for day in (min(seen), max(seen)))
    if (last - first).days < MOST_DAYS:
        return [f"{first + timedelta(days=n)}" for n in range((last - first).days + 1)]
    return sorted(set(seen))[-MOST_DAYS:]


def _drawn(days: Sequence[str], series: Mapping[str, Sequence[int]], kind: str) -> Markup:
    import pygal  # noqa: PLC0415  (looks for its plug-ins when it is imported)

    columns = 1 if kind == "hunts" else len(series)
    legend = 22 * -(-len(series) // columns)
    chart = pygal.StackedBar(
        width=WIDTH,
        height=HEIGHT + legend,
        js=(),
        order_min=0,
        margin=4,
        spacing=6,
        legend_at_bottom=True,
        legend_at_bottom_columns=columns,
        legend_box_size=12,
        truncate_legend=-1,
        max_scale=6,
        truncate_label=-1,
        show_minor_x_labels=False,
        x_labels=list(days),
        x_labels_major_every=-(-len(days) // MOST_LABELS),
        value_formatter=lambda value: f"{value:g}",
    )
    for name, counts in series.items():
        chart.add(name, list(counts))
    return _for_the_page(chart.render_tree(), kind)


def _for_the_page(svg: ElementTree.Element, kind: str) -> Markup:
    """The SVG without scripts, styles and comments, with each bar's value as its title."""
    for parent in list(svg.iter()):
        for child in list(parent):
            if not isinstance(child.tag, str) or child.tag in {"defs", "title"} or "overlay" in child.get("class", ""):
                parent.remove(child)
    legends = [text.text or "" for text in svg.iterfind(".//g[@class='legend reactive activate-serie']/text")]
    for number, name in enumerate(legends):
        for bars in svg.iterfind(f".//g[@class='series serie-{number} color-{number}']/g[@class='bars']"):
            for bar in list(bars):
                _titled(bars, bar, name)
    for one in svg.iter():
        for attribute in ("id", "style"):
            one.attrib.pop(attribute, None)
    svg.set("class", f"chart {kind}")
    svg.set("role", "img")
    return Markup(ElementTree.tostring(svg, encoding="unicode"))  # noqa: S704  (an element tree escapes all text)


def _titled(bars: ElementTree.Element, bar: ElementTree.Element, name: str) -> None:
    """A bar with day and value as tooltip; empty bars are left out."""
    label = {one.get("class", ""): one.text or "" for one in bar.iterfind("desc")}
    for one in list(bar.iterfind("desc")):
        bar.remove(one)
    ElementTree.SubElement(bar, "title").text = f"{label.get('x_label', '')}: {label.get('value', '')} {name}"
    if label.get("value") == "0":
        bars.remove(bar)


def _short(name: str) -> str:
    return name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…"

"""What the Kusto cases may not fall below: python .ci/figures.py REPORT [--write].

REPORT is what compare.py wrote. Prints a line for each family, beside what it had before, and writes the same to
build/kusto-cases.txt. Exit code 1 where a family matches fewer cases than .ci/figures.json says, where an answer is
wrong that is not accepted there (each accepted one is a difference in docs/reference/kql-support.md), or where a
query failed.
`--write` takes the report's figures for new ones."""

from __future__ import annotations

import collections
import json
import sys
from pathlib import Path

FIGURES = Path(__file__).with_name("figures.json")
SHOWN = Path("build/kusto-cases.txt")


def main(report: str, *options: str) -> int:
    results = json.loads(Path(report).read_text())["results"]
    figures = json.loads(FIGURES.read_text())
    families: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for result in results:
        families[result["family"]][result["verdict"]] += 1
    problems = [
        f"{r['verdict']}: {r['id']}: {r['why'][:300]}"
        for r in results
        if r["verdict"] == "failed" or (r["verdict"] == "wrong" and r["id"] not in figures["accepted"])
    ]
    lines = [f"{'family':28} match wrong refused failed  before"]
    for name, tally in sorted(families.items()):
        before = figures["match"].get(name, 0)
        counts = f"{tally['match']:5} {tally['wrong']:5} {tally['refused']:7} {tally['failed']:6}"
        lines.append(f"{name:28} {counts}  {before:6}")
        if tally["match"] < before:
            problems.append(f"{name}: {tally['match']} cases match, {before} did before")
    total = collections.Counter(r["verdict"] for r in results)
    lines.append(
        f"{len(results)} cases: " + ", ".join(f"{v} {total[v]}" for v in ("match", "wrong", "refused", "failed"))
    )
    SHOWN.parent.mkdir(exist_ok=True)
    SHOWN.write_text("\n".join([*lines, *problems]) + "\n")
    sys.stdout.write(SHOWN.read_text())
    if "--write" in options:
        figures["match"] = {name: tally["match"] for name, tally in sorted(families.items())}
        FIGURES.write_text(json.dumps(figures, indent=2) + "\n")
        return 0
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

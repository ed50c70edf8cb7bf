"""The events of a finding, and the processes around them, as they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lakehunt.api import html
from lakehunt.cli import findings
from lakehunt.hunting.findings.evidence import Evidence
from lakehunt.hunting.findings.process_tree import ProcessNode


@dataclass(frozen=True, repr=False)
class FindingEvidence:
    """What the lake knows of a finding. In a notebook it is shown as a tree of processes."""

    evidence: Evidence

    @property
    def finding(self) -> dict[str, Any]:
        """The finding, as a row of `findings.all`, with times as text and `result` as a dict."""
        return self.evidence.finding

    @property
    def events(self) -> list[dict[str, Any]]:
        """Its events that the lake still has, in order of time: their `event_table` and their non-empty columns."""
        return self.evidence.events

    @property
    def trees(self) -> list[ProcessNode]:
        """The processes around the events, from the first known ancestors down."""
        return self.evidence.trees

    def show(self, whole_command_lines: bool = False) -> None:
        """Prints the tree, as `lakehunt evidence` does."""
        findings.print_evidence(self.evidence, "tree", whole_command_lines)

    def __repr__(self) -> str:
        return f"<evidence of finding {self.finding['finding_id']}: {len(self.events):,} events>"

    def _repr_html_(self) -> str:
        return html.of_evidence(self.evidence)

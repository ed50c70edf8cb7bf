"""A report for people who may not read the events table: secrets are redacted (`alerts/redaction.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pyspark.sql import Row

from lakehunt.alerts.redaction import redacted
from lakehunt.hunting.findings.process_tree import ProcessNode
from lakehunt.reporting.report_data import Details, HuntRuns, Report


def without_secrets(report: Report) -> Report:
    """The report with secrets redacted in command lines, values of findings and errors of hunts."""
    details = {key: _details(one) for key, one in report.details.items()}
    return replace(report, details=details, hunts=[_hunt(one) for one in report.hunts], redacted=True)


def _details(details: Details) -> Details:
    return replace(details, result=_value(details.result), trees=[_node(tree) for tree in details.trees])


def _node(node: ProcessNode) -> ProcessNode:
    command = node.process.command_line
    process = replace(node.process, command_line=redacted(command) if command else command)
    return replace(node, process=process, children=[_node(child) for child in node.children])


def _value(value: Any) -> Any:
    """A JSON value with all texts redacted. Keys are names of columns or fields, and stay."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, Mapping):
        return {key: _value(one) for key, one in value.items()}
    return [_value(one) for one in value] if isinstance(value, list) else value


def _hunt(hunt: HuntRuns) -> HuntRuns:
    if hunt.last is None or not hunt.last.error:
        return hunt
    return replace(hunt, last=Row(**hunt.last.asDict() | {"error": redacted(hunt.last.error)}))

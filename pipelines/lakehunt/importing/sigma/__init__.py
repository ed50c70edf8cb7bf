"""Sigma rules (https://sigmahq.io) as hunts: read by the specification, written as KQL over the event tables."""

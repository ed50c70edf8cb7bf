"""Tests that stand beside a hunt: events that it must and must not find, and the rows that it must give."""

"""Tests of hunts: events that a hunt must or must not find, and rows that it must return."""

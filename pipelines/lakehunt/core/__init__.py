"""Utilities for all packages; imports nothing else of Lakehunt."""

"""Lakehunt: Microsoft Sentinel and Defender hunts on a Delta lake, with Kusto's semantics."""

__version__ = "0.1.0"

"""Lakehunt: Microsoft Sentinel and Defender hunts on a Delta lake, with Kusto's semantics."""

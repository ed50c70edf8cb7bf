"""Landing: a source's records into `raw`, and from there, once, into `events` or `quarantine`.

Two stages, each of which can be killed at any point and run again: `ingest` stores what a source holds as it is,
`promote` validates it and decides what becomes of each record (write, audit, publish).
"""

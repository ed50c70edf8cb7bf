"""Landing: moves a source's records into `raw`, and from there exactly once into `events` or `quarantine`.

Two stages, both safe to kill at any point and rerun: `ingest` stores records unchanged, `promote` validates them and
publishes each as an event or a quarantined record (write, audit, publish).
"""

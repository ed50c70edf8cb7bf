"""Java sources, compiled by Spark's own Janino when they are needed: see `lakehunt.runtime.janino`."""

"""Every table of the lake, declared once: columns, retention, what `forget` removes, whether SQL clients see it.

Each declaration is a module-level name in one of these modules; `registry` collects them. Imports no Spark."""

"""Declarations of all tables of the lake: columns, retention, what `forget` erases, whether SQL clients see them.

Each declaration is a module-level name in one of these modules; `registry` collects them. Imports no Spark."""

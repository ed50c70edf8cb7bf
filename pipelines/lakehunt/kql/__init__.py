"""KQL as a language: text -> tokens -> syntax tree -> typed tree, with a position for every error. Imports no Spark."""

import sys

RECURSION_LIMIT = 10_000
"""Calls within calls that Python allows. The parser, the binder and the compiler recurse once or a few times for each
level of a query, whose levels are bounded (`reader.MAX_DEPTH`, `binding.bounds.MAX_DEPTH`). Python's default of 1,000
is less than they need; a thread's stack of 8 MB holds several times this limit."""

sys.setrecursionlimit(max(RECURSION_LIMIT, sys.getrecursionlimit()))

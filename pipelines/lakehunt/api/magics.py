"""`%load_ext lakehunt`: queries in cells of notebooks and of IPython."""

from __future__ import annotations

import re
import shlex
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from typing import NoReturn

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, no_var_expand

from lakehunt.api import lake as api
from lakehunt.api.evidence import FindingEvidence
from lakehunt.api.lake import OpenLake
from lakehunt.api.result import MOST_ROWS, QueryResult
from lakehunt.cli.shell.completion import Candidate, Completions, Found
from lakehunt.core.errors import UsageError
from lakehunt.hunting.query.table_catalog import TableCatalog
from lakehunt.spark.functions import CATALOG

_OPTIONS = re.compile(r"\s*(?:(?:-\w|--[\w-]+)(?:[= ]\s*(?:\"[^\"]*\"|'[^']*'|\S+))?\s*)*")
"""The options before a query on a line, each with its value."""

_OF_QUERY = re.compile(rf"\s*(?:[\w, ]+=\s*)?%kql\s(?:{_OPTIONS.pattern})(.*)\Z")
_OF_HUNTS = re.compile(r"\s*%lakehunt\s+(?:query|findings)\s+(?:\S+\s+)*(\S*)\Z")


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Makes `%%kql`, `%kql` and `%lakehunt` known, and completes them."""
    magics = KqlMagics(shell)
    shell.register_magics(magics)
    shell.Completer.custom_matchers.append(magics.matches)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Ends the lakes that the magics have opened."""
    magics = shell.magics_manager.registry.pop(KqlMagics.__name__, None)
    if isinstance(magics, KqlMagics):
        magics.close()
        shell.Completer.custom_matchers.remove(magics.matches)
        for names in shell.magics_manager.magics.values():
            for name in ("kql", "lakehunt"):
                names.pop(name, None)


class _Parser(ArgumentParser):
    """Options of a magic: what is wrong is raised."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"%{self.prog}: {message}", self.format_usage().strip())

    def parsed(self, line: str) -> Namespace:
        try:
            return self.parse_args(shlex.split(line))
        except ValueError as error:  # a quotation that does not end
            self.error(str(error))


def _kql_options() -> _Parser:
    parser = _Parser("kql", add_help=False, allow_abbrev=False)
    parser.add_argument("--as-of", metavar="T")
    parser.add_argument("--period", metavar="SPAN")
    parser.add_argument("--lake", metavar="LAKE")
    parser.add_argument("--rows", metavar="N", type=int, default=MOST_ROWS)
    parser.add_argument("-o", "--output", metavar="NAME")
    return parser


@magics_class
class KqlMagics(Magics):
    """The magics, and the lake that they ask: the one that `%lakehunt open` opened last, else that of the
    configuration."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self._shell = shell
        self._current: OpenLake | None = None
        self._completions: tuple[TableCatalog, Completions] | None = None
        self._opened: dict[tuple[str | None, str | None], OpenLake] = {}
        # A function: IPython marks those that it calls, which it cannot do with a method.
        self.matches = context_matcher(identifier="lakehunt")(lambda context: self._matches(context))  # noqa: PLW0108

    @no_var_expand  # braces and dollars are KQL's
    @line_cell_magic
    def kql(self, line: str, cell: str | None = None) -> QueryResult:
        """Asks a query: `%kql [OPTIONS] QUERY` on a line, or `%%kql [OPTIONS]` above a cell with the query.

        --as-of T      see events up to this instant, and use it as now()
        --period SPAN  how far a query without a time filter looks back: 7d, 12h
        --lake LAKE    a folder, or a variable that holds an open lake
        --rows N       show so many rows
        -o NAME        assign the result to this variable, too"""
        options, query = line, cell
        if query is None:
            end = _OPTIONS.match(line).end()  # type: ignore[union-attr]
            options, query = line[:end], line[end:]
        given = _kql_options().parsed(options)
        if given.output is not None and not given.output.isidentifier():
            raise UsageError(f"{given.output!r} is not the name of a variable", "write -o NAME")
        found = self._lake(given.lake).query(query, as_of=given.as_of, period=given.period)
        found = replace(found, most=given.rows)
        if given.output is not None:
            self._shell.user_ns[given.output] = found
        return found

    @line_magic
    def lakehunt(self, line: str) -> QueryResult | FindingEvidence | None:
        """What there is beside queries:

        %lakehunt open [LAKE] [--config FILE]   the lake that is asked from now on: a folder, or a variable
        %lakehunt tree FINDING [--minutes N]    the processes around a finding's events
        %lakehunt findings [HUNT]...            what hunts have found
        %lakehunt query HUNT                    a cell with the hunt's query
        %lakehunt close                         end Spark"""
        parser = _Parser("lakehunt", add_help=False, allow_abbrev=False)
        commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
        opened = commands.add_parser("open", add_help=False)
        opened.add_argument("lake", nargs="?")
        opened.add_argument("--config")
        tree = commands.add_parser("tree", add_help=False)
        tree.add_argument("finding")
        tree.add_argument("--minutes", type=int, default=5)
        commands.add_parser("findings", add_help=False).add_argument("hunts", nargs="*")
        commands.add_parser("query", add_help=False).add_argument("hunt")
        commands.add_parser("close", add_help=False)
        given = parser.parsed(line)
        if given.command == "tree":
            return self._lake().evidence(given.finding, minutes=given.minutes)
        if given.command == "findings":
            return self._lake().findings(*given.hunts)
        if given.command == "open":
            self._current = self._lake(given.lake, given.config)
        elif given.command == "query":
            [hunt] = self._lake().hunts(given.hunt)
            self._shell.set_next_input(f"%%kql\n{hunt.query.strip()}")
        else:
            self.close()
        return None

    def _matches(self, context: CompletionContext) -> SimpleMatcherResult:
        """What can stand at the cursor in a query, or after `%lakehunt`."""
        *earlier, line = context.full_text.split("\n")[: context.cursor_line + 1]
        line = line[: context.cursor_position]
        if (hunts := _OF_HUNTS.match(line)) is not None:
            found = self._hunts(hunts[1])
        elif earlier and earlier[0].startswith("%%kql"):
            found = self._completed("\n".join([*earlier[1:], line]))
        elif (query := _OF_QUERY.match(line)) is not None:
            found = self._completed(query[1])
        else:
            return {"completions": []}
        word = line[len(line) - found.length :]
        # Notebooks sort what they are given: what begins with the word would not come first.
        first = [one for one in found.candidates if one.text.lower().startswith(word.lower())]
        made = [SimpleCompletion(one.text, type=one.what) for one in first or found.candidates]
        return {"completions": made, "matched_fragment": word, "suppress": True}

    def _completed(self, text: str) -> Found:
        tables = self._lake().live.tables
        if self._completions is None or self._completions[0] is not tables:
            self._completions = (tables, Completions(tables, CATALOG))
        return self._completions[1].at_end(text)

    def _hunts(self, word: str) -> Found:
        known = (Candidate(one.id, one.name) for one in self._lake().hunts() if one.id.startswith(word.lower()))
        return Found(tuple(known), len(word))

    def close(self) -> None:
        """Ends the lakes that were opened here."""
        for lake in self._opened.values():
            lake.close()

    def _lake(self, name: str | None = None, config: str | None = None) -> OpenLake:
        """The lake that a variable holds or that is at a place; without a name, the one that is asked."""
        if name is None and config is None and self._current is not None:
            return self._current
        held = self._shell.user_ns.get(name)
        if isinstance(held, OpenLake):
            return held
        if (name, config) not in self._opened:
            self._opened[name, config] = api.open(name, config=config)
        return self._opened[name, config]

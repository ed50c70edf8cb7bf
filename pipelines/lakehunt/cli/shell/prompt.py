"""The shell on a terminal: history, completion, colours, and when Enter runs a query."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click
from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, ThreadedCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import Style

from lakehunt.cli.shell import commands, state_files
from lakehunt.cli.shell.completion import Completions
from lakehunt.cli.shell.highlighting import STYLES, KqlLexer
from lakehunt.cli.shell.session import EndError
from lakehunt.cli.shell.statements import is_whole, statements

if TYPE_CHECKING:
    from lakehunt.cli.shell.session import Session

PROMPT = "lakehunt> "
MORE = "| "
GREETING = "Lakehunt's shell: a query ends at an empty line, .help says more, Ctrl-D leaves"


def run(session: Session) -> None:
    """Asks and answers until the user leaves."""
    session.is_typed = True
    history = state_files.history()
    session.remember = history.append_string
    prompt: PromptSession[str] = PromptSession(
        PROMPT,
        history=history,
        auto_suggest=AutoSuggestFromHistory(),
        bottom_toolbar=lambda: _settings(session),
        color_depth=ColorDepth.DEPTH_1_BIT if os.environ.get("NO_COLOR") else None,
        completer=ThreadedCompleter(_Completer(session)),
        key_bindings=_keys(),
        lexer=KqlLexer(lambda name: _is_table(session, name)),
        multiline=True,
        prompt_continuation=_continuation,
        style=Style.from_dict(STYLES),
    )
    click.echo(GREETING)
    try:
        while True:
            try:
                text = prompt.prompt()
            except KeyboardInterrupt:  # what was typed is discarded
                continue
            for one in statements(text.splitlines()):
                session.run(one)
    except (EOFError, EndError):
        return


def _settings(session: Session) -> str:
    as_of, period = commands.shown_as_of(session), commands.shown_period(session)
    return f" as of {as_of} · period {period} · format {session.form} · {session.config.lake}"


def _continuation(width: int, line: int, wrapped: int) -> StyleAndTextTuples:
    return [("class:kql.comment", MORE.rjust(width))]


def _is_table(session: Session, name: str) -> bool:
    live = session.engine.made()
    return live is not None and name in live.tables.schemas


class _Completer(Completer):
    """Completes at the cursor, once there are tables: until then what would have to be imported is."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._completions: Completions | None = None

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        found = self._made().at_end(document.text_before_cursor)
        if not complete_event.completion_requested and not found.length:
            return  # not every column after every space
        for one in found.candidates:
            yield Completion(one.text, -found.length, display_meta=one.what)

    def _made(self) -> Completions:
        if self._completions is None:
            from lakehunt.spark.functions import CATALOG

            self._completions = Completions(self._session.tables, CATALOG, commands.completions(self._session))
        return self._completions


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def _enter(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.complete_state is not None and buffer.complete_state.current_completion is not None:
            buffer.complete_state = None  # it is chosen
        elif not buffer.document.text_after_cursor.strip() and is_whole(buffer.document.text_before_cursor):
            _accept(buffer)
        else:
            buffer.newline(copy_margin=False)

    @keys.add("escape", "enter")
    def _run(event: KeyPressEvent) -> None:
        _accept(event.current_buffer)

    return keys


def _accept(buffer: Buffer) -> None:
    buffer.text = buffer.text.rstrip()  # the line that ended it is not kept
    buffer.validate_and_handle()

"""Makes hunts of the Sigma documents of a pack, which may refer to each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lakehunt.core.strict_yaml import YamlError
from lakehunt.hunting import compile_check
from lakehunt.importing import pack_reader
from lakehunt.importing.results import Candidate, QueryResult, Reason, no_query
from lakehunt.importing.sigma import rules
from lakehunt.importing.sigma.correlations import Correlation
from lakehunt.importing.sigma.documents import Document, Kind
from lakehunt.importing.sigma.rules import Choice, NoSourceError, WrittenQuery

_ANY_RULE = "any"


@dataclass(frozen=True)
class Conversion:
    """The Sigma documents of a pack, and which of them are wanted."""

    pack: Path
    documents: Sequence[Document]
    choice: Choice

    def result(self, document: Document) -> Candidate | QueryResult:
        """The hunt of a document, or why there is none."""
        try:
            if part_of := self._part_of(document):
                return no_query(document.source, Reason.SIGMA_PART, part_of)
            correlation = self._correlation(document)
            sources = correlation.rules if correlation else [document]
            if why_not := self.choice.why_not(document, sources):
                return no_query(document.source, Reason.NOT_CHOSEN, why_not)
            query = correlation.query() if correlation else rules.query(document, self._filters_of(document))
            return self._candidate(document, query)
        except NoSourceError as error:
            return _left_out(document, Reason.SIGMA_SOURCE, error)
        except YamlError as error:
            return _left_out(document, Reason.SIGMA, error)

    def _candidate(self, rule: Document, query: WrittenQuery) -> Candidate | QueryResult:
        generated, mapping = rules.hunt(rule, query, self._license)
        stem = rule.file.stem if rule.of == 1 else f"{rule.file.stem}-{rule.number}"
        return pack_reader.candidate(generated, rule.file, rule.place, stem, mapping, written_there=False)

    def _part_of(self, document: Document) -> str:
        """Of which hunts a document is only a part; '' if it is a hunt of its own."""
        if document.kind is Kind.FILTER:
            return f"applied to {sum(_applies(document, rule) for rule in self._rules)} rules"
        return self._only_correlated.get(id(document), "")

    @cached_property
    def _only_correlated(self) -> dict[int, str]:
        """Why rules are no hunts of their own: correlation rules name them, and none of these says `generate`."""
        only: dict[int, str] = {}
        generated: set[int] = set()
        for document in self.documents:
            try:
                if correlation := self._correlation(document):
                    named = [id(rule) for rule in correlation.rules]
                    generated |= {*named} if correlation.generates else set()
                    only |= dict.fromkeys(named, f"a part of the correlation rule {document.text('title')!r}")
            except YamlError:
                continue  # the correlation rule's own result says so
        return {key: why for key, why in only.items() if key not in generated}

    def _correlation(self, document: Document) -> Correlation | None:
        if document.kind is not Kind.CORRELATION:
            return None
        return Correlation(document, self._by_name.get, self._filters_of)

    @cached_property
    def _by_name(self) -> dict[str, Document]:
        """Documents by their names and ids, in lower case; the first one counts."""
        named: dict[str, Document] = {}
        for document in self.documents:
            for key in ("name", "id") if document.kind is not Kind.FILTER else ():
                if isinstance(name := document.content.get(key), str):
                    named.setdefault(name.strip().lower(), document)
        return named

    def _filters_of(self, rule: Document) -> list[Document]:
        return [one for one in self._filters if _applies(one, rule)]

    @cached_property
    def _filters(self) -> list[Document]:
        return [one for one in self.documents if one.kind is Kind.FILTER]

    @cached_property
    def _rules(self) -> list[Document]:
        return [one for one in self.documents if one.kind is Kind.RULE]

    @cached_property
    def _license(self) -> str:
        """The licence of SigmaHQ's rules, if the pack's own licence file names it."""
        files = [file for file in self.pack.glob("LICENSE*") if file.is_file()] if self.pack.is_dir() else []
        named = any("Detection Rule License" in file.read_text("utf-8", errors="replace") for file in files)
        return "Detection Rule License (DRL) 1.1" if named else ""


def convert(
    pack: Path, found: Iterable[Candidate | QueryResult | Document], choice: Choice
) -> list[Candidate | QueryResult]:
    """What was found in a pack, with the result of each Sigma document in its place."""
    all_ = list(found)
    conversion = Conversion(pack, [one for one in all_ if isinstance(one, Document)], choice)
    return [conversion.result(one) if isinstance(one, Document) else one for one in all_]


def _left_out(document: Document, reason: Reason, error: YamlError) -> QueryResult:
    """The result for a document with an error, which may be that of a document in another file."""
    if error.file != str(document.file):
        error = YamlError(str(document.file), document.place, f"{error.file}:{error.line}: {error.problem}", error.hint)
    return no_query(document.source, reason, error.problem, [compile_check.of_file(error)])


def _applies(filter_: Document, rule: Document) -> bool:
    """Whether a filter names a rule, and its log source includes the rule's. Raises YamlError for an invalid filter."""
    wanted, has = filter_.logsource, rule.logsource
    if any(getattr(wanted, key) not in {"", getattr(has, key)} for key in wanted.KEYS):
        return False
    names = filter_.filtered
    return _ANY_RULE in names or bool({rule.text("id").lower(), rule.text("name").lower()} & names - {""})

"""The command line: `lakehunt COMMAND`. Exit code 0: all went well, 1: something failed, 2: bad usage.

Nothing heavy is imported before a command needs it: `check` answers before Spark could start."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines import config as configuration
from pipelines import terminal
from pipelines.config import Config
from pipelines.errors import LakehuntError, UsageError
from pipelines.kql import times
from pipelines.kql.types import TICKS_PER_DAY, TICKS_PER_MICROSECOND, TICKS_PER_MINUTE

if TYPE_CHECKING:
    from pipelines.hunting.hunt import Hunt
    from pipelines.hunting.tables import Tables
    from pipelines.lake.tables import Lake
    from pipelines.landing import Delivery, Settlement
    from pipelines.quality.telemetry import Day

SUCCESS, FAILURE, USAGE = 0, 1, 2
NOW, THEN = "now", "then"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit code."""
    args = _parser().parse_args(argv)
    try:
        return int(args.run(args, configuration.load(args.config).with_lake(args.lake)))
    except LakehuntError as error:
        print(f"lakehunt: {error}", file=sys.stderr)
        return USAGE if isinstance(error, UsageError) else FAILURE
    except BrokenPipeError:  # the reader of our output left, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except KeyboardInterrupt:
        print("lakehunt: interrupted; the same command again goes on from here", file=sys.stderr)
        return 130


# Commands


def run(args: argparse.Namespace, config: Config) -> int:
    """The main job: land, validate, hunt."""
    from pipelines.hunting import engine
    from pipelines.quality import validation

    source = _source_of(args, config)
    hunts, hunts_fine = _checked_hunts(config)
    validation.prepare()
    with _lake(config, learning=True) as lake, terminal.progress() as say:
        delivery, settlement = _deliver(lake, source, say), _settle(lake, config, say)
        landed_fine = terminal.landing(delivery, settlement)
        if any(batch.refused for batch in settlement.batches):
            print("hunts were not run: a batch was refused", file=sys.stderr)
            return FAILURE
        runs = engine.run(lake, hunts, args.as_of, say, _tables(config))
        terminal.hunts(runs)
        telemetry_fine = terminal.unusual(_day(lake, config, args.as_of))
        if args.show:
            _show(lake, hunts, args.as_of)
    return _code(hunts_fine, landed_fine, telemetry_fine, all(r.error is None for r in runs))


def land(args: argparse.Namespace, config: Config) -> int:
    """Source to raw and, unless --raw-only, to events or quarantine."""
    source = _source_of(args, config)
    with _lake(config, learning=True) as lake, terminal.progress() as say:
        delivery = _deliver(lake, source, say)
        settlement = None if args.raw_only else _settle(lake, config, say)
    return _code(terminal.landing(delivery, settlement))


def validate(args: argparse.Namespace, config: Config) -> int:
    """What was landed in raw, to events or quarantine."""
    from pipelines.quality import validation

    validation.prepare()
    with _lake(config) as lake, terminal.progress() as say:
        settlement = _settle(lake, config, say)
    return _code(terminal.landing(None, settlement))


def hunt(args: argparse.Namespace, config: Config) -> int:
    """Runs hunts on what has landed, for one as-of or for each day of a span."""
    from pipelines.hunting import engine, suppression

    hunts, fine = _checked_hunts(config)
    chosen, as_ofs = engine.select(hunts, args.hunt), _as_ofs(args)
    with _lake(config, learning=True) as lake, terminal.progress() as say:
        for as_of in as_ofs:
            excluding = suppression.as_then(lake, chosen, as_of) if args.exclusions == THEN else chosen
            runs = engine.run(lake, excluding, as_of, say, _tables(config), args.full)
            terminal.hunts(runs)
            day = _day(lake, config, as_of)
            fine = terminal.unusual(day) and fine and all(r.error is None for r in runs)
            fine = (not args.alert or _tell(lake, config, day, say)) and fine
    return _code(fine)


def alert(args: argparse.Namespace, config: Config) -> int:
    """Tells the configured channels what is new."""
    with _lake(config) as lake, terminal.progress() as say:
        return _code(_tell(lake, config, _day(lake, config, args.as_of), say))


def telemetry(args: argparse.Namespace, config: Config) -> int:
    """How much came, day by day, and whether that is usual."""
    from pipelines.quality import telemetry

    with _lake(config) as lake:
        days = telemetry.judged(lake, config.expectations, args.as_of, args.days)
    terminal.TELEMETRY[args.format](days)
    return _code(not days[0].critical)


def findings(args: argparse.Namespace, config: Config) -> int:
    """What hunts have found."""
    from pipelines.hunting import engine, reading
    from pipelines.hunting import hunt as hunting

    hunts, _ = hunting.load_folder(config.hunts)
    chosen = engine.select(hunts, args.hunt)
    with _lake(config) as lake:
        terminal.findings(reading.latest(lake, chosen, args.as_of), args.format)
    return SUCCESS


def evidence(args: argparse.Namespace, config: Config) -> int:
    """The events of a finding, and the processes around them."""
    from pipelines.hunting import evidence as looking

    looking.check_name(args.finding)
    with _lake(config) as lake:
        found = looking.of_finding(lake, args.finding, args.as_of, args.minutes * TICKS_PER_MINUTE)
    terminal.EVIDENCE[args.format](found, args.full)
    return SUCCESS


def report(args: argparse.Namespace, config: Config) -> int:
    """What was found as one HTML file, and as a layer for the ATT&CK Navigator."""
    from pipelines.hunting import engine
    from pipelines.hunting import hunt as hunting
    from pipelines.reporting import writing

    period = _period(args)
    writing.check_folders(args.output, args.navigator)
    hunts, _ = hunting.load_folder(config.hunts)
    only = {one.id for one in engine.select(hunts, args.hunt)} if args.hunt else set()
    with _lake(config) as lake, terminal.progress() as say:
        written = writing.write(
            lake, hunts, only, period, config.expectations, args.output, args.navigator, args.redact, say
        )
    terminal.written(written)
    return SUCCESS


def runs(args: argparse.Namespace, config: Config) -> int:
    """What the runs of hunts did."""
    from pipelines.hunting import engine, ledger
    from pipelines.hunting import hunt as hunting

    hunts, _ = hunting.load_folder(config.hunts)
    chosen = engine.select(hunts, args.hunt)
    with _lake(config) as lake:
        terminal.RUNS[args.format](ledger.recent(lake, chosen, args.as_of, args.last))
    return SUCCESS


def exclusions(args: argparse.Namespace, config: Config) -> int:
    """What exclusions suppressed lately."""
    from pipelines.hunting import suppression

    hunts, fine = _checked_hunts(config)
    known = {one.name: one for hunt in hunts for one in hunt.exclusions}
    with _lake(config) as lake:
        effects = suppression.effects(lake, known.values(), args.as_of, args.days)
    terminal.EXCLUSIONS[args.format](effects, {hunt.id: hunt.name for hunt in hunts}, args.days)
    return _code(fine)


def explain(args: argparse.Namespace, config: Config) -> int:
    """How a hunt is run; with Spark only if its plan is asked for."""
    from pipelines.hunting import engine, explaining
    from pipelines.hunting import hunt as hunting

    hunts, _ = hunting.load_folder(config.hunts)
    compiled = [engine.compile_hunt(one, _tables(config)) for one in engine.select(hunts, args.hunt)]
    for one in compiled:
        terminal.explained(explaining.explain(one, args.as_of))
    if args.spark:
        with _lake(config) as lake:
            for one in compiled:
                print(explaining.spark_plan(lake, one, args.as_of, _tables(config)))
    return SUCCESS


def check(args: argparse.Namespace, config: Config) -> int:
    """Compiles hunts, without Spark."""
    from pipelines.hunting import checking
    from pipelines.hunting import query as queries

    if args.jsonl:
        terminal.json_lines(queries.schema_lines(sys.stdin, _tables(config)))
        return SUCCESS
    checked = checking.check(args.path or [_hunts_folder(config)], _tables(config))
    terminal.CHECKED["json" if args.json else "text"](checked)
    return _code(all(one.ok for one in checked))


def test(args: argparse.Namespace, config: Config) -> int:
    """Runs the tests that stand beside hunts."""
    from pipelines.hunting import engine
    from pipelines.testing import running

    hunts, fine = _checked_hunts(config)
    read = list(running.read(engine.select(hunts, args.hunt), _tables(config)))
    if any(found and not isinstance(found, str) for _, found in read):
        with _lake(config) as lake, terminal.progress() as say:
            tested = running.run_all(lake, read, _tables(config), say)
    else:
        tested = [running.Tested(hunt, problem=found if isinstance(found, str) else "") for hunt, found in read]
    return _code(terminal.TESTED["json" if args.json else "text"](tested, args.strict), fine)


def new(args: argparse.Namespace, config: Config) -> int:
    """Writes a hunt to begin with, and its test."""
    from pipelines.testing import starter

    hunt, tests = starter.create(args.name, args.into or _hunts_folder(config))
    print(f"{hunt}\n{tests}")
    return SUCCESS


def import_(args: argparse.Namespace, config: Config) -> int:
    """Takes the queries of a pack into the folder of hunts, without Spark."""
    from pipelines.importing import pack
    from pipelines.importing.outcomes import all_read

    into = args.into or _hunts_folder(config)
    hunts = config.hunts if into.resolve().is_relative_to(config.hunts.resolve()) else into
    outcomes = pack.import_pack(args.folder, into, hunts, _tables(config), replacing=args.replace, dry_run=args.dry_run)
    terminal.IMPORTED["json" if args.json else "text"](outcomes, args.folder, args.dry_run)
    return _code(all_read(outcomes))


def query(args: argparse.Namespace, config: Config) -> int:
    """One query, or many as JSON lines."""
    from pipelines.hunting import query as queries
    from pipelines.kql.errors import QueryErrors

    if bool(args.jsonl) == bool(args.kql):
        raise UsageError("give either a query or --jsonl")
    with _lake(config) as lake:
        if args.jsonl:
            terminal.json_lines(queries.answer_lines(lake, sys.stdin, args.as_of, args.period, _tables(config)))
            return SUCCESS
        try:
            terminal.answer(queries.query(lake, args.kql, args.as_of, args.period, _tables(config)), args.format)
        except QueryErrors as errors:
            print(errors.message, file=sys.stderr)
            return FAILURE
    return SUCCESS


def maintain(args: argparse.Namespace, config: Config) -> int:
    """Hits of hunts that are no more, then retention, compaction and VACUUM of the lake's tables."""
    from pipelines.hunting import abandoned
    from pipelines.hunting import hunt as hunting
    from pipelines.lake import maintenance
    from pipelines.schemas.hunt_tables import HITS

    now = datetime.now(UTC)
    maintenance.check_window(config.retention.vacuum_hours, args.force)
    hunts, errors = hunting.load_folder(_hunts_folder(config))
    with _lake(config) as lake, terminal.progress() as say:
        chosen = maintenance.chosen(lake, args.table)
        if HITS.name in chosen and not errors:  # a file that cannot be read may be one of their hunts
            say("looking for hits of hunts that are no more")
            terminal.abandoned(abandoned.remove(lake, {one.digest for one in hunts}, now, args.dry_run), args.dry_run)
        done = maintenance.maintain(lake, config.retention, now, say, chosen, args.dry_run)
    return _code(terminal.maintenance(done, args.dry_run))


def forget(args: argparse.Namespace, config: Config) -> int:
    """Removes what the lake holds of devices and accounts."""
    from pipelines import forgetting

    who = forgetting.Subject(tuple(args.device), tuple(args.account))
    if not who.values:
        raise UsageError("name a --device or an --account")
    kept_from = config.retention.oldest("events", datetime.now(UTC))
    with _lake(config) as lake, terminal.progress() as say:
        say("looking for events and findings")
        found = forgetting.traces(lake, who)
        lost = forgetting.lost_findings(lake, found)
        terminal.lost_findings(lost, list(forgetting.commands(lost, kept_from)))
        terminal.forgotten(forgetting.forget(lake, found, say, args.dry_run), args.dry_run)
    return SUCCESS


def serve(args: argparse.Namespace, config: Config) -> int:
    """Answers SQL clients until it is told to stop."""
    from pipelines.serving import endpoint

    address = endpoint.Address(args.host, args.port)
    endpoint.check(address, config)
    with endpoint.prepared(config) as serving, _lake(serving) as lake, terminal.progress() as say:
        endpoint.serve(lake, address, args.refresh, say, lambda at: terminal.serving(at, serving.spark))
    return SUCCESS


# What they share


@contextmanager
def _lake(config: Config, learning: bool = False) -> Iterator[Lake]:
    """The lake, in this process's one Spark session; for `learning` see there."""
    from pipelines.lake import session
    from pipelines.lake.tables import Lake

    spark = session.start(config, learning)
    try:
        yield Lake(spark, config.lake)
    finally:
        spark.stop()


def _source_of(args: argparse.Namespace, config: Config) -> str:
    source = args.source or config.source
    if not source:
        raise UsageError("no SOURCE to land", "name one, or write it as `source` in the configuration")
    return str(source)


def _deliver(lake: Lake, source: str, say: Callable[[str], None]) -> Delivery:
    from pipelines import landing

    return landing.deliver(lake, source, datetime.now(UTC), say)


def _settle(lake: Lake, config: Config, say: Callable[[str], None]) -> Settlement:
    from pipelines import landing

    return landing.settle(lake, config.expectations, config.data_docs.within(config.lake), say)


def _day(lake: Lake, config: Config, as_of: int) -> Day:
    from pipelines.quality import telemetry

    return telemetry.judged(lake, config.expectations, as_of)[0]


def _tell(lake: Lake, config: Config, day: Day, say: Callable[[str], None]) -> bool:
    """Whether everybody who is to be told of an as-of took it."""
    from pipelines.alerts import sending

    if not config.alerts.channels:
        say("nobody is told: the configuration has no alerts (docs/alerts.md)")
    as_of = times.from_datetime(day.as_of)
    return terminal.alerts(sending.send(lake, config.alerts, as_of, datetime.now(UTC), say, day))


def _tables(config: Config) -> Tables:
    """What a query can name; needs no Spark session."""
    from pipelines.hunting.tables import Tables

    return Tables(config.tables, config.external)


def _hunts_folder(config: Config) -> Path:
    if not config.hunts.is_dir():
        raise LakehuntError(f"no folder of hunts at {config.hunts}", "name it as `hunts` in the configuration")
    return config.hunts


def _checked_hunts(config: Config) -> tuple[list[Hunt], bool]:
    """All hunts that could be read, and whether all of them are fine; what is wrong is said before anything runs."""
    from pipelines.hunting import checking

    checked = checking.check([_hunts_folder(config)], _tables(config))
    terminal.problems(checked)
    return [one.hunt for one in checked if one.hunt], all(one.ok for one in checked)


def _show(lake: Lake, hunts: Sequence[Hunt], as_of: int) -> None:
    from pipelines.hunting import reading

    terminal.findings(reading.latest(lake, hunts, as_of), "table")


def _as_ofs(args: argparse.Namespace) -> list[int]:
    """The as-ofs to hunt for, in ticks: one, or each day's of a range."""
    now = _now()
    first, last = _period(args) or (now, now)
    return list(range(first, last + 1, TICKS_PER_DAY))


def _period(args: argparse.Namespace) -> tuple[int, int] | None:
    """The first and the last as-of that are asked for, in ticks; None where none is."""
    if args.as_of is not None and (args.since is not None or args.until is not None):
        raise UsageError("give either --as-of or --from and --to")
    if args.until is not None and args.since is None:
        raise UsageError("--to needs --from", "give the first as-of of the range, or only --as-of")
    if args.since is None:
        return None if args.as_of is None else (args.as_of, args.as_of)
    until = _now() if args.until is None else args.until
    if until < args.since:
        raise UsageError("--to is before --from")
    return args.since, until


def _code(*fine: bool) -> int:
    return SUCCESS if all(fine) else FAILURE


# Arguments


def _instant(text: str) -> int:
    ticks = times.parse_datetime(text)
    if ticks is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no instant; write 2026-03-10 or 2026-03-10T06:40:15.338Z (UTC)")
    if ticks % TICKS_PER_MICROSECOND:
        raise argparse.ArgumentTypeError(f"{text!r} is finer than a microsecond, which a table cannot hold")
    return ticks


def _timespan(text: str) -> int:
    ticks = times.parse_timespan(text)
    if ticks is None or ticks <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no timespan; write 7d or 12h")
    return ticks


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no positive number")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**16:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; write a number from 1 to 65535")
    return int(text)


def _value(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("an empty value would match records that name nobody")
    return text.strip()


def _now() -> int:
    return times.from_datetime(datetime.now(UTC))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lakehunt", description="Threat hunts in KQL, on your own lake.")
    parser.add_argument("--version", action="version", version=f"lakehunt {version('lakehunt')}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, function, help_, add in _COMMANDS:
        command = commands.add_parser(name, help=help_, description=help_, formatter_class=_Help)
        command.set_defaults(run=function)
        command.add_argument(
            "--config", metavar="FILE", help="configuration file (else $LAKEHUNT_CONFIG, ./lakehunt.yaml)"
        )
        command.add_argument("--lake", metavar="DIR", help="folder or URI of the lake (else the configuration's)")
        add(command)
    return parser


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, False, []) else super()._get_help_string(action)


_AS_OF = "see events up to this instant, and call it now(); default: this very moment"


def _source(command: argparse.ArgumentParser) -> None:
    what = "folder, glob or file of Streaming API blobs (else the configuration's)"
    command.add_argument("source", metavar="SOURCE", nargs="?", help=what)


def _no_options(command: argparse.ArgumentParser) -> None:
    """For a command that needs none."""


def _run_options(command: argparse.ArgumentParser) -> None:
    _source(command)
    command.add_argument("--as-of", metavar="T", type=_instant, default=_now(), help=_AS_OF)
    command.add_argument("--show", action="store_true", help="print the findings at the end")


def _land_options(command: argparse.ArgumentParser) -> None:
    _source(command)
    command.add_argument("--raw-only", action="store_true", help="leave checking to `lakehunt validate`")


def _hunt_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--as-of", metavar="T", type=_instant, help=_AS_OF)
    command.add_argument("--hunt", metavar="ID", action="append", default=[], help="only this hunt; may be repeated")
    command.add_argument("--from", dest="since", metavar="T", type=_instant, help="backfill: the first day's as-of")
    command.add_argument("--to", dest="until", metavar="T", type=_instant, help="backfill: the last; default: now")
    command.add_argument(
        "--full", action="store_true", help="read all events of each window; the findings are the same"
    )
    command.add_argument("--alert", action="store_true", help="afterwards as `lakehunt alert`")
    command.add_argument(
        "--exclusions", choices=[NOW, THEN], default=NOW, help="those of now, or those of an as-of's first run"
    )


def _alert_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--as-of", metavar="T", type=_instant, default=_now(), help="the as-of of the run to tell about"
    )


def _telemetry_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--as-of", metavar="T", type=_instant, default=_now(), help="the end of the newest day")
    command.add_argument("--days", metavar="N", type=_count, default=14, help="how many days, the newest first")
    command.add_argument("--format", choices=list(terminal.TELEMETRY), default="table", help="how to print them")


def _runs_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--hunt", metavar="ID", action="append", default=[], help="only this hunt; may be repeated")
    command.add_argument("--as-of", metavar="T", type=_instant, help="only runs as of this instant")
    command.add_argument("--last", metavar="N", type=_count, default=20, help="how many runs, the newest first")
    command.add_argument("--format", choices=list(terminal.RUNS), default="table", help="how to print them")


def _exclusions_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--as-of", metavar="T", type=_instant, default=_now(), help="the end of the last day")
    command.add_argument("--days", metavar="N", type=_count, default=7, help="runs of so many days count")
    command.add_argument("--format", choices=list(terminal.EXCLUSIONS), default="table", help="how to print them")


def _explain_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("hunt", metavar="HUNT", nargs="*", help="id or name; default: all hunts")
    command.add_argument("--as-of", metavar="T", type=_instant, default=_now(), help=_AS_OF)
    command.add_argument("--spark", action="store_true", help="also print Spark's plan for the query over the lake")


def _findings_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--hunt", metavar="ID", action="append", default=[], help="only this hunt; may be repeated")
    command.add_argument(
        "--as-of", metavar="T", type=_instant, help="findings of this as-of; default: each hunt's last"
    )
    command.add_argument("--format", choices=list(terminal.FINDINGS), default="table", help="how to print them")


def _evidence_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("finding", metavar="FINDING", help="its finding_id, or the beginning of it")
    command.add_argument("--as-of", metavar="T", type=_instant, help="of this as-of; default: the newest that has it")
    command.add_argument(
        "--minutes", metavar="N", type=_count, default=5, help="siblings and descendants so close to an event"
    )
    command.add_argument("--format", choices=list(terminal.EVIDENCE), default="tree", help="how to print it")
    command.add_argument("--full", action="store_true", help="whole command lines in the tree")


def _report_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--as-of", metavar="T", type=_instant, help="findings of this as-of; default: the last")
    command.add_argument("--from", dest="since", metavar="T", type=_instant, help="findings of all as-ofs from here")
    command.add_argument("--to", dest="until", metavar="T", type=_instant, help="to here; default: now")
    command.add_argument("--hunt", metavar="ID", action="append", default=[], help="only this hunt; may be repeated")
    command.add_argument("--output", metavar="FILE", type=Path, default=Path("lakehunt-report.html"), help="the page")
    command.add_argument("--redact", action="store_true", help="without what looks like a secret in command lines")
    command.add_argument("--navigator", metavar="FILE", type=Path, help="also a layer for the ATT&CK Navigator")


def _check_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("path", metavar="PATH", nargs="*", type=Path, help="hunts or folders of hunts")
    forms = command.add_mutually_exclusive_group()
    forms.add_argument("--json", action="store_true", help="a line of JSON for each file: its columns or its errors")
    forms.add_argument(
        "--jsonl", action="store_true", help='standard input {"id","query"} -> {"id","schema"} or {"id","error"}'
    )


def _test_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("hunt", metavar="HUNT", nargs="*", help="id or name; default: all hunts")
    command.add_argument("--strict", action="store_true", help="a hunt without a test fails")
    command.add_argument("--json", action="store_true", help="a line of JSON for each hunt")


def _new_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", metavar="NAME", help="the hunt's name, in words")
    command.add_argument("--into", metavar="DIR", type=Path, help="else the configuration's folder of hunts")


def _import_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", metavar="FOLDER", type=Path, help="a clone of a repository of queries")
    command.add_argument(
        "--into", metavar="DIR", type=Path, help="where the hunts go (else the configuration's folder of hunts)"
    )
    command.add_argument("--replace", action="store_true", help="take the pack's content for hunts that are there")
    command.add_argument("--dry-run", action="store_true", help="say what would be imported, and write nothing")
    command.add_argument("--json", action="store_true", help="a line of JSON for each query, and each file without one")


def _query_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("kql", metavar="KQL", nargs="?", help="the query")
    command.add_argument("--as-of", metavar="T", type=_instant, default=_now(), help=_AS_OF)
    command.add_argument(
        "--period", metavar="SPAN", type=_timespan, help="how far a query without a time filter looks back"
    )
    command.add_argument("--format", choices=list(terminal.ANSWERS), default="table", help="how to print the rows")
    command.add_argument(
        "--jsonl", action="store_true", help='standard input {"id","query"} -> {"id","columns","rows"}'
    )


def _maintain_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--table", metavar="NAME", action="append", default=[], help="only this one; may be repeated")
    command.add_argument("--dry-run", action="store_true", help="say what retention would delete, and change nothing")
    command.add_argument("--force", action="store_true", help="allow a vacuum_hours below 168: nothing else may run")


def _forget_options(command: argparse.ArgumentParser) -> None:
    for who, told in (("device", "its DeviceId or DeviceName"), ("account", "its name, SID, UPN or object id")):
        command.add_argument(
            f"--{who}", metavar="VALUE", type=_value, action="append", default=[], help=f"{told}; may be repeated"
        )
    command.add_argument("--dry-run", action="store_true", help="count what would be removed, and change nothing")


def _serve_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--host", metavar="HOST", default="127.0.0.1", help="address of this machine to listen on")
    command.add_argument("--port", metavar="N", type=_port, default=10000, help="port to listen on")
    command.add_argument(
        "--refresh", metavar="SECONDS", type=_count, default=60, help="how often to look for tables of new hunts"
    )


_COMMANDS: list[
    tuple[str, Callable[[argparse.Namespace, Config], int], str, Callable[[argparse.ArgumentParser], None]]
] = [
    ("run", run, "The main job: land a source, validate it, run all hunts.", _run_options),
    ("land", land, "Land a source: raw records, then events or quarantine.", _land_options),
    ("validate", validate, "Check what `land --raw-only` landed: events or quarantine.", _no_options),
    ("hunt", hunt, "Run hunts on the events of the lake, for one as-of or each day of a span.", _hunt_options),
    ("alert", alert, "Tell the configured channels of new findings and failures, each once.", _alert_options),
    ("runs", runs, "Print what the runs of hunts did: windows, events read, findings, errors.", _runs_options),
    ("telemetry", telemetry, "Print how many events each day had, and what is unusual about it.", _telemetry_options),
    ("exclusions", exclusions, "Print exclusions, and what each of them suppressed lately.", _exclusions_options),
    ("explain", explain, "Say how a hunt is run: what is decided event by event, and why not.", _explain_options),
    ("findings", findings, "Print what was found.", _findings_options),
    ("evidence", evidence, "Print the events of a finding, and the processes around them.", _evidence_options),
    ("report", report, "Write what was found as one HTML page, for people who would rather look.", _report_options),
    ("check", check, "Compile hunts: result columns and types, or errors with their places.", _check_options),
    ("test", test, "Run the tests that stand beside hunts.", _test_options),
    ("new", new, "Write a hunt to begin with, and its test.", _new_options),
    (
        "import",
        import_,
        "Import the queries of a Sentinel or Defender repository that the lake can answer.",
        _import_options,
    ),
    ("query", query, "Run a KQL query on the lake.", _query_options),
    ("maintain", maintain, "Delete what is past its retention, compact tables, VACUUM.", _maintain_options),
    ("forget", forget, "Remove everything of a device or an account from the lake.", _forget_options),
    ("serve", serve, "Answer SQL clients (JDBC, ODBC) over findings, events and views.", _serve_options),
]

if __name__ == "__main__":
    raise SystemExit(main())

"""Processes around events as trees: rows by hand, and whatever a machine may report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lakehunt.hunting.findings.process_tree import (
    LATE,
    MOST_CHILDREN,
    MOST_LEVELS,
    Event,
    Process,
    ProcessLookup,
    ProcessNode,
    as_json,
    process_lookups,
    process_trees,
    walk,
)
from lakehunt.kql.types import TICKS_PER_MINUTE, TICKS_PER_SECOND

NEAR = 5 * TICKS_PER_MINUTE
T = 16_000_000_000_000_000  # September 2020, in ticks


def at(second: float) -> int:
    return T + int(second * TICKS_PER_SECOND)


def process(name: str, id_: int | None, created: float | None, line: str | None = None) -> Process:
    return Process(id_, None if created is None else at(created), name, line or name)


SERVICES = process("services.exe", 4, -9_000)
W3WP = process("w3wp.exe", 10, -5_000)
CMD = process("cmd.exe", 20, 0, "cmd /c whoami")
WHOAMI = process("whoami.exe", 30, 1)


NOBODY = Process()


def event(id_: str, one: Process, parent: Process = NOBODY, grandparent: Process = NOBODY, **more: Any) -> Event:
    known = {"at": T if one.created is None else one.created, "device_id": "d", "device_name": "web01"}
    return Event(id_, process=one, parent=parent, grandparent=grandparent, **(known | more))


def drawn(nodes: Sequence[ProcessNode], depth: int = 0) -> list[str]:
    """A line for each process: indented, its name, what it is to the finding, its events."""
    lines = []
    for node in nodes:
        told = f"{'  ' * depth}{node.process.file_name} {node.role} {'+'.join(node.events)}".rstrip()
        lines += [told, *drawn(node.children, depth + 1)]
        lines += [f"{'  ' * (depth + 1)}and {node.more} more"] if node.more else []
    return lines


def test_an_event_alone_tells_of_three_generations() -> None:
    found = process_trees([event("e", CMD, W3WP, SERVICES)], ["e"], NEAR)
    assert drawn(found) == ["services.exe ancestor", "  w3wp.exe ancestor", "    cmd.exe evidence e"]


def test_a_whole_family() -> None:
    events = [
        event("svc", W3WP, SERVICES),
        event("e", CMD, W3WP, SERVICES),
        event("child", WHOAMI, CMD, W3WP),
        event("sibling", process("net.exe", 21, 60), W3WP, SERVICES),
        event("too late", process("net.exe", 22, 301), W3WP, SERVICES),
        event("stranger", process("calc.exe", 23, 1), process("explorer.exe", 5, -70)),
        event("grandchild", process("find.exe", 31, 2), WHOAMI, CMD),
    ]
    assert drawn(process_trees(events[::-1], ["e"], NEAR)) == [
        "services.exe ancestor",
        "  w3wp.exe ancestor svc",
        "    cmd.exe evidence e",
        "      whoami.exe descendant child",
        "        find.exe descendant grandchild",
        "    net.exe sibling sibling",
    ]


def test_an_id_that_is_used_again_is_another_process() -> None:
    events = [
        event("old", process("svchost.exe", 10, -9_999), SERVICES),
        event("e", CMD, W3WP),
        event("new", process("notepad.exe", 10, 100), SERVICES),
        event("of the new", process("calc.exe", 40, 101), process("notepad.exe", 10, 100)),
    ]
    assert drawn(process_trees(events, ["e"], NEAR)) == ["w3wp.exe ancestor", "  cmd.exe evidence e"]


def test_the_same_ids_on_another_device_are_other_processes() -> None:
    events = [event("e", CMD, W3WP), event("other", WHOAMI, CMD, device_id="another")]
    assert drawn(process_trees(events, ["e"], NEAR)) == ["w3wp.exe ancestor", "  cmd.exe evidence e"]


def test_parents_whose_creation_is_not_known_are_not_taken_for_one() -> None:
    unknown = process("w3wp.exe", 10, None)
    second = process("cmd.exe", 24, 3)
    events = [
        event("e1", CMD, unknown),
        event("e2", second, unknown),
        event("child", WHOAMI, CMD, unknown),
        event("sibling", process("cvtres.exe", 25, 1), unknown),
    ]
    one, two = process_trees(events, ["e1", "e2"], NEAR)
    assert drawn([one]) == ["w3wp.exe ancestor", "  cmd.exe evidence e1", "    whoami.exe descendant child"]
    assert drawn([two]) == ["w3wp.exe ancestor", "  cmd.exe evidence e2"]


def test_the_first_day_of_windows_stands_for_a_time_that_is_not_known() -> None:
    first = -134_774 * 24 * 60 * TICKS_PER_MINUTE
    parent = Process(10, first, "w3wp.exe")
    found = process_trees([event("e", CMD, parent), event("f", WHOAMI, parent)], ["e"], NEAR)
    assert drawn(found) == ["w3wp.exe ancestor", "  cmd.exe evidence e"]
    assert as_json(found[0])["created"] is None


def test_a_parent_that_is_not_told_is_none() -> None:
    assert drawn(process_trees([event("e", CMD, Process(0, at(0)))], ["e"], NEAR)) == ["cmd.exe evidence e"]


def recorded(name: str, id_: int, created: float, line: str | None = None) -> Process:
    """As its own event says: created when the sensor recorded it."""
    return process(name, id_, created, line)


def test_an_own_event_that_was_recorded_late_is_the_parents() -> None:
    events = [
        event("own", recorded("W3WP.exe", 10, -4_990, "w3wp.exe"), SERVICES),
        event("e", CMD, W3WP, SERVICES),
    ]
    assert drawn(process_trees(events, ["e"], NEAR)) == [
        "services.exe ancestor",
        "  W3WP.exe ancestor own",
        "    cmd.exe evidence e",
    ]


def test_a_late_event_finds_what_it_started() -> None:
    told = process("cmd.exe", 20, 0, "cmd /c whoami")
    events = [event("e", recorded("cmd.exe", 20, 0.5, "cmd /c whoami"), W3WP), event("child", WHOAMI, told)]
    assert drawn(process_trees(events, ["e"], NEAR)) == [
        "w3wp.exe ancestor",
        "  cmd.exe evidence e",
        "    whoami.exe descendant child",
    ]


def test_what_is_not_the_parents_late_event() -> None:
    """Another name, another command line, later than the child, earlier than the parent, or much too late."""
    others = [
        recorded("notepad.exe", 10, -4_990, "w3wp.exe"),
        recorded("w3wp.exe", 10, -4_990, "w3wp.exe -other"),
        recorded("w3wp.exe", 10, 0.1),
        recorded("w3wp.exe", 10, -5_000.1),
        recorded("w3wp.exe", 10, -5_000 + LATE / TICKS_PER_SECOND + 1),
    ]
    for other in others:
        found = process_trees([event("own", other, SERVICES), event("e", CMD, W3WP)], ["e"], NEAR)
        assert drawn(found) == ["w3wp.exe ancestor", "  cmd.exe evidence e"], other


def test_an_event_after_that_of_a_child_is_not_the_parents() -> None:
    young = process("w3wp.exe", 10, -10)
    events = [event("own", recorded("w3wp.exe", 10, 0.1)), event("e", CMD, young)]
    assert drawn(process_trees(events, ["e"], NEAR)) == ["w3wp.exe ancestor", "  cmd.exe evidence e"]
    events[0] = event("own", recorded("w3wp.exe", 10, -0.1))
    assert drawn(process_trees(events, ["e"], NEAR)) == ["w3wp.exe ancestor own", "  cmd.exe evidence e"]


def test_two_sensors_that_record_a_process_tell_of_one() -> None:
    events = [event("one", W3WP), event("two", recorded("w3wp.exe", 10, -4_999)), event("e", CMD, W3WP)]
    assert drawn(process_trees(events, ["e"], NEAR)) == ["w3wp.exe ancestor one+two", "  cmd.exe evidence e"]


def test_unique_ids_decide_where_both_are_told() -> None:
    child = Process(20, at(0), "cmd.exe", "cmd", unique_id="7")
    parent = Process(10, at(-5_000), "w3wp.exe", "w3wp.exe", unique_id="8")
    own = Process(10, at(-4_000), "w3wp.exe", "w3wp.exe", unique_id="8")
    assert (
        drawn(process_trees([event("own", own), event("e", child, parent)], ["e"], NEAR))[0] == "w3wp.exe ancestor own"
    )
    another = Process(10, at(-4_999), "w3wp.exe", "w3wp.exe", unique_id="9")
    assert (
        drawn(process_trees([event("own", another), event("e", child, parent)], ["e"], NEAR))[0] == "w3wp.exe ancestor"
    )


def test_two_events_of_one_process_are_one_node() -> None:
    found = process_trees([event("e1", CMD, W3WP), event("e2", CMD, W3WP, at=at(9))], ["e2"], NEAR)
    assert drawn(found) == ["w3wp.exe ancestor", "  cmd.exe evidence e1+e2"]
    assert [node.evidence for node in walk(found)] == [(), ("e2",)]


def test_where_events_of_one_process_differ_the_first_is_believed() -> None:
    liar = event("e2", CMD, process("liar.exe", 66, -70), process("evil.exe", 67, -80), at=at(9))
    assert drawn(process_trees([event("e1", CMD, W3WP), liar], ["e1"], NEAR)) == [
        "w3wp.exe ancestor",
        "  cmd.exe evidence e1+e2",
    ]


def caused(id_: str, one: Process, second: float, parent: Process = NOBODY) -> Event:
    """An event that is not the start of a process, such as a connection."""
    return event(id_, one, parent, at=at(second), is_start=False)


def test_an_event_of_a_running_process_is_one_of_its_events() -> None:
    events = [
        event("start", CMD, W3WP, SERVICES),
        caused("connection", CMD, 30, W3WP),
        event("child", WHOAMI, CMD, W3WP),
    ]
    for order in (events, events[::-1]):
        assert drawn(process_trees(order, ["connection"], NEAR)) == [
            "services.exe ancestor",
            "  w3wp.exe ancestor",
            "    cmd.exe evidence start+connection",
            "      whoami.exe descendant child",
        ]
    assert drawn(process_trees(events[1:2], ["connection"], NEAR)) == [
        "w3wp.exe ancestor",
        "  cmd.exe evidence connection",
    ]


def test_a_start_that_was_recorded_late_is_found_by_what_its_process_caused() -> None:
    late = process("cmd.exe", 20, 45, "cmd /c whoami")
    events = [event("start", late, W3WP, SERVICES), caused("connection", CMD, 60, W3WP)]
    assert drawn(process_trees(events, ["connection"], NEAR))[-1] == "    cmd.exe evidence start+connection"
    too_early = [event("start", late, W3WP, SERVICES), caused("connection", CMD, 30, W3WP)]
    assert [node.events for node in walk(process_trees(too_early, ["connection"], NEAR)) if node.evidence] == [
        ("connection",)
    ]


def test_an_event_of_no_process_is_in_no_tree() -> None:
    assert process_trees([caused("report", NOBODY, 0)], ["report"], NEAR) == []


def test_the_start_of_what_caused_an_event_is_looked_for() -> None:
    own = {one for one in process_lookups([caused("connection", CMD, 30, W3WP)], [], NEAR) if one.place == "own"}
    assert {one.id for one in own} == {20, 10}
    started = process_lookups([event("start", CMD, W3WP, SERVICES)], [], NEAR)
    assert {one.id for one in started} == {10, 4}


def test_who_is_his_own_ancestor_begins_a_tree() -> None:
    a, b = process("a.exe", 1, 0), process("b.exe", 2, 0)
    assert len(list(walk(process_trees([event("a", a, b), event("b", b, a)], ["a", "b"], NEAR)))) == 2
    assert drawn(process_trees([event("a", a, a)], ["a"], NEAR)) == ["a.exe evidence a"]


def test_too_many_siblings_are_counted() -> None:
    events = [event("e", CMD, W3WP)]
    events += [event(f"s{n}", process("net.exe", 100 + n, n / 10), W3WP) for n in range(MOST_CHILDREN + 3)]
    (root,) = process_trees(events, ["e"], NEAR)
    assert (len(root.children), root.more) == (MOST_CHILDREN + 1, 3)
    assert as_json(root)["more"] == 3


def chain(length: int) -> list[Event]:
    ps = [process(f"p{n}.exe", n + 1, n) for n in range(length)]
    return [event(f"e{n}", p, ps[n - 1] if n else Process()) for n, p in enumerate(ps)]


def test_a_tree_that_is_too_deep_goes_on_as_another() -> None:
    events = chain(MOST_LEVELS + 2)
    one, two = process_trees(events, [e.event_id for e in events], NEAR)
    assert (depth(one), depth(two)) == (MOST_LEVELS, 2)
    assert (one.continues, two.continues) == (False, True)


def depth(node: ProcessNode) -> int:
    return 1 + max((depth(child) for child in node.children), default=0)


def test_what_is_looked_for() -> None:
    found = process_lookups(
        [event("e", CMD, W3WP, process("?", 3, None)), event("other", WHOAMI, CMD, W3WP)], ["e"], NEAR
    )
    assert found == {
        ProcessLookup("d", "own", 10, at(-5_001), at(-5_000) + LATE),
        ProcessLookup("d", "own", 20, at(-1), at(0) + LATE),
        ProcessLookup("d", "parent", 10, at(-300), at(300)),
        ProcessLookup("d", "parent", 20, at(-300), at(300)),
        ProcessLookup("d", "grandparent", 20, at(-300), at(300)),
    }


def test_a_tree_as_json() -> None:
    (root,) = process_trees([event("e", CMD, W3WP)], ["e"], NEAR)
    assert as_json(root.children[0]) == {
        "role": "evidence",
        "file_name": "cmd.exe",
        "process_id": 20,
        "created": "2020-09-13T12:26:40.0000000Z",
        "account_name": None,
        "command_line": "cmd /c whoami",
        "device_id": "d",
        "device_name": "web01",
        "in_lake": True,
        "event_ids": ["e"],
        "evidence": ["e"],
        "continues": False,
        "children": [],
        "more": 0,
    }
    assert as_json(root)["in_lake"] is False


# Few ids and times, so that they meet: cycles, ids used again, contradicting parents.
_times = st.one_of(st.none(), st.integers(0, 4).map(lambda n: at(n * 40)))
_processes = st.builds(
    Process,
    id=st.one_of(st.none(), st.integers(0, 4)),
    created=_times,
    file_name=st.sampled_from([None, "a.exe", "A.exe", "b.exe"]),
    command_line=st.sampled_from([None, "x"]),
    unique_id=st.sampled_from([None, "0", "1"]),
)
_events = st.lists(
    st.builds(
        Event,
        event_id=st.integers(0, 99).map(str),
        at=st.integers(0, 8).map(lambda n: at(n * 40)),
        device_id=st.sampled_from(["d", "e"]),
        process=_processes,
        parent=_processes,
        grandparent=_processes,
    ),
    max_size=30,
    unique_by=lambda one: one.event_id,
)


@given(_events, st.sets(st.integers(0, 99).map(str)), st.randoms(use_true_random=False))
def test_no_event_is_lost_and_none_stands_twice(events: list[Event], evidence: set[str], random: Any) -> None:
    found = process_trees(events, evidence, NEAR)
    shown = Counter(id_ for node in walk(found) for id_ in node.events)
    there = {one.event_id for one in events}
    assert set(shown.values()) <= {1}
    assert set(shown) <= there
    assert evidence & there == {id_ for node in walk(found) for id_ in node.evidence}
    assert all(depth(root) <= MOST_LEVELS for root in found)
    mixed = list(events)
    random.shuffle(mixed)
    assert [as_json(root) for root in process_trees(mixed, evidence, NEAR)] == [as_json(root) for root in found]


@given(_events)
def test_only_what_the_events_say_is_linked(events: list[Event]) -> None:
    """A parent in the tree has the id that its child's events, or their children's, tell."""
    by_id = {one.event_id: one for one in events}
    for node in walk(process_trees(events, by_id, NEAR)):
        for child in node.children:
            told = {by_id[id_].parent.id or None for id_ in child.events}
            told |= {one.grandparent.id or None for one in events}
            assert (node.process.id or None) in told
            assert node.device_id == child.device_id


def test_ten_thousand_events_of_a_hostile_machine_take_little_time() -> None:
    one = process("a.exe", 1, 0)
    events = [event(f"e{n}", process("a.exe", 1 + n % 50, n % 7), one, one) for n in range(10_000)]
    assert sum(len(node.events) for node in walk(process_trees(events, [f"e{n}" for n in range(100)], NEAR))) >= 100

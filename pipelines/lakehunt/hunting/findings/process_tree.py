"""Processes around the events of a finding, as a tree: who started them, what they started, what else was started.

The start of a process describes three processes: the created one, its parent and its grandparent. So a tree can be
drawn even if a parent's own event is not in the lake. Any other event, such as a connection, describes two: the process
that caused it, whose event it counts as, and its parent. The system reuses process ids, so a process is identified by
its device, its id and its creation time. If one of them is unknown, two mentions are never taken for the same process.

A parent's own event may have a later creation time than its children's events say: in Defender's exports that time can
be when the sensor recorded the event, up to a minute later. Such an event is still the parent's if it has the id, file
name and command line that the child names, and lies between the parent's creation according to the child and the
child's own event: a living process keeps its id, so no other process can have had it in between.
See docs/decisions/0015-evidence-and-report.md.

Nothing here needs Spark."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lakehunt.kql import times
from lakehunt.kql.types import TICKS_PER_DAY, TICKS_PER_MINUTE, TICKS_PER_SECOND

Known = tuple[str, int, int]
"""A process that is known: its device, its id, and the ticks of its creation."""

Key = Known | tuple[str, Hashable]
"""The identity of a process: what is known of it, or the only event that mentions it."""

LATE = 5 * TICKS_PER_MINUTE
"""How long after its creation a process's own event may have been recorded."""

MOST_STEPS = 16
"""Steps up from an event, and down."""

MOST_LEVELS = 48
"""Levels of a tree; what is deeper begins a tree of its own."""

MOST_CHILDREN = 40
"""Siblings and descendants of events that are shown under one process; the others are counted."""

OWN, PARENT, GRANDPARENT = "own", "parent", "grandparent"

EVIDENCE, ANCESTOR, DESCENDANT, SIBLING = "evidence", "ancestor", "descendant", "sibling"

_FIRST_TIME = -134_773 * TICKS_PER_DAY
"""1601-01-02. Windows counts from the day before, which means that the time is unknown."""


@dataclass(frozen=True)
class Process:
    """A process as an event describes it. `created` is in ticks; unknown values are None."""

    id: int | None = None
    created: int | None = None
    file_name: str | None = None
    command_line: str | None = None
    account_name: str | None = None
    unique_id: str | None = None

    @property
    def is_described(self) -> bool:
        return bool(self.file_name) or bool(self.id)

    @property
    def has_time(self) -> bool:
        return self.created is not None and self.created >= _FIRST_TIME


@dataclass(frozen=True)
class Event:
    """An event, as far as lineage needs it: of the `process` that was started or, if it `is_start` of none, that caused
    it. `at` is its Timestamp in ticks."""

    event_id: str
    at: int
    device_id: str
    device_name: str | None = None
    process: Process = Process()
    parent: Process = Process()
    grandparent: Process = Process()
    is_start: bool = True

    @property
    def tells_of_a_process(self) -> bool:
        """False for an event of a table without processes, such as DeviceInfo."""
        return self.is_start or self.process.is_described


@dataclass
class ProcessNode:
    """A process in a tree. `events` are the ids of its own events, none where the lake does not have one; `more` counts
    the processes that are left out below it. `role` is the nearest that it has to the finding."""

    process: Process
    role: str
    device_id: str
    device_name: str | None
    at: int | None = None
    events: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    children: list[ProcessNode] = field(default_factory=list)
    more: int = 0
    continues: bool = False
    """Its parent is in another tree, which has the maximum number of levels."""


@dataclass(frozen=True)
class ProcessLookup:
    """A search for events of a device with a Timestamp from `since` to `until` (ticks, inclusive) in which a process id
    appears as the created process (`own`), its parent (`parent`) or its grandparent (`grandparent`)."""

    device_id: str
    place: str
    id: int
    since: int
    until: int


def process_lookups(events: Iterable[Event], evidence: Iterable[str], near: int) -> set[ProcessLookup]:
    """What to look up to complete the tree: the starts of all processes that these events name and, for evidence, what
    they or their parents started within `near` ticks of them."""
    chosen = set(evidence)
    found: set[ProcessLookup] = set()
    for event in events:
        named = (_known(event.device_id, process) for process in (*_told_of(event), event.grandparent))
        found |= {
            ProcessLookup(device, OWN, id_, at - TICKS_PER_SECOND, at + LATE) for device, id_, at in filter(None, named)
        }
        if event.event_id in chosen:
            found |= set(_started_near(event, near))
    return found


def _started_near(event: Event, near: int) -> Iterator[ProcessLookup]:
    span = event.at - near, event.at + near
    if (parent := _known(event.device_id, event.parent)) is not None:
        yield ProcessLookup(event.device_id, PARENT, parent[1], *span)
    if event.process.id:
        yield ProcessLookup(event.device_id, PARENT, event.process.id, *span)
        yield ProcessLookup(event.device_id, GRANDPARENT, event.process.id, *span)


def process_trees(events: Iterable[Event], evidence: Iterable[str], near: int) -> list[ProcessNode]:
    """The processes around the events of a finding: each event of the evidence that is among `events` in one node,
    its ancestors, what it started, and what its parent started within `near` ticks of it. Roots in order of time.

    Contradictory events cannot cause a cycle: a process that would be its own ancestor becomes a root."""
    return ProcessFamily(events).trees(evidence, near)


class ProcessFamily:
    """Who is whose parent, according to all events together."""

    def __init__(self, events: Iterable[Event]) -> None:
        by_id = {event.event_id: event for event in events if event.tells_of_a_process}
        in_order = sorted(by_id.values(), key=lambda event: (not event.is_start, event.at, event.event_id))
        same = _same(in_order)
        self.described: dict[Key, tuple[Process, Event]] = {}
        self.own: dict[Key, list[Event]] = defaultdict(list)
        self.key_of: dict[str, Key] = {}
        self.parent: dict[Key, Key] = {}
        for event in in_order:
            key = self.key_of[event.event_id] = _own_key(event, same)
            self.own[key].append(event)
        # A process's own event takes precedence over its children's events.
        for key, own in self.own.items():
            self.described[key] = own[0].process, own[0]
        for key, own in self.own.items():
            self._link(key, own[0].parent, own[0])
        for key, own in self.own.items():
            parent = self.parent.get(key)
            for event in own:
                if parent is not None and parent == _parent_key(event.device_id, event.parent, key):
                    self._link(parent, event.grandparent, event)
        self._break_cycles()
        self.children: dict[Key, list[Key]] = defaultdict(list)
        for key, parent in self.parent.items():
            self.children[parent].append(key)

    def _link(self, key: Key, parent: Process, event: Event) -> None:
        """The first mention of a parent counts."""
        if parent.is_described and key not in self.parent:
            self.parent[key] = _parent_key(event.device_id, parent, key)
            self.described.setdefault(self.parent[key], (parent, event))

    def _break_cycles(self) -> None:
        done: set[Key] = set()
        for start in list(self.parent):
            path: set[Key] = set()
            at = start
            while at in self.parent and at not in done:
                path.add(at)
                if self.parent[at] in path:
                    del self.parent[at]
                    break
                at = self.parent[at]
            done |= path

    def trees(self, evidence: Iterable[str], near: int) -> list[ProcessNode]:
        """See `process_trees`; `evidence` are ids of events of the family."""
        return _TreeBuilder(self, set(evidence), near).roots()

    def ancestors(self, key: Key) -> Iterator[Key]:
        for _ in range(MOST_STEPS):
            if key not in self.parent:
                return
            key = self.parent[key]
            yield key

    def descendants(self, key: Key) -> Iterator[Key]:
        level = [key]
        for _ in range(MOST_STEPS):
            level = [child for one in level for child in self.children.get(one, ())]
            yield from level

    def order(self, key: Key) -> tuple[int, int, str]:
        """Sort key: when a process was created or first mentioned, its id."""
        process, event = self.described[key]
        known = process.created if process.has_time else None
        own = self.own[key][0].at if key in self.own else None
        return min((at for at in (known, own) if at is not None), default=event.at), process.id or 0, str(key)


def _known(device: str, process: Process) -> Known | None:
    if not process.id or process.created is None or process.created < _FIRST_TIME:
        return None
    return device, process.id, process.created


def _parent_key(device: str, process: Process, child: Key) -> Key:
    """The key of a parent that an event names; if its creation is unknown, it is the parent of that child alone."""
    return _known(device, process) or ("parent of", child)


def _own_key(event: Event, same: Mapping[Known, Known]) -> Key:
    known = _known(event.device_id, event.process)
    return ("event", event.event_id) if known is None else same.get(known, known)


def _same(events: Sequence[Event]) -> dict[Known, Known]:
    """Maps a process to its identity in events that name it, if these state another creation than its own event."""
    told: dict[tuple[str, int], list[tuple[Known, Process, int]]] = defaultdict(list)
    for event in events:
        for process in _told_of(event):
            if stated := _known(event.device_id, process):
                told[stated[:2]].append((stated, process, event.at))
    same: dict[Known, Known] = {}
    for event in events:
        known = _known(event.device_id, event.process)
        about = told.get(known[:2], ()) if known else ()
        if known is None or known in same or any(stated == known for stated, _, _ in about):
            continue
        candidates = {stated for stated, process, at in about if _is_same(event.process, process, at)}
        if candidates:
            same[known] = max(candidates)  # the latest creation
    return same


def _told_of(event: Event) -> tuple[Process, ...]:
    """The processes that an event names and is not the start of, except for the grandparent."""
    return (event.parent,) if event.is_start else (event.process, event.parent)


def _is_same(own: Process, stated: Process, at: int) -> bool:
    """Whether a process, as its own event has it, is the one that another event at an instant (ticks) names, although
    its creation time differs."""
    if own.unique_id and stated.unique_id and {own.unique_id, stated.unique_id}.isdisjoint({"0"}):
        return own.unique_id == stated.unique_id
    assert own.created is not None
    assert stated.created is not None
    between = stated.created <= own.created <= min(stated.created + LATE, at)
    return between and _names(own) == _names(stated)


def _names(process: Process) -> tuple[str, str]:
    return (process.file_name or "").lower(), process.command_line or ""


class _TreeBuilder:
    """Builds the nodes around some events of a family."""

    def __init__(self, family: ProcessFamily, evidence: set[str], near: int) -> None:
        self.family, self.evidence, self.near = family, evidence, near
        self.more: dict[Key, int] = {}
        self.roles = self._roles()

    def _roles(self) -> dict[Key, str]:
        family, chosen = self.family, self.evidence
        found = list(dict.fromkeys(family.key_of[id_] for id_ in sorted(chosen) if id_ in family.key_of))
        roles: dict[Key, str] = dict.fromkeys(found, EVIDENCE)
        for key in found:
            roles = dict.fromkeys(family.ancestors(key), ANCESTOR) | roles
        for key in found:
            roles = dict.fromkeys(family.descendants(key), DESCENDANT) | roles
        for parent, moments in self._times_by_parent(found).items():
            siblings = (key for key in family.children[parent] if key not in roles and self._is_near(key, moments))
            roles |= dict.fromkeys(list(siblings), SIBLING)
        self._leave_out(roles)
        return roles

    def _leave_out(self, roles: dict[Key, str]) -> None:
        """Removes the processes beyond MOST_CHILDREN below a process, with their descendants."""
        for parent in list(roles):
            others = [key for key in self.family.children[parent] if roles.get(key) in {DESCENDANT, SIBLING}]
            others.sort(key=self.family.order)
            for key in others[MOST_CHILDREN:]:
                self.more[parent] = self.more.get(parent, 0) + 1
                for gone in (key, *self.family.descendants(key)):
                    if roles.get(gone) in {DESCENDANT, SIBLING}:
                        del roles[gone]

    def _times_by_parent(self, found: Iterable[Key]) -> dict[Key, list[int]]:
        moments: dict[Key, list[int]] = defaultdict(list)
        for key in found:
            if key in self.family.parent:
                own = (event.at for event in self.family.own[key] if event.event_id in self.evidence)
                moments[self.family.parent[key]].extend(own)
        return moments

    def _is_near(self, key: Key, moments: Iterable[int]) -> bool:
        return key in self.family.own and any(abs(self.family.own[key][0].at - at) <= self.near for at in moments)

    def roots(self) -> list[ProcessNode]:
        family = self.family
        keys = sorted(self.roles, key=family.order)
        nodes = {key: self._node(key) for key in keys}
        below: dict[Key, list[Key]] = defaultdict(list)
        roots: list[Key] = []
        for key in keys:
            parent = family.parent.get(key)
            (roots if parent not in nodes else below[parent]).append(key)
        for root in roots:  # grows during iteration: levels beyond the maximum start new trees
            level = [root]
            for _ in range(MOST_LEVELS - 1):
                for key in level:
                    nodes[key].children = [nodes[child] for child in below[key]]
                level = [child for key in level for child in below[key]]
            for deepest in level:
                for child in below[deepest]:
                    nodes[child].continues = True
                    roots.append(child)
        return [nodes[key] for key in roots]

    def _node(self, key: Key) -> ProcessNode:
        process, event = self.family.described[key]
        own = self.family.own.get(key, [])
        ids = tuple(one.event_id for one in own)
        chosen = tuple(id_ for id_ in ids if id_ in self.evidence)
        at = own[0].at if own else None
        names = event.device_id, event.device_name
        return ProcessNode(process, self.roles[key], *names, at, ids, chosen, more=self.more.get(key, 0))


def walk(nodes: Iterable[ProcessNode]) -> Iterator[ProcessNode]:
    """Every node of the trees, a parent before its children."""
    waiting = list(nodes)[::-1]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(node.children[::-1])


def as_json(node: ProcessNode) -> dict[str, Any]:
    """The tree as JSON. Times are in Kusto's format, null if unknown; `in_lake`: the lake has the process's own event;
    `more`: the number of omitted children."""
    process = node.process
    return {
        "role": node.role,
        "file_name": process.file_name,
        "process_id": process.id,
        "created": times.format_datetime(process.created) if process.has_time and process.created else None,
        "account_name": process.account_name,
        "command_line": process.command_line,
        "device_id": node.device_id,
        "device_name": node.device_name,
        "in_lake": bool(node.events),
        "event_ids": list(node.events),
        "evidence": list(node.evidence),
        "continues": node.continues,
        "children": [as_json(child) for child in node.children],
        "more": node.more,
    }

"""Files of exclusions: what is read, what is refused where, and which hunts have them."""

from __future__ import annotations

from datetime import date
from hashlib import sha256
from pathlib import Path

import pytest

from lakehunt.core.errors import LakehuntError
from lakehunt.hunting import compile_check
from lakehunt.hunting.content import exclusion_file, hunt_file
from lakehunt.hunting.query.table_catalog import EVENTS_ONLY
from lakehunt.kql.errors import QueryErrors
from tests.support.hunts import ticks
from tests.support.paths import PROJECT

ID = "0b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(("first", "second")):
        text = f"id: {ID}{number}\nname: The {name}\nquery: DeviceProcessEvents | where FileName == 'a.exe'\n"
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def write(folder: Path, text: str, name: str = "first.exclusions.yaml") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def entry(name: str = "known", where: str = "AccountName == 'backup'", **fields: str) -> str:
    told = {"name": name, "reason": "harmless", "owner": "us@example.com", **fields, "where": where}
    return "- " + "\n  ".join(f"{key}: {value}" for key, value in told.items()) + "\n"


def loaded(folder: Path) -> tuple[dict[str, list[str]], list[str]]:
    """Names of exclusions by the hunt's name, and the errors."""
    hunts, errors = hunt_file.load_folder(folder)
    return {h.name: [one.name for one in h.exclusions] for h in hunts}, [str(error) for error in errors]


def test_a_file_beside_a_hunt_is_for_that_hunt(folder: Path) -> None:
    write(folder, "exclusions:\n" + entry() + entry("other", expires="2027-01-31", enabled="false"))
    assert loaded(folder) == ({"The first": ["known", "other"], "The second": []}, [])
    known, other = hunt_file.load_folder(folder)[0][0].exclusions
    assert (known.reason, known.owner, known.expires, known.enabled) == ("harmless", "us@example.com", None, True)
    assert (other.expires, other.enabled) == (date(2027, 1, 31), False)
    assert known.columns == {"AccountName"}
    assert known.hunts == (f"{ID}0",)


def test_a_shared_file_names_its_hunts_by_id_or_name_or_all(folder: Path) -> None:
    text = "exclusions:\n" + entry("a", hunts=f"[{ID}1]") + entry("b", hunts="[the FIRST]") + entry("c", hunts="all")
    write(folder, text, "shared.exclusions.yml")
    assert loaded(folder) == ({"The first": ["b", "c"], "The second": ["a", "c"]}, [])


def test_a_hunts_own_file_stays_its_own_where_the_hunt_is_broken(folder: Path) -> None:
    """It must not be taken for a shared one that forgot to name its hunts."""
    (folder / "first.yaml").write_text("id: x\n")
    write(folder, "exclusions:\n" + entry())
    hunts, errors = loaded(folder)
    assert hunts == {"The second": []}
    assert [error for error in errors if "exclusions" in error] == []


REFUSED = {
    "name is missing": ("- reason: r\n  owner: o\n  where: 'true'\n", "2:3: an exclusion without name"),
    "reason is missing": ("- name: n\n  owner: o\n  where: 'true'\n", "2:3: an exclusion without reason"),
    "owner is empty": ("- name: n\n  reason: r\n  owner:\n  where: 'true'\n", "4:3: an exclusion without owner"),
    "name of other letters": (entry("Known One"), "2:9: name: 'Known One'"),
    "no day": (entry(expires="2027-02-30"), "5:12: expires: '2027-02-30' is not a valid date"),
    "neither true nor false": (entry(enabled="'no'"), "5:12: enabled: expected true or false"),
    "hunts beside a hunt": (entry(hunts="all"), "5:3: this file belongs to one hunt"),
    "unknown key": (entry(expire="2027-01-01"), "5:3: unknown key 'expire'"),
    "no such column": (entry(where="AccountNam == 'x'"), "5:10: where: there is no column 'AccountNam'"),
    "no condition": (entry(where="strlen(FileName)"), "5:10: where: expected a condition, found a long"),
    "more than a condition": (entry(where="'true | project FileName'"), "where: a condition ends here"),
    "now": (entry(where="Timestamp < ago(1d)"), "5:22: where: an exclusion is decided by the event alone"),
    "another query": (
        entry(where="DeviceId in (DeviceProcessEvents | project DeviceId)"),
        "where: an exclusion is decided by the event",
    ),
    "other rows": (entry(where="prev(FileName) == 'a'"), "where: 'prev' needs rows in order"),
    "no such table": (entry(table="DeviceNetworkEvent"), "5:10: table: there is no event table 'DeviceNetworkEvent'"),
    "a column of another table": (
        entry(where="ProcessCommandLine has 'x'", table="DeviceNetworkEvents"),
        "6:10: where: there is no column 'ProcessCommandLine'",
    ),
    "no list": ("  known: true\n", "expected a list under `exclusions`"),
}


@pytest.mark.parametrize(("text", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_is_said_at_its_place(folder: Path, text: str, said: str) -> None:
    file = write(folder, "exclusions:\n" + text)
    hunts, errors = loaded(folder)
    assert hunts["The first"] == []
    assert len(errors) == 1
    assert errors[0].startswith(f"{file}:")
    assert said in errors[0]


def test_the_others_of_a_file_are_used(folder: Path) -> None:
    write(folder, "exclusions:\n" + entry("broken", where="Nope == 1") + entry("fine"))
    hunts, errors = loaded(folder)
    assert hunts["The first"] == ["fine"]
    assert len(errors) == 1


def test_a_name_stands_for_one_exclusion_in_the_whole_folder(folder: Path) -> None:
    write(folder, "exclusions:\n" + entry("known"))
    write(folder, "exclusions:\n" + entry("known"), "second.exclusions.yaml")
    hunts, (error,) = loaded(folder)
    assert hunts == {"The first": ["known"], "The second": []}
    assert "the name known is taken" in error
    assert "first.exclusions.yaml:2" in error


def test_a_hunt_that_does_not_exist_is_named_with_what_is_near(folder: Path) -> None:
    write(folder, "exclusions:\n" + entry(hunts="[The secnd]"), "shared.exclusions.yaml")
    with pytest.raises(LakehuntError) as refused:
        raise hunt_file.load_folder(folder)[1][0]
    assert "there is no hunt 'The secnd'" in refused.value.message
    assert refused.value.hint == "did you mean 'The second'?"


def test_a_condition_on_another_event_table(folder: Path) -> None:
    write(folder, "exclusions:\n" + entry(where="RemotePort == 53", table="DeviceNetworkEvents") + entry("other"))
    hunts, errors = hunt_file.load_folder(folder)
    network, process = hunts[0].exclusions
    assert errors == []
    assert (network.table, network.columns) == ("DeviceNetworkEvents", {"RemotePort"})
    assert process.table == "DeviceProcessEvents"


def test_the_same_condition_on_another_table_is_another_version() -> None:
    def version(table: str) -> str:
        where = "DeviceName == 'a'"
        bound = exclusion_file.condition(where, table)
        return exclusion_file.Exclusion("n", where, table=table, condition=bound).version

    # sha256 of the condition's text alone, as in lakes from before there were other tables
    assert version("DeviceProcessEvents") == sha256(b"DeviceName == 'a'").hexdigest()[:16]
    assert version("DeviceNetworkEvents") != version("DeviceProcessEvents")
    assert version("DeviceNetworkEvents") != version("DeviceFileEvents")


def test_the_last_day_counts_to_its_end() -> None:
    one = exclusion_file.Exclusion("n", "w", expires=date(2027, 1, 31), condition=exclusion_file.condition("true"))
    assert one.state(ticks("2027-01-31T23:59:59Z")) == "on"
    assert one.state(ticks("2027-02-01T00:00:00Z")) == "on"  # the as-of that looks back on the last day
    assert one.state(ticks("2027-02-01T00:00:00.0000001Z")) == "expired"


def test_a_hunts_version_changes_with_what_its_exclusions_look_at_only(folder: Path) -> None:
    """Its hits need the columns; the condition itself is asked when the hunt runs."""

    def digest(text: str) -> str:
        write(folder, "exclusions:\n" + text)
        return hunt_file.load_folder(folder)[0][0].digest

    plain = digest(entry())
    assert digest(entry(where="AccountName == 'other' or DeviceId == 'd'")) == plain  # hits have these anyway
    assert digest(entry(where="FolderPath has 'a'", enabled="false")) == plain
    reads = digest(entry(where="FolderPath has 'a'"))
    assert reads != plain
    assert digest(entry(where="FolderPath has 'b'", expires="2020-01-01")) == reads


def test_an_exclusions_version_is_of_its_condition() -> None:
    def version(where: str) -> str:
        return exclusion_file.Exclusion("n", where, condition=exclusion_file.condition("true")).version

    assert version("FileName == 'a'\n") == version("FileName == 'a'") != version("FileName == 'b'")


def test_a_condition_is_one_scalar() -> None:
    with pytest.raises(QueryErrors):
        exclusion_file.condition("")
    with pytest.raises(QueryErrors):
        exclusion_file.condition("FileName == 'a'; FileName == 'b'")


def test_check_tells_of_files_of_exclusions(folder: Path) -> None:
    good = write(folder, "exclusions:\n" + entry())
    bad = write(folder, "exclusions:\n" + entry("x", where="Nope == 1"), "second.exclusions.yaml")
    of_folder = {one.file: one for one in compile_check.check_files([folder], EVENTS_ONLY)}
    assert [one.name for one in of_folder[good].exclusions or ()] == ["known"]
    assert of_folder[bad].problems[0].start == (5, 10)
    hunt = of_folder[folder / "first.yaml"].hunt
    assert hunt is not None
    assert [one.name for one in hunt.exclusions] == ["known"]
    alone = compile_check.check_files([folder / "first.yaml"], EVENTS_ONLY)
    assert [one.file for one in alone] == [folder / "first.yaml", good]


SEEDS = {
    "detect-suspicious-commands-initiated-by-web-server-processes": {
        "web-maintenance-scripts",
        "web-data-processing-tools",
        "web-backup-jobs",
    },
    "Webserver Executing Suspicious Applications": {
        "scheduled-maintenance-powershell",
        "log-rotation-powershell",
        "admin-powershell-remoting",
        "legacy-wscript-batch",
        "internal-net-commands",
    },
}
"""Every false positive that the documentation of the two hunts describes (one breaks off in the middle of its name)."""


def test_the_seed_hunts_have_theirs_switched_off() -> None:
    hunts, errors = hunt_file.load_folder(PROJECT / "hunts")
    assert errors == []
    assert {h.name: {one.name for one in h.exclusions} for h in hunts} == SEEDS
    assert not any(one.enabled for h in hunts for one in h.exclusions)


def test_the_variant_with_databases_compiles() -> None:
    (one,) = compile_check.check_files([PROJECT / "variants"], EVENTS_ONLY)
    assert one.ok
    assert one.id not in {h.id for h in hunt_file.load_folder(PROJECT / "hunts")[0]}

"""Writes the ids and names of MITRE ATT&CK for Enterprise from MITRE's STIX data.

    python -m scripts.attack enterprise-attack-19.2.json

The file is one of https://github.com/mitre-attack/attack-stix-data (enterprise-attack/). Names that tactics have lost
since the last version stay readable: they are taken over from the file that is replaced."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lakehunt.core import atomic_write, strict_yaml

FILE = Path(__file__).resolve().parents[1] / "pipelines" / "lakehunt" / "hunting" / "content" / "attack.yaml"

HEADER = """\
# Ids and names of MITRE ATT&CK® for Enterprise, version {version}: the tactics in the order of the matrix and the names
# that they had before, the techniques and sub-techniques (also those that are deprecated), and the successors of ids
# that were revoked. Written by scripts/attack.py from MITRE's STIX data
# (https://github.com/mitre-attack/attack-stix-data){via}.
#
# © {year} The MITRE Corporation. This work is reproduced and distributed with the permission of The MITRE Corporation.
# The MITRE Corporation (MITRE) hereby grants you a non-exclusive, royalty-free license to use ATT&CK® for research,
# development, and commercial purposes. Any copy you make for such purposes is authorized provided that you reproduce
# MITRE's copyright designation and this license in any such copy.
# Terms of use: https://attack.mitre.org/resources/legal-and-branding/terms-of-use/

"""

Object = Mapping[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, help="STIX bundle of ATT&CK for Enterprise, in JSON")
    parser.add_argument("--via", default="", help="for the header: where the bundle is from, if not from MITRE itself")
    parser.add_argument("--file", type=Path, default=FILE, help="file to write")
    arguments = parser.parse_args()
    objects = json.loads(arguments.bundle.read_text("utf-8"))["objects"]
    before = strict_yaml.load_file(arguments.file) if arguments.file.is_file() else None
    atomic_write.write(arguments.file, text_of(objects, before, arguments.via).encode())


def text_of(objects: Sequence[Object], before: strict_yaml.Mapping | None = None, via: str = "") -> str:
    """The file for a bundle's objects. `before` is the file of an older version."""
    (collection,) = _of_type(objects, "x-mitre-collection")
    tactics = _tactics(objects)
    sections = {
        "tactics": tactics,
        "former_tactic_names": _former_names(tactics, before),
        "techniques": _techniques(objects),
        "revoked": _successors(objects),
    }
    version, year = collection["x_mitre_version"], collection["modified"][:4]
    lines = [HEADER.format(version=version, year=year, via=f"\n# {via}" if via else ""), f'version: "{version}"\n']
    for name, entries in sections.items():
        lines.append(f"\n{name}:{'' if entries else ' {}'}\n")
        lines += [f"  {_scalar(key)}: {_scalar(value)}\n" for key, value in entries.items()]
    return "".join(lines)


def _of_type(objects: Sequence[Object], kind: str) -> Iterator[Object]:
    return (one for one in objects if one["type"] == kind)


def _id(one: Object) -> str:
    """ATT&CK's id of an object, such as T1059.001."""
    return next(
        str(ref["external_id"]) for ref in one["external_references"] if ref.get("source_name") == "mitre-attack"
    )


def _tactics(objects: Sequence[Object]) -> dict[str, str]:
    by_reference = {one["id"]: one for one in _of_type(objects, "x-mitre-tactic")}
    (matrix,) = (one for one in _of_type(objects, "x-mitre-matrix") if not one.get("revoked"))
    return {_id(by_reference[ref]): by_reference[ref]["name"] for ref in matrix["tactic_refs"]}


def _former_names(tactics: Mapping[str, str], before: strict_yaml.Mapping | None) -> dict[str, str]:
    if before is None:
        return {}
    known = _texts(before, "former_tactic_names")
    known |= {name: id_ for id_, name in _texts(before, "tactics").items()}
    return {name: id_ for name, id_ in sorted(known.items()) if id_ in tactics and name not in tactics.values()}


def _texts(document: strict_yaml.Mapping, key: str) -> dict[str, str]:
    section = document.get(key)
    return {name: section.text(name) for name in section} if isinstance(section, strict_yaml.Mapping) else {}


def _techniques(objects: Sequence[Object]) -> dict[str, str]:
    found = {_id(one): one["name"] for one in _of_type(objects, "attack-pattern") if not one.get("revoked")}
    return dict(sorted(found.items()))


def _successors(objects: Sequence[Object]) -> dict[str, str]:
    """The technique that took the place of each revoked one, at last."""
    by_reference = {one["id"]: one for one in _of_type(objects, "attack-pattern")}
    revoked_by = {
        one["source_ref"]: one["target_ref"]
        for one in _of_type(objects, "relationship")
        if one["relationship_type"] == "revoked-by" and {one["source_ref"], one["target_ref"]} <= by_reference.keys()
    }
    found = {}
    for reference, one in by_reference.items():
        last, seen = reference, set[str]()
        while last in revoked_by and last not in seen:
            seen.add(last)
            last = revoked_by[last]
        if one.get("revoked") and not by_reference[last].get("revoked"):
            found[_id(one)] = _id(by_reference[last])
    current = _techniques(objects)
    return {id_: successor for id_, successor in sorted(found.items()) if id_ not in current}


def _scalar(text: str) -> str:
    """The text as it is, if YAML reads it so, else in quotes."""
    try:
        plain = strict_yaml.load(f"{text}: {text}\n") == {text: text}
    except strict_yaml.YamlError:
        plain = False
    return text if plain else json.dumps(text, ensure_ascii=False)


if __name__ == "__main__":
    main()

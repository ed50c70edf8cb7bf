"""Adds the jars that Lakehunt runs to a list of its Python packages, in CycloneDX's JSON, which cyclonedx-py wrote:
python -m scripts.sbom BOM FOLDER...

PySpark brings most jars; the folders have the others, as `make jars` gathers them. A jar says in pom.properties which
artifact of Maven it is, and which others were packed into it; Spark's resolver puts the group before the name of the
file. The rest is in a table here. A jar that none of these knows is listed by its file and digest alone.

Beside the list, it writes the artifacts of Maven as a lock file of Gradle: osv-scanner 2.5 does not read the group of a
component in CycloneDX, and without its group no artifact is found in a database.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import lakehunt
from lakehunt.runtime import jvm_cache

_POM = re.compile(r"META-INF/maven/[^/]+/[^/]+/pom\.properties")
_FILE = re.compile(
    r"(?:(?P<group>[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)+)_)?(?P<name>.+?)-(?P<version>\d[\w.]*(?:-\d+)?)(?:-.*)?"
)
_LINE = re.compile(r"^(groupId|artifactId|version)=(.+?)\s*$", re.MULTILINE)

Artifact = tuple[str, str, str]
"""Group, name and version."""


_GROUPS = {
    name: group
    for group, names in {
        "com.fasterxml.jackson.module": "jackson-module-scala_2.13",
        "com.github.luben": "zstd-jni",
        "com.google.code.findbugs": "jsr305",
        "com.google.crypto.tink": "tink",
        "com.twitter": "chill-java chill_2.13",
        "javax.jdo": "jdo-api",
        "javax.transaction": "jta transaction-api",
        "net.sourceforge.f2j": "arpack_combined_all",
        "org.apache.derby": "derby derbyshared derbytools",
        "org.apache.hadoop": "hadoop-client-runtime",
        "org.apache.ivy": "ivy",
        "org.apache.thrift": "libfb303 libthrift",
        "org.json4s": "json4s-ast_2.13 json4s-core_2.13 json4s-jackson-core_2.13 json4s-jackson_2.13"
        " json4s-scalap_2.13",
        "org.lz4": "lz4-java",
        "org.objenesis": "objenesis",
        "org.roaringbitmap": "RoaringBitmap",
        "org.rocksdb": "rocksdbjni",
        "org.scala-lang": "scala-compiler scala-library scala-reflect",
        "org.scala-lang.modules": "scala-parallel-collections_2.13 scala-parser-combinators_2.13 scala-xml_2.13",
        "org.scalanlp": "breeze-macros_2.13 breeze_2.13",
        "org.tukaani": "xz",
        "org.typelevel": "algebra_2.13 cats-kernel_2.13 spire-macros_2.13 spire-platform_2.13 spire-util_2.13"
        " spire_2.13",
        "org.xerial.snappy": "snappy-java",
        "oro": "oro",
        "stax": "stax-api",
    }.items()
    for name in names.split()
}
"""Groups of PySpark's jars that do not say it themselves, by name."""


def component(jar: Path) -> dict[str, Any]:
    """A jar, with the artifacts that were packed into it."""
    digest = hashlib.sha256(jar.read_bytes()).hexdigest()
    artifacts = _artifacts(jar)
    own = _own(jar, artifacts)
    made: dict[str, Any] = _described(own) if own else {"type": "file", "name": jar.name}
    made["bom-ref"] = f"{jar.name}@{digest[:16]}"
    made["hashes"] = [{"alg": "SHA-256", "content": digest}]
    if inner := [_described(one) for one in artifacts if one != own]:
        made["components"] = [{**one, "bom-ref": f"{made['bom-ref']}/{one['purl']}"} for one in inner]
    return made


def _own(jar: Path, artifacts: list[Artifact]) -> Artifact | None:
    said = [
        one for one in artifacts if f"{jar.stem}-".startswith((f"{one[1]}-{one[2]}-", f"{one[0]}_{one[1]}-{one[2]}-"))
    ]
    if said:
        return said[0]
    if file := _FILE.fullmatch(jar.stem):
        group, name, version = file["group"], file["name"], file["version"]
        if group := group or _GROUPS.get(name):
            return (group, name, version)
    return None


def _described(artifact: Artifact) -> dict[str, Any]:
    group, name, version = artifact
    purl = f"pkg:maven/{group}/{name}@{version}"
    return {"type": "library", "group": group, "name": name, "version": version, "purl": purl}


def _artifacts(jar: Path) -> list[Artifact]:
    with zipfile.ZipFile(jar) as archive:
        texts = [archive.read(name).decode() for name in archive.namelist() if _POM.fullmatch(name)]
    poms = [dict(_LINE.findall(text)) for text in texts]
    return sorted({(pom["groupId"], pom["artifactId"], pom["version"]) for pom in poms if len(pom) == 3})


def complete(bom: dict[str, Any], folders: Iterable[Path]) -> dict[str, Any]:
    """The list with all jars of these folders."""
    bom["metadata"]["component"]["version"] = lakehunt.__version__
    for package in bom["components"]:
        package.pop("description", None)  # the line of the lock file, with the hashes of all platforms
    jars = {jar.name: component(jar) for folder in folders for jar in sorted(folder.glob("*.jar"))}
    bom["components"] += jars.values()
    return bom


def artifacts(components: Iterable[dict[str, Any]]) -> set[str]:
    """The artifacts of Maven among these components and within them: group:name:version."""
    found: set[str] = set()
    for one in components:
        if one.get("purl", "").startswith("pkg:maven/"):
            found.add(f"{one['group']}:{one['name']}:{one['version']}")
        found |= artifacts(one.get("components", ()))
    return found


def main(arguments: list[str]) -> int:
    """Completes the file in place."""
    if not arguments or (missing := [folder for folder in arguments[1:] if not Path(folder).is_dir()]):
        hint = (
            f"there is no folder {missing[0]}: `make jars` makes it"
            if arguments
            else "usage: scripts.sbom BOM FOLDER..."
        )
        print(hint, file=sys.stderr)
        return 2
    file = Path(arguments[0])
    bom = complete(json.loads(file.read_text("utf-8")), [jvm_cache.spark_jars(), *map(Path, arguments[1:])])
    file.write_text(json.dumps(bom, indent=2) + "\n", encoding="utf-8")
    locked = "".join(f"{artifact}=runtimeClasspath\n" for artifact in sorted(artifacts(bom["components"])))
    file.with_name("gradle.lockfile").write_text(locked, encoding="utf-8")
    unknown = sum(one["type"] == "file" for one in bom["components"])
    print(f"{file}: {len(bom['components'])} packages and jars; {unknown} jars do not say what they are")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

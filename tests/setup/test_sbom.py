"""The list of packages and jars that `make sbom` writes."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

import lakehunt
from lakehunt.runtime import jvm_cache
from scripts import sbom


def jar(folder: Path, name: str, *artifacts: str) -> Path:
    file = folder / name
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("A.class", b"")
        for artifact in artifacts:
            group, name, version = artifact.split(":")
            text = f"#made by hand\r\nversion={version}\r\ngroupId={group}\r\nartifactId={name}\r\n"
            archive.writestr(f"META-INF/maven/{group}/{name}/pom.properties", text)
    return file


@pytest.mark.parametrize("name", ["store-1.2.jar", "org.example_store-1.2.jar"])
def test_a_jar_is_an_artifact_and_has_others_within(tmp_path: Path, name: str) -> None:
    file = jar(tmp_path, name, "org.example:store:1.2", "org.other:packed:3")
    made = sbom.component(file)
    assert (made["type"], made["purl"]) == ("library", "pkg:maven/org.example/store@1.2")
    assert made["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(file.read_bytes()).hexdigest()}]
    assert [inner["purl"] for inner in made["components"]] == ["pkg:maven/org.other/packed@3"]


@pytest.mark.parametrize(
    ("name", "purl"),
    [
        ("org.example_big-store_2.13-1.2.jar", "pkg:maven/org.example/big-store_2.13@1.2"),
        ("lz4-java-1.8.0.jar", "pkg:maven/org.lz4/lz4-java@1.8.0"),
        ("zstd-jni-1.5.7-6.jar", "pkg:maven/com.github.luben/zstd-jni@1.5.7-6"),
    ],
)
def test_a_jar_that_its_file_or_the_table_names(tmp_path: Path, name: str, purl: str) -> None:
    assert sbom.component(jar(tmp_path, name))["purl"] == purl


def test_a_part_for_one_platform(tmp_path: Path) -> None:
    made = sbom.component(jar(tmp_path, "native-4.2.7.Final-linux-x86_64.jar", "io.net:native:4.2.7.Final"))
    assert (made["purl"], "components" in made) == ("pkg:maven/io.net/native@4.2.7.Final", False)


def test_a_jar_that_does_not_say_what_it_is(tmp_path: Path) -> None:
    made = sbom.component(jar(tmp_path, "thing-1.jar"))
    assert (made["type"], made["name"], "purl" in made) == ("file", "thing-1.jar", False)


def test_the_list_has_packages_sparks_jars_and_those_of_folders(tmp_path: Path) -> None:
    jar(tmp_path, "store-1.2.jar", "org.example:store:1.2")
    package = {"name": "attrs", "description": "requirements line 4", "purl": "pkg:pypi/attrs@26.1.0"}
    made = sbom.complete(
        {"metadata": {"component": {"name": "lakehunt"}}, "components": [package]}, [jvm_cache.spark_jars(), tmp_path]
    )
    assert made["metadata"]["component"]["version"] == lakehunt.__version__
    assert made["components"][0] == {"name": "attrs", "purl": "pkg:pypi/attrs@26.1.0"}
    purls = {one.get("purl") for one in made["components"]}
    assert {"pkg:maven/org.example/store@1.2", "pkg:maven/org.apache.spark/spark-core_2.13@4.1.4"} <= purls
    assert [one["name"] for one in made["components"] if one.get("type") == "file"] == [], (
        "name its group in scripts/sbom.py"
    )
    assert len(made["components"]) == 2 + len(list(jvm_cache.spark_jars().glob("*.jar")))
    references = [one["bom-ref"] for one in made["components"] if "bom-ref" in one]
    assert len(set(references)) == len(references)


def test_what_is_looked_up_of_jars(tmp_path: Path) -> None:
    made = [
        {"name": "attrs", "version": "26.1.0", "purl": "pkg:pypi/attrs@26.1.0"},
        sbom.component(jar(tmp_path, "store-1.2.jar", "org.example:store:1.2", "org.other:packed:3")),
        sbom.component(jar(tmp_path, "thing-1.jar")),
    ]
    assert sbom.artifacts(made) == {"org.example:store:1.2", "org.other:packed:3"}


def test_a_folder_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sbom.main([str(tmp_path / "bom.json"), str(tmp_path / "jars")]) == 2
    assert "make jars" in capsys.readouterr().err

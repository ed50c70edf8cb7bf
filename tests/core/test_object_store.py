"""One section says for Spark, delta-rs and Arrow where S3 is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lakehunt import config
from lakehunt.core import object_store
from lakehunt.core.errors import LakehuntError
from lakehunt.core.object_store import ObjectStore

MINIO = ObjectStore("http://minio.example:9000")
OF_EACH = {"AWS_CONDITIONAL_PUT": "etag"}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ("s3://bucket/a b", "s3a://bucket/a b"),
        ("s3a://bucket", "s3a://bucket"),
        ("S3N://bucket/x", "s3a://bucket/x"),
        ("abfss://a@b.example/s3://x", "abfss://a@b.example/s3://x"),
        ("/data/s3:/x", "/data/s3:/x"),
        ("file:/s3", "file:/s3"),
    ],
)
def test_one_spelling(given: str, place: str) -> None:
    assert object_store.one_spelling(given) == place


def test_amazons_own_store_needs_no_setting() -> None:
    store = ObjectStore()
    spark = store.spark_settings()
    assert [*spark] == ["spark.hadoop.fs.s3a.aws.credentials.provider"]
    assert store.delta_options() == OF_EACH | {"AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true"}
    assert store.name == "Amazon S3"


def test_a_store_of_ones_own() -> None:
    spark = {key.removeprefix("spark.hadoop.fs.s3a."): value for key, value in MINIO.spark_settings().items()}
    del spark["aws.credentials.provider"]
    assert spark == {
        "endpoint": "http://minio.example:9000",
        "endpoint.region": "us-east-1",
        "path.style.access": "true",
    }
    assert MINIO.delta_options() == OF_EACH | {
        "AWS_ALLOW_HTTP": "true",
        "AWS_ENDPOINT_URL": "http://minio.example:9000",
        "AWS_REGION": "us-east-1",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false",
    }


def test_delta_rs_is_made_to_look_at_profiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_REGION", "")
    monkeypatch.delenv("AWS_REGION")  # which is undone afterwards
    assert MINIO.delta_options()["AWS_FORCE_CREDENTIAL_LOAD"] == "true"
    assert os.environ["AWS_REGION"] == "us-east-1"


def test_the_environment_is_asked_where_the_section_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://all.example")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://s3.example")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    assert ObjectStore().with_environment() == ObjectStore("https://s3.example", "eu-north-1", True)
    own = ObjectStore("https://own.example", "eu-west-1", False)
    assert own.with_environment() == own


def test_settings_of_sparks_own_leave_s3_to_spark() -> None:
    assert not object_store.is_sparks({"spark.master": "local"})
    assert object_store.is_sparks({"spark.hadoop.fs.s3a.access.key": "x"})
    ours = {"spark.master": "local"} | MINIO.spark_settings()
    assert MINIO.is_known_to(ours)
    assert not MINIO.is_known_to({})
    assert not MINIO.is_known_to(ours | {"spark.hadoop.fs.s3a.access.key": "x"})
    assert not MINIO.is_known_to(ours | {"spark.hadoop.fs.s3a.endpoint": "http://other.example"})


def test_the_section_is_read(tmp_path: Path) -> None:
    file = tmp_path / "lakehunt.yaml"
    file.write_text(
        "lake: s3://lakes/one\nobject_store: {endpoint: https://minio.example:9000, region: here, path_style: false}\n"
    )
    found = config.load(str(file))
    assert found.object_store == ObjectStore("https://minio.example:9000", "here", False)
    assert found.lake == "s3a://lakes/one"
    assert found.needs_s3
    assert found.with_lake("s3://lakes/two").lake == "s3a://lakes/two"
    assert not found.with_lake("/data/lake").needs_s3


def test_a_registered_table_in_s3_needs_s3(tmp_path: Path) -> None:
    file = tmp_path / "lakehunt.yaml"
    file.write_text("tables: {Mail: {path: s3://lakes/mail, columns: {Subject: string}}}\n")
    found = config.load(str(file))
    assert found.tables["Mail"].path == "s3a://lakes/mail"
    assert found.needs_s3


@pytest.mark.parametrize(
    ("section", "why"),
    [
        ("{host: x}", "object_store: unknown key 'host'"),
        ("{endpoint: minio.example}", "object_store: endpoint is not the address of a store"),
        ("{endpoint: 'https://key:secret@minio.example'}", "object_store: endpoint is not the address of a store"),
        ("{region: 1}", "object_store: region is 1"),
        ("{path_style: 'yes please'}", "object_store: path_style is 'yes please'"),
        ("s3", "object_store: expected a mapping of endpoint, region, path_style"),
    ],
)
def test_what_is_no_section(tmp_path: Path, section: str, why: str) -> None:
    file = tmp_path / "lakehunt.yaml"
    file.write_text(f"object_store: {section}\n")
    with pytest.raises(LakehuntError) as error:
        config.load(str(file))
    assert why in error.value.message
    assert f"{file}:1" in error.value.message


def test_no_error_shows_the_secrets_of_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-Secret/with+signs")
    monkeypatch.chdir(tmp_path)
    config.load()
    shown = str(LakehuntError("it was a-Secret/with+signs and a-Secret%2Fwith%2Bsigns"))
    assert "ecret" not in shown

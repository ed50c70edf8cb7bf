"""Where a lake or a source in S3 is, said once for all that reach it: Spark (through Hadoop's S3A), delta-rs and Arrow.

object_store:
  endpoint: https://minio.example:9000   # default: $AWS_ENDPOINT_URL_S3, $AWS_ENDPOINT_URL, or else Amazon's
  region: eu-central-1                   # default: $AWS_REGION, $AWS_DEFAULT_REGION, or else what a profile says
  path_style: true                       # the bucket is in the path, not in the host; default: if there is an endpoint

Credentials are no setting: all of them look for these as Amazon's tools do, in the environment (AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN), in the profile that AWS_PROFILE names, and at the role of a machine."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lakehunt.core import credentials, strict_yaml
from lakehunt.core.errors import LakehuntError

if TYPE_CHECKING:
    import pyarrow.fs

KEYS = ("endpoint", "region", "path_style")

_SCHEME = "s3a://"
_SPELLINGS = re.compile(r"s3n?:/+|s3a:/+", re.IGNORECASE)
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_OF_SPARK = "spark.hadoop.fs.s3a."
_PROVIDERS = (
    "org.apache.hadoop.fs.s3a.TemporaryAWSCredentialsProvider",  # of Hadoop's own settings, where these have keys
    "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
    "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider",
)
_ENDPOINT = re.compile(r"https?://[A-Za-z0-9.:\[\]_-]+/?")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m|↳")
_CONNECTING = 5
"""Seconds in which a store has to answer a connection."""

_CREDENTIALS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE (docs/how-to/object-stores.md)"
_PLACE = "see object_store in the configuration (docs/how-to/object-stores.md)"


def one_spelling(place: str) -> str:
    """A place in S3 as Hadoop and the ledgers have it: `s3a://bucket/key`, also where it was given as `s3://`."""
    return _SPELLINGS.sub(_SCHEME, place, count=1) if _SPELLINGS.match(place) else place


def is_s3(place: str) -> bool:
    """Whether a place, in this spelling, is in S3."""
    return place.startswith(_SCHEME)


def key_of(place: str) -> str:
    """`bucket/key` of a place in S3, which Arrow calls a path."""
    return place.removeprefix(_SCHEME).rstrip("/")


def has_no_folders(files: pyarrow.fs.FileSystem) -> bool:
    """Whether objects appear whole and without folders, in one of Arrow's file systems."""
    return bool(getattr(files, "base_fs", files).type_name == "s3")


@dataclass(frozen=True)
class ObjectStore:
    """The section of the configuration."""

    endpoint: str | None = None
    region: str | None = None
    path_style: bool | None = None

    def with_environment(self) -> ObjectStore:
        """With what the environment says where the configuration says nothing."""
        endpoint = self.endpoint or _first(_ENDPOINTS)
        region = self.region or _first(_REGIONS) or ("us-east-1" if endpoint else None)
        return ObjectStore(endpoint, region, bool(endpoint) if self.path_style is None else self.path_style)

    def spark_settings(self) -> dict[str, str]:
        """For Hadoop's S3A."""
        own = self.with_environment()
        found = {"aws.credentials.provider": ",".join(_PROVIDERS)}
        if own.path_style:
            found["path.style.access"] = "true"
        if own.endpoint:
            found["endpoint"] = own.endpoint
        if own.region:
            found["endpoint.region"] = own.region
        return {f"{_OF_SPARK}{name}": value for name, value in found.items()}

    def is_known_to(self, spark: Mapping[str, str]) -> bool:
        """Whether a session with these settings reaches S3 as everything else does, and not in a way of its own."""
        return {name: value for name, value in spark.items() if name.startswith(_OF_SPARK)} == self.spark_settings()

    def delta_options(self) -> dict[str, str]:
        """For delta-rs."""
        own = self.with_environment()
        found = {
            "AWS_CONDITIONAL_PUT": "etag",
            "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": str(not own.path_style).lower(),
        }
        if own.endpoint:
            found |= {"AWS_ENDPOINT_URL": own.endpoint}
            if own.endpoint.startswith("http://"):
                found["AWS_ALLOW_HTTP"] = "true"
        if own.region:
            found["AWS_REGION"] = own.region
        if not os.environ.get("AWS_ACCESS_KEY_ID"):
            # Else it does not look at profiles, if there is an endpoint (findings/deltalake-profile.sh). It then also
            # looks for a region where Amazon's tools do, and warns if there is none.
            found["AWS_FORCE_CREDENTIAL_LOAD"] = "true"
            if own.region:
                os.environ.setdefault("AWS_REGION", own.region)
        return found

    def filesystem(self) -> pyarrow.fs.FileSystem:
        """For Arrow: its paths are `bucket/key`."""
        import pyarrow.fs  # noqa: PLC0415 (only here)

        own = self.with_environment()
        split = urlsplit(own.endpoint or "")
        options = {"region": own.region} if own.region else {}
        if own.endpoint:
            options |= {"endpoint_override": split.netloc, "scheme": split.scheme}
        return pyarrow.fs.S3FileSystem(
            **options, force_virtual_addressing=not own.path_style, connect_timeout=_CONNECTING
        )

    @property
    def name(self) -> str:
        """How errors call it."""
        return self.with_environment().endpoint or "Amazon S3"


def _first(names: Iterable[str]) -> str | None:
    return next((os.environ[name] for name in names if os.environ.get(name)), None)


def hide_secrets() -> None:
    """No error shows the credentials of the environment."""
    credentials.hide(os.environ[name] for name in _SECRETS if os.environ.get(name))


def is_sparks(spark: Mapping[str, str]) -> bool:
    """Whether Spark's own settings say how S3 is reached, so that only Spark may be able to."""
    return any(name.startswith(_OF_SPARK) for name in spark)


def read(value: object, base: Path) -> ObjectStore:
    """Reads the section of the configuration.

    Raises TypeError if it is not a mapping, YamlError with the line of an invalid entry."""
    if not isinstance(value, strict_yaml.Mapping):
        raise TypeError(f"expected a mapping of {', '.join(KEYS)}")
    for key, entry in value.items():
        if key not in KEYS:
            raise value.error(key, f"object_store: unknown key {key!r}", f"known keys: {', '.join(KEYS)}")
        if key == "endpoint" and not (isinstance(entry, str) and _ENDPOINT.fullmatch(entry)):
            hint = "write it as https://host or http://host:port"
            raise value.error(key, "object_store: endpoint is not the address of a store", hint)
        if key == "region" and not (isinstance(entry, str) and entry):
            raise value.error(key, f"object_store: region is {entry!r}", "write a name such as eu-central-1")
        if key == "path_style" and not isinstance(entry, bool):
            raise value.error(key, f"object_store: path_style is {entry!r}", "write true or false")
    return ObjectStore(**value)  # type: ignore[arg-type]


def check(place: str, what: str, store: ObjectStore) -> None:
    """Raises LakehuntError, in one line, unless the bucket of a place is there and may be read. `what` says what the
    place is: `the lake`."""
    bucket = key_of(place).partition("/")[0]
    try:
        files = store.filesystem()
        found = files.get_file_info([key_of(place)])[0]
        if found.type.name == "NotFound" and files.get_file_info([bucket])[0].type.name == "NotFound":
            raise LakehuntError(f"{what} {place}: {store.name} has no bucket {bucket}", _PLACE)
    except OSError as error:
        raise failure(f"{what} {place} cannot be read", store, error) from error


def failure(what: str, store: ObjectStore, error: Exception) -> LakehuntError:
    """An error of a store, in one line: what failed, where and why."""
    text = in_one_line(error)
    return LakehuntError(f"{what}: {_why(text, store)}", _hint(text))


def in_one_line(error: Exception) -> str:
    """An error of Arrow or delta-rs, which may have several lines with colours. Credentials are redacted."""
    return credentials.redacted(" ".join(_COLOURS.sub("", str(error)).split()))


def _why(text: str, store: ObjectStore) -> str:
    if "NETWORK_CONNECTION" in text:
        return f"no answer from {store.name} ({text.rpartition('; Details: ')[2]})"
    if _refused(text):
        return f"{store.name} refuses the credentials, or what they may do"
    return f"{store.name} answers: {text}"


def _refused(text: str) -> bool:
    return any(mark in text for mark in ("ACCESS_DENIED", "INVALID_ACCESS_KEY_ID", "SIGNATURE_DOES_NOT_MATCH"))


def _hint(text: str) -> str:
    return _CREDENTIALS if _refused(text) else _PLACE

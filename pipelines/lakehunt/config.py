"""The configuration: one YAML file, every key optional, overridden by the command line.

    lake: /data/lake            # a folder, or s3://, abfss://, gs://
    source: /data/blobs         # default source: folder, glob or file of Streaming API blobs
    hunts: hunts                # folder of hunting-query YAML files
    expectations: expectations  # folder of Great Expectations suites
    tables:                     # other Delta tables that hunts can query: see lakehunt.schemas.registered_tables
      Watchlist: {path: /data/watchlist, columns: {DeviceId: string, Owner: string}}
    external:                   # copies of files that hunts read with externaldata
      https://example.com/lolbins.csv: lookups/lolbins.csv
    lookups: {}                 # watchlists, FileProfile, GeoIP, indicators: see lakehunt.schemas.lookups
    data_docs: {keep: 30d}      # pages about each batch: see lakehunt.quality.data_docs
    retention: {events: 400d}   # how long `lakehunt maintain` keeps what: see lakehunt.lake.retention
    hunting: {frequency: 1d}      # when hunts are asked: see lakehunt.hunting.settings
    landing: {engine: auto}       # what is landed, and by what: see lakehunt.landing.settings
    object_store: {}            # where S3 is, if it is not Amazon's: see lakehunt.core.object_store
    alerts: {}                  # where new findings are sent: see lakehunt.alerts.channels
    metrics: {}                 # where metrics of every run go: see lakehunt.operations.metrics.settings
    kusto: {}                   # how `lakehunt serve --kusto` is reached: see lakehunt.serving.settings
    spark:                      # Spark configuration, passed through unchanged
      spark.master: local[*]
      spark.jars.ivySettings: ivysettings.xml
    delta_jars: jars            # a folder with Delta's jars, for machines without a network

Relative folders count from the file's own folder. The file is `--config`, `$LAKEHUNT_CONFIG` or `./lakehunt.yaml`.
Without one, hunts and suites are read from `./hunts` and `./expectations`, or, if there is no such folder, from the
package.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lakehunt import project
from lakehunt.alerts import channels
from lakehunt.alerts.channels import AlertSettings
from lakehunt.core import credentials, object_store, strict_yaml
from lakehunt.core.errors import LakehuntError
from lakehunt.core.object_store import ObjectStore
from lakehunt.hunting import settings as hunting_settings
from lakehunt.hunting.settings import HuntingSettings
from lakehunt.lake import retention
from lakehunt.lake.retention import Retention
from lakehunt.landing import settings as landing_settings
from lakehunt.operations.metrics import settings as metrics_settings
from lakehunt.operations.metrics.settings import MetricsSettings
from lakehunt.quality import data_docs
from lakehunt.quality.data_docs import DataDocs
from lakehunt.runtime import limits
from lakehunt.runtime.limits import Limits
from lakehunt.schemas import lookups, registered_tables
from lakehunt.schemas.lookups import Lookup
from lakehunt.schemas.registered_tables import RegisteredTable
from lakehunt.serving import settings as serving_settings
from lakehunt.serving.settings import KustoSettings

DEFAULT_FILE = "lakehunt.yaml"


@dataclass(frozen=True)
class Config:
    """Settings for all commands. Folders are absolute; `lake` may be any URI that Spark can write. Places in S3 begin
    with `s3a://`, however they were written."""

    lake: str = "lake"
    hunts: Path = project.HUNTS
    source: str | None = None
    expectations: Path = project.EXPECTATIONS
    spark: Mapping[str, str] = field(default_factory=dict)
    delta_jars: Path | None = None
    tables: Mapping[str, RegisteredTable] = field(default_factory=dict)
    external: Mapping[str, str] = field(default_factory=dict)
    lookups: Mapping[str, Lookup] = field(default_factory=dict)
    data_docs: DataDocs = field(default_factory=DataDocs)
    retention: Retention = field(default_factory=Retention)
    hunting: HuntingSettings = field(default_factory=HuntingSettings)
    landing: landing_settings.Settings = field(default_factory=landing_settings.Settings)
    alerts: AlertSettings = field(default_factory=AlertSettings)
    limits: Limits = field(default_factory=Limits)
    object_store: ObjectStore = field(default_factory=ObjectStore)
    kusto: KustoSettings = field(default_factory=KustoSettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)

    def with_lake(self, lake: str | None) -> Config:
        return replace(self, lake=object_store.one_spelling(lake)) if lake else self

    @property
    def is_s3_sparks(self) -> bool:
        """Whether only Spark may be able to reach S3: its own settings say how, or what has started it does."""
        return "PYSPARK_GATEWAY_PORT" in os.environ or object_store.is_sparks(self.spark)

    @property
    def needs_s3(self) -> bool:
        """Whether anything that Spark may read or write is in S3."""
        of_tables = (table.path for table in self.tables.values())
        of_lookups = (lookup.path for lookup in self.lookups.values())
        places = (self.lake, self.source, *of_tables, *self.external.values(), *of_lookups)
        return any(place is not None and object_store.is_s3(place) for place in places)


def load(file: str | None = None) -> Config:
    """The configuration from `file`, `$LAKEHUNT_CONFIG` or `./lakehunt.yaml`, or the defaults.

    `$LAKEHUNT_DELTA_JARS` (folder) and `$LAKEHUNT_IVY_SETTINGS` (file) override `delta_jars` and
    `spark.jars.ivySettings`, so that a machine can be configured without a file.
    Raises LakehuntError, with file and line, for an unreadable file, an unknown key or a wrong type."""
    named = file or os.environ.get("LAKEHUNT_CONFIG")
    if named and "://" in named:
        raise LakehuntError(
            f"the configuration is a path on the machine where the driver runs, not a URI: {named}",
            "send its folder with the job, by --archives: docs/how-to/clusters.md#content-that-travels-with-the-job",
        )
    path = Path(named or DEFAULT_FILE)
    if named and not path.is_file():
        raise LakehuntError(f"no configuration file at {path}", "name another one with --config or LAKEHUNT_CONFIG")
    object_store.hide_secrets()
    config = _read(path) if path.is_file() else _of_working_directory()
    return _from_environment(config)


def _of_working_directory() -> Config:
    """The default configuration, without a file."""
    hunts, suites = Path("hunts").resolve(), Path("expectations").resolve()
    return Config(
        hunts=hunts if hunts.is_dir() else project.HUNTS,
        expectations=suites if suites.is_dir() else project.EXPECTATIONS,
    )


def _read(path: Path) -> Config:
    document = strict_yaml.load_file(path)
    _hide_credentials(document)
    readers: dict[str, Callable[[object, Path], object]] = {
        "lake": _place,
        "source": _place,
        "hunts": _folder,
        "expectations": _folder,
        "tables": _tables,
        "external": _external,
        "lookups": _lookups,
        "data_docs": data_docs.read,
        "retention": _retention,
        "hunting": hunting_settings.read,
        "landing": landing_settings.read,
        "alerts": channels.read,
        "limits": limits.read,
        "object_store": object_store.read,
        "kusto": serving_settings.read,
        "metrics": metrics_settings.read,
        "spark": _spark,
        "delta_jars": _folder,
    }
    values: dict[str, Any] = {}
    for key, value in document.items():
        if key not in readers:
            raise document.error(key, f"unknown key {key!r}", f"known keys: {', '.join(readers)}")
        try:
            values[key] = readers[key](value, path.resolve().parent)
        except TypeError as e:
            raise document.error(key, f"{key}: {e}", "see docs/reference/configuration.md") from e
    return Config(**values)


_WITH_SECRETS = ("spark", "alerts")
"""Sections with settings that may be secrets. In others a name such as `search_key` is no sign of one."""

_SECRET_SETTING = re.compile(
    r"secret|password|passphrase|token|credential|signature|sas\b|jaas|[.]?key\b", re.IGNORECASE
)


def _hide_credentials(document: strict_yaml.Mapping) -> None:
    """No error shows a credential of the file: one in an address, a secret of a channel, a key or password of Spark."""
    credentials.hide_addresses_of(text for _, text in _texts(document))
    texts = (one for section in _WITH_SECRETS if section in document for one in _texts(document[section]))
    credentials.hide(text for name, text in texts if _SECRET_SETTING.search(name) and not text.startswith("env:"))


def _texts(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text of the file, with its key."""
    if isinstance(value, str):
        yield name, value
        yield "", name
    for key, inner in value.items() if isinstance(value, Mapping) else ():
        yield from _texts(inner, str(key))
    for inner in value if isinstance(value, (list, tuple)) else ():
        yield from _texts(inner, name)


def _path(value: object, what: str) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise TypeError(f"expected {what}")
    return value


def _place(value: object, base: Path) -> str:
    path = _path(value, "a folder or a URI")
    return object_store.one_spelling(path) if "://" in path else str(base / path)


def _folder(value: object, base: Path) -> Path:
    return base / _path(value, "a folder")


def _tables(value: object, base: Path) -> dict[str, RegisteredTable]:
    if not isinstance(value, strict_yaml.Mapping):
        raise TypeError("expected names of tables, each with path and columns")
    return registered_tables.read(value, base)


def _external(value: object, base: Path) -> dict[str, str]:
    """The copy of each URL: a file, relative to the configuration's folder, or a URI."""
    if not isinstance(value, strict_yaml.Mapping):
        raise TypeError("expected addresses, each with the place of its copy")
    places = {}
    for address, place in value.items():
        if not isinstance(place, str) or not place.strip():
            raise TypeError(f"expected a file for {address}")
        places[address] = object_store.one_spelling(place) if "://" in place else str(base / place)
    return places


def _lookups(value: object, base: Path) -> dict[str, Lookup]:
    if not isinstance(value, strict_yaml.Mapping):
        raise TypeError("expected watchlists, and names of tables and functions, each with a file")
    return lookups.read(value, base)


def _retention(value: object, base: Path) -> Retention:
    return retention.read(value)


def _spark(value: object, base: Path) -> dict[str, str]:
    if not isinstance(value, strict_yaml.Mapping):
        raise TypeError("expected a mapping of Spark settings")
    return {key: value.text(key) for key in value}


def _from_environment(config: Config) -> Config:
    jars = os.environ.get("LAKEHUNT_DELTA_JARS")
    ivy = os.environ.get("LAKEHUNT_IVY_SETTINGS")
    if jars:
        config = replace(config, delta_jars=Path(jars))
    if ivy:
        config = replace(config, spark={**config.spark, "spark.jars.ivySettings": ivy})
    return config

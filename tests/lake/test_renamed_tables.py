"""Lakes of earlier versions keep the names that their tables had."""

from __future__ import annotations

import shutil
from pathlib import Path

from lakehunt.lake import damage
from lakehunt.lake.delta_lake import Lake
from lakehunt.operations import maintenance
from lakehunt.schemas import registry
from lakehunt.schemas.landing_tables import RECORDS
from tests.support.blobs import NOW, blob, record
from tests.support.landing import ingest


def test_a_lake_with_an_earlier_name_keeps_it(lake: Lake, tmp_path: Path) -> None:
    source = tmp_path / "source"
    blob(source, f"{record(FileName='1')}\n")
    ingest(lake, str(source), NOW, lambda _: None)
    assert (Path(lake.root) / "raw" / "records" / "_delta_log").is_dir()
    (Path(lake.root) / "raw" / "records").rename(Path(lake.root) / "raw" / "device_process_events")
    shutil.rmtree(Path(lake.root) / "raw" / "files")  # which says what the table is called

    earlier = Lake(lake.spark, lake.root)
    blob(source, f"{record(FileName='1')}\n{record(FileName='2')}\n")
    assert ingest(earlier, str(source), NOW, lambda _: None).delivered == 1
    assert sorted(row.line for row in earlier.read(RECORDS.name).collect()) == [1, 2]
    assert not (Path(lake.root) / "raw" / "records").exists()
    assert "raw.device_process_events" in maintenance.lake_tables(earlier)
    assert registry.named("raw.device_process_events") is RECORDS
    assert damage.damaged_logs(lake.root) == []

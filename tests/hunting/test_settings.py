"""The section `hunting` of the configuration, and the warning about a frequency that Sentinel does not allow."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from lakehunt import config
from lakehunt.core.errors import LakehuntError
from lakehunt.hunting.content import hunt_file
from lakehunt.hunting.settings import HuntingSettings

HUNT = """id: 0b9c1c7e-7f0b-4a5e-9a3e-0d8b8f5b7a10
name: one
query: DeviceProcessEvents
queryFrequency: {}
"""


def loaded(folder: Path, section: str) -> HuntingSettings:
    (folder / "lakehunt.yaml").write_text(f"hunting: {section}\n")
    return config.load(str(folder / "lakehunt.yaml")).hunting


def test_clocks(tmp_path: Path) -> None:
    found = loaded(tmp_path, "{frequency: PT6H, catch_up: 12}")
    assert (found.frequency, found.catch_up) == (timedelta(hours=6), 12)
    found = loaded(tmp_path, "{frequency: 5M}")
    assert (found.frequency, found.catch_up) == (timedelta(minutes=5), 288)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("{frequency: 4m}", r"lakehunt.yaml:1:\d+: hunting: frequency is '4m'\n.*between 5m and 14d"),
        ("{frequency: 15d}", "frequency is '15d'"),
        ("{frequency: 60}", "frequency is 60"),
        ("{catch_up: 0}", r"hunting: catch_up is 0\n.*a whole number from 1 to 100000"),
        ("{catch_up: 1d}", "catch_up is '1d'"),
        ("{catchup: 1}", r"unknown key 'catchup'\n.*known keys: frequency, catch_up"),
        ("1d", "expected a mapping of frequency, catch_up"),
    ],
)
def test_what_is_wrong_is_refused_at_its_place(tmp_path: Path, section: str, message: str) -> None:
    with pytest.raises(LakehuntError) as refused:
        loaded(tmp_path, section)
    assert refused.match(message)


@pytest.mark.parametrize(
    ("written", "warning"),
    [
        ("PT5M", None),
        ("14D", None),
        ("1m", r"4:17: .*'1m' is not between 5 minutes and 14 days, as Sentinel wants it\n.*asked every 5m"),
        ("P30D", r"4:17: .*'P30D' is not between 5 minutes and 14 days, as Sentinel wants it\n.*asked every 14d"),
    ],
)
def test_a_frequency_that_is_not_allowed_is_a_warning(tmp_path: Path, written: str, warning: str | None) -> None:
    file = tmp_path / "one.yaml"
    file.write_text(HUNT.format(written))
    found = hunt_file.load(file).warnings
    if warning is None:
        assert found == ()
    else:
        assert len(found) == 1
        with pytest.raises(LakehuntError, match=warning):
            raise found[0]

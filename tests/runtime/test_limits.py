"""The `limits` section of the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehunt import config
from lakehunt.core.errors import LakehuntError
from lakehunt.runtime.limits import Limits


def loaded(folder: Path, text: str) -> Limits:
    file = folder / "lakehunt.yaml"
    file.write_text(text)
    return config.load(str(file)).limits


def test_limits_that_are_not_named_have_their_defaults(tmp_path: Path) -> None:
    assert loaded(tmp_path, "limits: {seconds: 60, sql_connections: 5}") == Limits(seconds=60, sql_connections=5)
    assert loaded(tmp_path, "lake: x") == Limits()


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("{second: 1}", "limits: unknown key 'second'"),
        ("{seconds: 0}", "limits: seconds is 0"),
        ("{seconds: 1.5}", "limits: seconds is 1.5"),
        ("{rows: true}", "limits: rows is True"),
        ("{rows: 1m}", "limits: rows is '1m'"),
        ("[1]", "limits: expected names of limits"),
    ],
)
def test_a_bad_limit_is_named_with_its_line(tmp_path: Path, section: str, message: str) -> None:
    with pytest.raises(LakehuntError) as raised:
        loaded(tmp_path, f"lake: x\nlimits: {section}")
    assert message in str(raised.value)
    assert ":2:" in str(raised.value)

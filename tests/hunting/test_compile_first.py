"""What is wrong with a query is said before Spark starts."""

from __future__ import annotations

import pytest

from lakehunt.hunting.query.adhoc import compile_first
from lakehunt.kql.errors import QueryErrors


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("DeviceProcessEvents | where", "expected"),
        ("DeviceProcessEvents | where FileNam == 'x' | where Foo == 1", "there is no column 'FileNam'"),
        ("NoSuchTable | take 1", "there is no table 'NoSuchTable'"),
        ("DeviceProcessEvents | evaluate autocluster()", "'autocluster'"),
        # with the columns said, the data are not needed
        ("print d = dynamic({}) | evaluate bag_unpack(d): (a: long) | where b == 1", "there is no column 'b'"),
    ],
)
def test_errors_are_said_at_once(query: str, message: str) -> None:
    with pytest.raises(QueryErrors, match=message):
        compile_first(query)


@pytest.mark.parametrize(
    "query",
    [
        "DeviceProcessEvents | take 1",
        "DeviceProcessEvents | evaluate bag_unpack(AdditionalFields) | where Anything == 1",
        "DeviceProcessEvents | project FileName, DeviceId | evaluate pivot(FileName) | project ['cmd.exe']",
    ],
)
def test_what_may_run_passes(query: str) -> None:
    compile_first(query)

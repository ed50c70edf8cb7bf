"""msticpy's queries on a lake: a driver for its query providers. Needs msticpy.

from msticpy.data import QueryProvider
from lakehunt.api.msticpy import LakehuntDriver

provider = QueryProvider("M365D", driver=LakehuntDriver())
provider.connect("/data/lake")
provider.exec_query("DeviceProcessEvents | take 5")"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msticpy.data.drivers.driver_base import DriverBase, DriverProps

from lakehunt.api import lake as api
from lakehunt.api.lake import OpenLake
from lakehunt.core.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

ENVIRONMENT = "M365D"
"""Microsoft Defender XDR, whose queries are about the tables that a lake has."""


class LakehuntDriver(DriverBase):  # type: ignore[misc]  # it ships no annotations
    """Asks the queries of a provider of msticpy. `lake` is an open one; else `connect` opens one.

    Answers are frames as of `QueryResult.to_pandas`."""

    def __init__(self, lake: OpenLake | None = None, **kwargs: Any) -> None:
        super().__init__(**{"data_environment": ENVIRONMENT} | kwargs)
        self.set_driver_property(DriverProps.SUPPORTS_THREADING, True)
        self._lake = lake
        self._loaded = True
        self._connected = lake is not None

    def connect(self, connection_str: str | None = None, **kwargs: Any) -> None:
        """Opens the lake `connection_str`, by default the configuration's; `config` as for `lakehunt.open`."""
        if connection_str is not None or self._lake is None:
            self._lake = api.open(connection_str, config=kwargs.get("config"))
        self._connected = True
        self.current_connection = self._lake.config.lake

    def close(self) -> None:
        """Closes the lake."""
        if self._lake is not None:
            self._lake.close()

    @property
    def schema(self) -> dict[str, dict[str, str]]:
        """The tables and their columns."""
        return self._asked().tables()

    def query(self, query: str, query_source: Any = None, **kwargs: Any) -> pd.DataFrame:
        """The answer as a frame. Raises what `OpenLake.query` does; `as_of` and `period` as there."""
        return self.query_with_results(query, **kwargs)[0]

    def query_with_results(self, query: str, **kwargs: Any) -> tuple[pd.DataFrame, Any]:
        """The answer as a frame, and as a `QueryResult`."""
        found = self._asked().query(query, as_of=kwargs.get("as_of"), period=kwargs.get("period"))
        return found.to_pandas(), found

    def _asked(self) -> OpenLake:
        if self._lake is None:
            raise UsageError("the provider is not connected", 'connect it: provider.connect("/data/lake")')
        return self._lake

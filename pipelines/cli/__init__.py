"""The `lakehunt` command."""

from pipelines.cli.app import main
from pipelines.cli.exits import FAILURE, SUCCESS, USAGE

__all__ = ["FAILURE", "SUCCESS", "USAGE", "main"]

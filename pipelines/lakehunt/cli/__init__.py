"""The `lakehunt` command."""

from lakehunt.cli.app import main
from lakehunt.cli.exits import FAILURE, SUCCESS, USAGE

__all__ = ["FAILURE", "SUCCESS", "USAGE", "main"]

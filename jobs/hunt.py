"""spark-submit entry point: all hunts as of a moment, into `findings`. Arguments as for `lakehunt hunt`."""

import sys

from pipelines import cli

if __name__ == "__main__":
    raise SystemExit(cli.main(["hunt", *sys.argv[1:]]))

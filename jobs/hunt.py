"""spark-submit entry point: all hunts as of a moment, into `findings`. Arguments as for `lakehunt hunt`."""

import sys

from lakehunt.cli import main

if __name__ == "__main__":
    raise SystemExit(main(["hunt", *sys.argv[1:]]))

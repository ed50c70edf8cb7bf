"""spark-submit entry point: delivered records into `raw`. Arguments as for `lakehunt land`."""

import sys

from lakehunt.cli import main

if __name__ == "__main__":
    raise SystemExit(main(["land", "--raw-only", *sys.argv[1:]]))

"""spark-submit entry point: `raw` into `events` or `quarantine`. Arguments as for `lakehunt validate`."""

import sys

from lakehunt.cli import main

if __name__ == "__main__":
    raise SystemExit(main(["validate", *sys.argv[1:]]))

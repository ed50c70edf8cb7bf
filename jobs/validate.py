"""spark-submit entry point: `raw` into `events` or `quarantine`. Arguments as for `lakehunt validate`."""

import sys

from pipelines import cli

if __name__ == "__main__":
    raise SystemExit(cli.main(["validate", *sys.argv[1:]]))

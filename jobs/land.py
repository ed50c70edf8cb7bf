"""spark-submit entry point: delivered records into `raw`. Arguments as for `lakehunt land`."""

import sys

from pipelines import cli

if __name__ == "__main__":
    raise SystemExit(cli.main(["land", "--raw-only", *sys.argv[1:]]))

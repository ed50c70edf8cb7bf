"""spark-submit entry point: tells channels what is new. Arguments as for `lakehunt alert`."""

import sys

from pipelines import cli

if __name__ == "__main__":
    raise SystemExit(cli.main(["alert", *sys.argv[1:]]))

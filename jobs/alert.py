"""spark-submit entry point: tells channels what is new. Arguments as for `lakehunt alert`."""

import sys

from lakehunt.cli import main

if __name__ == "__main__":
    raise SystemExit(main(["alert", *sys.argv[1:]]))

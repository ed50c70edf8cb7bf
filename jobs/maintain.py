"""spark-submit entry point: retention, compaction and VACUUM of the lake. Arguments as for `lakehunt maintain`."""

import sys

from lakehunt.cli import main

if __name__ == "__main__":
    raise SystemExit(main(["maintain", *sys.argv[1:]]))

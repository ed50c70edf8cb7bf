"""spark-submit entry point: retention, compaction and VACUUM of the lake. Arguments as for `lakehunt maintain`."""

import sys

from pipelines import cli

if __name__ == "__main__":
    raise SystemExit(cli.main(["maintain", *sys.argv[1:]]))

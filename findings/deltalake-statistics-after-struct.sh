#!/usr/bin/env bash
# delta-rs (deltalake 1.6.6): where delta.dataSkippingStatsColumns does not name a struct column, get_add_actions leaves
# out the statistics of every column that comes after the struct, although the table's log has them.
#
# Delta's protocol allows any columns to be named. Whoever decides by these statistics which files to read has to read
# all of them, and does not see why. Columns after an array or a map, and after a struct that is named, are there.
#
# Output seen with deltalake 1.6.6, pyarrow 26.0.1, Python 3.11 (columns `before`, a struct `s`, `after`):
#   named             in the log         by get_add_actions
#   before,after      before,after       before
#   before,s,after    before,after       before,s.x,after
#   (no property)     before,s,after     before,s.x,after
#
# Needs Python 3.11. Ends with 0 as long as this is so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q deltalake==1.6.6 pyarrow==26.0.1

cat >"$folder/try.py" <<'PYTHON'
import json
import sys
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

rows = pa.table({"before": [1, 2], "s": [{"x": 3}, {"x": 4}], "after": [5, 6]})


def seen(folder, named):
    configuration = {"delta.dataSkippingStatsColumns": named} if named else {}
    write_deltalake(folder, rows, configuration=configuration)
    lines = map(json.loads, Path(folder, "_delta_log", "0" * 20 + ".json").read_text().splitlines())
    (added,) = (line["add"] for line in lines if "add" in line)
    logged = json.loads(added["stats"])["minValues"]
    listed = pa.table(DeltaTable(folder).get_add_actions(flatten=True)).column_names
    in_log = ",".join(name for name in rows.column_names if name in logged)
    return in_log, ",".join(name.removeprefix("min.") for name in listed if name.startswith("min."))


found = {named: seen(f"{sys.argv[1]}/{place}", named) for place, named in enumerate(["before,after", "before,s,after", ""])}
for named, (in_log, by_actions) in found.items():
    print(f"{named or '(no property)':<17} {in_log:<18} {by_actions}")
listed = [by_actions for _, by_actions in found.values()]
sys.exit(listed != ["before", "before,s.x,after", "before,s.x,after"] or found["before,after"][0] != "before,after")
PYTHON
"$folder/venv/bin/python" "$folder/try.py" "$folder"

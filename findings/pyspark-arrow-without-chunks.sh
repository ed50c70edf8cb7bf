#!/usr/bin/env bash
# PySpark 4.1.4 (pyarrow 26.0.1): `createDataFrame` of an Arrow table without rows raises ArrowInvalid if a column of
# lists or structs has no chunks, and gives an empty frame if it has an empty one.
#
# Both are the same table to Arrow (`equals` is true). One without chunks is what Arrow gives for a query that finds
# nothing: `Table.from_batches([], schema)`, or `to_table` of a dataset without files. A column of plain values may lack
# chunks. The conversion rebuilds nested columns from a list of their chunks, and leaves their type to be guessed.
#
# Output seen with PySpark 4.1.4, pyarrow 26.0.1, Java 17, Python 3.11:
#   timestamp, an empty chunk    0 rows
#   timestamp, no chunk          0 rows
#   list, an empty chunk         0 rows
#   list, no chunk               ArrowInvalid
#   struct, an empty chunk       0 rows
#   struct, no chunk             ArrowInvalid
#
# Needs Python 3.11 and Java 17. Ends with 0 as long as this is so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pyspark==4.1.4 pyarrow==26.0.1 pandas==3.1.1

cat >"$folder/try.py" <<'PYTHON'
import pyarrow as pa
from pyspark.sql import SparkSession

spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
TYPES = {"timestamp": pa.timestamp("us", "UTC"), "list": pa.list_(pa.int64()), "struct": pa.struct([("a", pa.int64())])}
EXPECTED = {"timestamp": "0 rows", "list": "ArrowInvalid", "struct": "ArrowInvalid"}
as_expected = True
for name, type_ in TYPES.items():
    schema = pa.schema([("column", type_)])
    with_one, without = schema.empty_table(), pa.Table.from_batches([], schema)
    assert with_one.equals(without)
    for what, table, expected in (("an empty chunk", with_one, "0 rows"), ("no chunk", without, EXPECTED[name])):
        try:
            seen = f"{spark.createDataFrame(table).count()} rows"
        except pa.ArrowInvalid as error:
            seen = type(error).__name__
        print(f"{f'{name}, {what}':<28} {seen}")
        as_expected = as_expected and seen == expected
raise SystemExit(not as_expected)
PYTHON
"$folder/venv/bin/python" "$folder/try.py"

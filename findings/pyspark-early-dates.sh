#!/usr/bin/env bash
# PySpark 4.1.4: a Python date in functions.lit() is another day, or an error, where createDataFrame() stores it as it is.
#
# lit() formats the date with strftime("%Y-%m-%d") and passes the text to java.sql.Date.valueOf. On Linux, strftime
# writes the year 999 without a leading zero, which valueOf refuses, and java.sql.Date has the days that the Gregorian
# reform skipped in October 1582 as later ones. A TIMESTAMP of 0001-01-01 is stored, but cannot be collected.
#
# Output seen with PySpark 4.1.4, Python 3.11, Java 17:
#   lit 0999-12-31: IllegalArgumentException, createDataFrame: 0999-12-31
#   lit 1582-10-10: 1582-10-20, createDataFrame: 1582-10-10
#   lit 1600-01-01: 1600-01-01, createDataFrame: 1600-01-01
#   collect 0001-01-01 00:00:00: ValueError: year 0 is out of range
#   collect 0002-01-01 00:00:00: 0002-01-01 00:00:00
#
# Needs Python 3.11 and Java 17. Ends with 0 as long as this is so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pyspark==4.1.4

cat >"$folder/try.py" <<'PYTHON'
from datetime import date

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
spark.conf.set("spark.sql.session.timeZone", "UTC")


def outcome(work):
    try:
        return work()
    except ValueError as error:
        return f"{type(error).__name__}: {error}"
    except Exception as error:
        return type(error).__name__


for day in (date(999, 12, 31), date(1582, 10, 10), date(1600, 1, 1)):
    literal = outcome(lambda: spark.range(1).select(F.lit(day).cast("string")).first()[0])
    stored = outcome(lambda: spark.createDataFrame([(day,)], "d date").select(F.col("d").cast("string")).first()[0])
    print(f"lit {day.isoformat()}: {literal}, createDataFrame: {stored}")
for text in ("0001-01-01 00:00:00", "0002-01-01 00:00:00"):
    moment = spark.createDataFrame([(text,)], "t string").select(F.col("t").cast("timestamp"))
    print(f"collect {text}: {outcome(lambda: moment.first()[0])}")
PYTHON

cat >"$folder/seen" <<'SEEN'
lit 0999-12-31: IllegalArgumentException, createDataFrame: 0999-12-31
lit 1582-10-10: 1582-10-20, createDataFrame: 1582-10-10
lit 1600-01-01: 1600-01-01, createDataFrame: 1600-01-01
collect 0001-01-01 00:00:00: ValueError: year 0 is out of range
collect 0002-01-01 00:00:00: 0002-01-01 00:00:00
SEEN

TZ=UTC "$folder/venv/bin/python" "$folder/try.py" 2>/dev/null | tee "$folder/now"
diff "$folder/seen" "$folder/now"

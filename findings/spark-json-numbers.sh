#!/usr/bin/env bash
# Spark 4.1.4: a JSON number comes out of get_json_object, or of parse_json and to_json, as the JSON string "Infinity",
# and get_json_object writes characters beyond U+FFFF as escapes when it returns an object.
#
# RFC 8259 puts no limit on numbers, and 1e400 is a valid one. It is read as an infinite double, which is written as a
# string: who reads the result cannot tell it from a text. And the text of an object that went through get_json_object
# no longer contains the character that it contained.
#
# Output seen with PySpark 4.1.4, Python 3.11, Java 17:
#   get_json_object [1e308, 1e400]: [1.0E308,"Infinity"]
#   parse_json [1e308, 1e400]: [1.0E308,"Infinity"]
#   schema_of_variant of 1e400: DOUBLE
#   schema_of_variant of 1e400, written and read again: STRING
#   get_json_object {"k": "U+1F600"}: {"k":"\uD83D\uDE00"}
#   parse_json {"k": "U+1F600"}: the character itself
#
# Needs Python 3.11 and Java 17. Ends with 0 as long as this is so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pyspark==4.1.4

cat >"$folder/try.py" <<'PYTHON'
from pyspark.sql import SparkSession

spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()


def made(text, expression):
    return spark.createDataFrame([(text,)], "j string").selectExpr(expression).first()[0]


NUMBERS, FACE = "[1e308, 1e400]", '{"k": "\U0001f600"}'
print(f"get_json_object {NUMBERS}:", made(NUMBERS, "get_json_object(j, '$')"))
print(f"parse_json {NUMBERS}:", made(NUMBERS, "to_json(parse_json(j))"))
print("schema_of_variant of 1e400:", made("1e400", "schema_of_variant(parse_json(j))"))
print("schema_of_variant of 1e400, written and read again:", made("1e400", "schema_of_variant(parse_json(to_json(parse_json(j))))"))
print('get_json_object {"k": "U+1F600"}:', made(FACE, "get_json_object(j, '$')"))
kept = "\U0001f600" in made(FACE, "to_json(parse_json(j))")
print('parse_json {"k": "U+1F600"}:', "the character itself" if kept else "something else")
PYTHON

cat >"$folder/seen" <<'SEEN'
get_json_object [1e308, 1e400]: [1.0E308,"Infinity"]
parse_json [1e308, 1e400]: [1.0E308,"Infinity"]
schema_of_variant of 1e400: DOUBLE
schema_of_variant of 1e400, written and read again: STRING
get_json_object {"k": "U+1F600"}: {"k":"\uD83D\uDE00"}
parse_json {"k": "U+1F600"}: the character itself
SEEN

"$folder/venv/bin/python" "$folder/try.py" 2>/dev/null | tee "$folder/now"
diff "$folder/seen" "$folder/now"

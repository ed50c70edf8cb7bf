#!/usr/bin/env bash
# pySigma-backend-kusto 1.0.1 (pySigma 1.5.1): a Sigma value with a wildcard inside becomes a search that distinguishes
# case and is bound to neither end, `null` becomes a condition that is never true, and a hash without a column is lost.
#
# Sigma's specification compares a value with the whole field, whatever the case; Kusto's `matches regex` searches
# anywhere in the text, and distinguishes case without (?i). `a*b` without modifiers so finds other events than the
# same value with a wildcard at one end only, which becomes `startswith` or `endswith`. A string column of Kusto is
# never null: isnull() of a string is false, also for the empty string. Of `MD5=...` or `IMPHASH=...` only the former
# is left, as Defender has no column for the latter; nothing tells so.
#
# Output seen with pySigma 1.5.1, pySigma-backend-kusto 1.0.1, Python 3.11:
#   'run *.exe -enc'     ProcessCommandLine matches regex "run .*\\.exe -enc"
#   'start*'             ProcessCommandLine startswith "start"
#   null                 isnull(ProcessCommandLine)
#   MD5 or IMPHASH       MD5 startswith "aa"
#
# Needs Python 3.11. Ends with 0 as long as this is so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pysigma==1.5.1 pysigma-backend-kusto==1.0.1

cat >"$folder/try.py" <<'PYTHON'
from sigma.backends.kusto import KustoBackend
from sigma.collection import SigmaCollection
from sigma.pipelines.microsoftxdr import microsoft_xdr_pipeline

RULE = """title: A rule
logsource: {category: process_creation, product: windows}
detection:
  selection:
    %s
  condition: selection
"""
TRIED = {
    "'run *.exe -enc'": r"CommandLine: 'run *.exe -enc'",
    "'start*'": r"CommandLine: 'start*'",
    "null": "CommandLine: null",
    "MD5 or IMPHASH": "Hashes|contains: ['MD5=aa', 'IMPHASH=bb']",
}
EXPECTED = {
    "'run *.exe -enc'": r'ProcessCommandLine matches regex "run .*\\.exe -enc"',
    "'start*'": 'ProcessCommandLine startswith "start"',
    "null": "isnull(ProcessCommandLine)",
    "MD5 or IMPHASH": 'MD5 startswith "aa"',
}
seen = {}
for name, detection in TRIED.items():
    (query,) = KustoBackend(processing_pipeline=microsoft_xdr_pipeline()).convert(SigmaCollection.from_yaml(RULE % detection))
    seen[name] = query.split("| where ")[1]
    print(f"{name:<20} {seen[name]}")
raise SystemExit(seen != EXPECTED)
PYTHON
"$folder/venv/bin/python" "$folder/try.py"

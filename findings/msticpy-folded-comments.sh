#!/usr/bin/env bash
# msticpy 3.0.2: ten of its twenty Microsoft 365 hunting queries are cut off by their own comments. They are quoted YAML
# scalars of several lines, which YAML joins by spaces, and have `//` comments, which in KQL go on to the end of the line:
# the rest of the query belongs to the first comment. What then runs has fewer conditions or none, and nothing is
# reported.
#
# Output seen with msticpy 3.0.2, Python 3.11: the ten names, and "10 of 20" (queries whose comment holds a later operator).
#
# Needs Python 3.11. Ends with 0 as long as this is so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-deps msticpy==3.0.2 pyyaml==6.0.3

cat >"$folder/try.py" <<'PYTHON'
import sys
from importlib.metadata import distribution
import re
import yaml

(file,) = [f for f in distribution("msticpy").files if f.name == "kql_m365_hunting.yaml"]
sources = yaml.safe_load(file.read_text())["sources"]
cut = []
for name, source in sources.items():
    for comment in re.findall(r"(?:^|\s)//([^\n]*)", source["args"]["query"]):
        if " | " in comment:  # operators of the query
            cut.append(name)
            print(f"{name}: {comment[:70].strip()}...")
            break
print(f"{len(cut)} of {len(sources)}")
sys.exit((len(cut), len(sources)) != (10, 20))
PYTHON
"$folder/venv/bin/python" "$folder/try.py"

#!/usr/bin/env bash
# delta-rs (deltalake 1.6.6): with an endpoint of one's own, credentials of the profile that AWS_PROFILE names are not
# looked at. It asks the metadata service of an instance instead, also where AWS_EC2_METADATA_DISABLED forbids that.
#
# Without AWS_ENDPOINT_URL among the options, or with AWS_FORCE_CREDENTIAL_LOAD, it finds the profile. Amazon's own tools,
# Hadoop's S3A (with DefaultCredentialsProvider) and Arrow find it with an endpoint, too.
#
# Output seen with deltalake 1.6.6, Python 3.11 (what the endpoint, which is also the metadata service, was asked first):
#   as it is    PUT /latest/api/token                       without a signature
#   forced      GET /bucket?list-type=2                     signed by the profile's key
#
# Needs Python 3.11. Ends with 0 as long as this is so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q deltalake==1.6.6

cat >"$folder/credentials" <<'INI'
[hunters]
aws_access_key_id = OFTHEPROFILE
aws_secret_access_key = secret
INI

cat >"$folder/try.py" <<'PYTHON'
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

asked = []
EMPTY = b'<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>0</KeyCount></ListBucketResult>'


class Endpoint(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        key = self.headers.get("Authorization", "").partition("Credential=")[2].partition("/")[0]
        asked.append((f"{self.command} {self.path.partition('&')[0]}", key))
        found = self.command == "GET" and self.path.startswith("/bucket")
        self.send_response(200 if found else 403)
        self.send_header("Content-Length", str(len(EMPTY) if found else 0))
        self.end_headers()
        self.wfile.write(EMPTY if found else b"")

    do_GET = do_PUT = do_HEAD = answer

    def log_message(self, *arguments):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
threading.Thread(target=server.serve_forever, daemon=True).start()
place = f"http://127.0.0.1:{server.server_port}"
for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ.update(AWS_PROFILE="hunters", AWS_SHARED_CREDENTIALS_FILE=sys.argv[1], AWS_CONFIG_FILE=os.devnull)
os.environ.update(AWS_EC2_METADATA_DISABLED="true", AWS_REGION="us-east-1")

# In a process of its own: here the server's thread would wait while delta-rs does.
CLIENT = """
import json, sys
from deltalake import DeltaTable
try:
    DeltaTable.is_deltatable("s3://bucket/table", json.loads(sys.argv[1]))
except OSError:
    pass
"""
options = {"AWS_ENDPOINT_URL": place, "AWS_METADATA_ENDPOINT": place, "AWS_ALLOW_HTTP": "true", "max_retries": "0"}
EXPECTED = {"as it is": ("PUT /latest/api/token", ""), "forced": ("GET /bucket?list-type=2", "OFTHEPROFILE")}
SIGNED = {True: "signed by the profile's key", False: "without a signature"}
as_expected = True
for what, more in {"as it is": {}, "forced": {"AWS_FORCE_CREDENTIAL_LOAD": "true"}}.items():
    asked.clear()
    subprocess.run([sys.executable, "-c", CLIENT, json.dumps(options | more)], check=True)
    request, key = asked[0]
    print(f"{what:<11} {request:<43} {SIGNED[bool(key)]}")
    as_expected = as_expected and asked[0] == EXPECTED[what]
raise SystemExit(not as_expected)
PYTHON
timeout 300 "$folder/venv/bin/python" "$folder/try.py" "$folder/credentials"

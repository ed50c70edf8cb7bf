"""Landing from and into S3, without Spark: the same rows as in folders, every record once however a run ends, errors
that say what and where, and no secret left anywhere."""

from __future__ import annotations

import gzip
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from lakehunt.core.object_store import ObjectStore
from lakehunt.lake.small_tables import LocalTables
from lakehunt.landing.local import duplicates, s3_files
from lakehunt.landing.local.engine import LocalEngine
from lakehunt.landing.settings import FileLimits, Settings
from lakehunt.quality.data_docs import DataDocs
from lakehunt.schemas.event_tables import DEVICE_PROCESS_EVENTS
from lakehunt.schemas.landing_tables import FILES, RECORDS
from tests.support.blobs import NOW, blob, record, write_suites
from tests.support.commands import LAKEHUNT, WITHOUT_JAVA, lakehunt
from tests.support.paths import PROJECT
from tests.support.s3_landing import everything, many, rows, waiting, watched
from tests.support.s3_server import SECRET_KEY, Server, put

pytestmark = pytest.mark.campaign

EVENTS = DEVICE_PROCESS_EVENTS.events
LINES = [
    record(FileName="a", ReportId=1),
    record(FileName="a", ReportId=1),
    record(FileName="b", ReportId=2),
    record(DeviceId=None),
    "nope",
    "",
]


@pytest.fixture
def suites(tmp_path: Path) -> Path:
    return write_suites(tmp_path / "suites")


@pytest.fixture
def config(suites: Path, tmp_path: Path) -> Path:
    file = tmp_path / "lakehunt.yaml"
    file.write_text(f"expectations: {suites}\nlanding: {{tables: [DeviceProcessEvents]}}\n")
    return file


def engine(root: str, suites: Path) -> LocalEngine:
    settings = Settings(FileLimits(), tables=("DeviceProcessEvents",))
    return LocalEngine(root, settings, suites, DataDocs(), lambda _: None, ObjectStore())


def test_the_same_rows_as_in_folders(bucket: str, suites: Path, tmp_path: Path) -> None:
    content = "\n".join(LINES) + "\n"
    delivered = {
        "2024/a.json": content.encode(),
        "2024/packed": gzip.compress(content.replace('"a"', '"c"').encode()),
        "b (1).json": b"\xff\x00\n" + content.encode() + b'{"half',
        "_ignored/c.json": content.encode(),
    }
    for name, text in delivered.items():
        put(f"{bucket}/source/{name}", text)
        blob(tmp_path / "source", text, name)
    in_s3, here = f"s3a://{bucket}/lake", str(tmp_path / "lake")
    done = [
        engine(root, suites).land(source, NOW)[0]
        for root, source in ((in_s3, f"s3://{bucket}/source"), (here, str(tmp_path / "source")))
    ]
    assert [one.delivered for one in done] == [16, 16]
    assert everything(in_s3) == everything(here)
    assert rows(in_s3, FILES) == rows(here, FILES)
    files = {row["file"] for row in LocalTables(in_s3).few(FILES, ["file"])}
    assert files == {f"s3a://{bucket}/source/{name}" for name in ("2024/a.json", "2024/packed", "b (1).json")}


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("source", ["a/1.json", "a/2.json", "b/1.json"]),
        ("source/", ["a/1.json", "a/2.json", "b/1.json"]),
        ("source/a/1.json", ["a/1.json"]),
        ("source/[a-b]/?.json", ["a/1.json", "a/2.json", "b/1.json"]),
        ("source/[^b]", ["a/1.json", "a/2.json"]),
        ("so*/{a/2,b/1}.json", ["a/2.json", "b/1.json"]),
        ("source/_c/1.json", ["_c/1.json"]),
    ],
)
def test_what_a_source_names(bucket: str, pattern: str, found: list[str]) -> None:
    for name in ("a/1.json", "a/2.json", "b/1.json", "_c/1.json", "a/_3.json", "a/.4.json"):
        put(f"{bucket}/source/{name}", "{}\n")
    blobs = s3_files.find(f"s3a://{bucket}/{pattern}", ObjectStore())
    assert [one.path.partition("/source/")[2] for one in blobs] == found


def test_of_a_blob_that_grew_only_what_is_new_is_read(
    bucket: str, suites: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, source = f"s3a://{bucket}/lake", f"s3a://{bucket}/source"
    first = "".join(record(FileName="x" * 9000, ReportId=number) + "\n" for number in range(30))
    put(f"{bucket}/source/a.json", first)
    engine(root, suites).land(source, NOW)
    added = record(ReportId=77) + "\n" + record(ReportId=78)[:-3]
    put(f"{bucket}/source/a.json", first + added)
    fetched: list[int] = []
    monkeypatch.setattr(s3_files, "_exactly", lambda stream, size: _noted(fetched, stream.read(size)))
    assert engine(root, suites).land(source, NOW)[0].pending == ((f"{source}/a.json", 32),)
    assert sum(fetched) == 1 + 1 + len(added)  # the line end before it, as a look and as a part
    put(f"{bucket}/source/a.json", first + added + "}}}\n")
    engine(root, suites).land(source, NOW)
    landed = LocalTables(root).rows(RECORDS, ["line", "text"]).sort_by("line").to_pylist()
    assert [row["line"] for row in landed] == list(range(1, 33))
    assert [row["text"] for row in landed] == (first + added + "}}}").split("\n")


def _noted(sizes: list[int], data: bytes) -> bytes:
    sizes.append(len(data))
    return data


def test_an_earlier_event_is_found_by_the_index_and_without_it(bucket: str, folder: Path, suites: Path) -> None:
    root, source = f"s3a://{bucket}/lake", f"s3a://{bucket}/source"
    for number in range(4):
        put(f"{bucket}/source/{number}.json", LINES[0] + "\n")
        engine(root, suites).land(source, NOW)
        (index,) = (folder / "lake/events/device_process_events" / duplicates.FOLDER).iterdir()
        if number == 1:
            index.unlink()
        if number == 2:
            index.write_bytes(b"cut")
    assert LocalTables(root).rows(EVENTS, ["event_id"]).num_rows == 1
    assert LocalTables(root).rows(RECORDS, ["file"]).num_rows == 4


# Processes


def start(source: str, root: str, config: Path) -> subprocess.Popen[str]:
    """`lakehunt land` as a process, and the leader of a group of its own."""
    environment = os.environ | WITHOUT_JAVA | {"PYTHONPATH": str(PROJECT / "pipelines")}
    command = [*LAKEHUNT, "land", source, "--lake", root, "--config", str(config)]
    pipe, both = subprocess.PIPE, subprocess.STDOUT
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=both, text=True, start_new_session=True)


def straight(bucket: str, config: Path) -> tuple[str, list[list[str]]]:
    """A source, and what a lake holds in which it landed undisturbed."""
    source, root = many(bucket, 6), f"s3://{bucket}/straight"
    process = start(source, root, config)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    return source, everything(root)


@pytest.mark.parametrize("seed", range(8))
def test_sigkill_at_random_times_converges(bucket: str, config: Path, seed: int) -> None:
    generator = random.Random(seed)
    began = time.perf_counter()
    source, wanted = straight(bucket, config)
    takes = time.perf_counter() - began
    root = f"s3a://{bucket}/killed"
    killed = 0
    for _ in range(4):
        process = start(source, root, config)
        time.sleep(generator.uniform(0.3, 1.0) * takes)
        if process.poll() is None:
            killed += 1
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    last = start(source, root, config)
    output, _ = last.communicate()
    assert last.returncode == 0, output
    assert everything(root) == wanted
    assert waiting(root) == []
    assert killed


@pytest.mark.parametrize("seed", range(8))
def test_two_landings_at_once(bucket: str, config: Path, seed: int) -> None:
    generator = random.Random(seed)
    source, wanted = straight(bucket, config)
    root = f"s3a://{bucket}/both"
    first = start(source, root, config)
    time.sleep(generator.uniform(0, 0.5))
    second = start(source, root, config)
    outputs = [process.communicate()[0] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), outputs
    assert everything(root) == wanted
    assert waiting(root) == []


# Errors and secrets


def failed(*arguments: object, **environment: str) -> str:
    """What a command printed that failed for what it was told, after the times of its steps."""
    done = lakehunt(*arguments, **(WITHOUT_JAVA | environment))
    assert done.returncode == 1, done.stdout + done.stderr
    shown = [line for line in done.stderr.splitlines() if not line.strip().endswith("in total")]
    assert len(shown) == 2, done.stderr  # the error, and a hint
    assert SECRET_KEY not in done.stdout + done.stderr
    assert shown[1].strip().startswith("hint: ")
    return shown[0]


@pytest.mark.parametrize("command", ["land", "validate", "status"])
def test_credentials_that_are_refused(bucket: str, s3: Server, config: Path, command: str) -> None:
    arguments = [
        command,
        *(["/data"] if command == "land" else []),
        "--lake",
        f"s3://{bucket}/lake",
        "--config",
        config,
    ]
    said = failed(*arguments, AWS_SECRET_ACCESS_KEY="another one")
    place = f"the lake s3a://{bucket}/lake cannot be read: {s3.endpoint}"
    assert said == f"lakehunt: {place} refuses the credentials, or what they may do"
    without = failed(*arguments, AWS_SECRET_ACCESS_KEY="", AWS_ACCESS_KEY_ID="")
    assert without == said


def test_a_bucket_that_is_not_there(s3: Server, config: Path) -> None:
    said = failed("land", "/data", "--lake", "s3://no-such-bucket/lake", "--config", config)
    assert said == f"lakehunt: the lake s3a://no-such-bucket/lake: {s3.endpoint} has no bucket no-such-bucket"


def test_a_store_that_does_not_answer(bucket: str, config: Path) -> None:
    nobody = "http://127.0.0.1:9"
    said = failed("land", "/data", "--lake", f"s3://{bucket}/lake", "--config", config, AWS_ENDPOINT_URL=nobody)
    assert said.startswith(f"lakehunt: the lake s3a://{bucket}/lake cannot be read: no answer from {nobody} (")


def test_sources_that_are_not_there(bucket: str, s3: Server, config: Path, tmp_path: Path) -> None:
    lake = ("--lake", tmp_path / "lake", "--config", config)
    said = failed("land", f"s3://{bucket}/nothing", *lake)
    assert said == (
        f"lakehunt: cannot list the source s3a://{bucket}/nothing: {s3.endpoint} has no such object or folder"
    )
    said = failed("land", "s3://no-such-bucket/x*", *lake)
    assert said == f"lakehunt: the source s3a://no-such-bucket/x*: {s3.endpoint} has no bucket no-such-bucket"
    said = failed("land", f"s3://{bucket}/nothing", *lake, AWS_SECRET_ACCESS_KEY="another one")
    assert said.endswith(f"{s3.endpoint} refuses the credentials, or what they may do")
    assert not (tmp_path / "lake/raw").exists()


def test_the_configuration_says_where_the_store_is(
    bucket: str, folder: Path, s3: Server, suites: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(f"{bucket}/source/a.json", LINES[0] + "\n")
    file = tmp_path / "lakehunt.yaml"
    file.write_text(
        f"expectations: {suites}\nlake: s3://{bucket}/lake\nsource: s3a://{bucket}/source\n"
        f"object_store: {{endpoint: '{s3.endpoint}', region: us-east-1, path_style: true}}\n"
    )
    keys = tmp_path / "credentials"
    keys.write_text(
        f"[hunters]\naws_access_key_id={os.environ['AWS_ACCESS_KEY_ID']}\naws_secret_access_key={SECRET_KEY}\n"
    )
    profile = {"AWS_PROFILE": "hunters", "AWS_SHARED_CREDENTIALS_FILE": str(keys)}
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED"):
        monkeypatch.delenv(name)
    done = lakehunt("land", "--config", file, **(WITHOUT_JAVA | profile))
    assert done.returncode == 0, done.stderr
    assert "WARN" not in done.stderr
    assert list((folder / "lake/events").rglob("part-*.parquet"))


def test_no_secret_is_left_anywhere(bucket: str, folder: Path, config: Path, tmp_path: Path) -> None:
    process = start(many(bucket, 3), f"s3://{bucket}/lake", config)
    said, commands = watched(process)
    assert process.returncode == 0, said
    assert any("land" in line for line in commands)
    assert not [line for line in commands if SECRET_KEY in line]
    assert SECRET_KEY not in said
    written = [file for root in (folder, tmp_path) for file in root.rglob("*") if file.is_file()]
    assert len(written) > 20
    assert not [file for file in written if SECRET_KEY.encode() in file.read_bytes()]

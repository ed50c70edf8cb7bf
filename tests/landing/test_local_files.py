"""Which files a source has, and how they are cut into lines, without Spark."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import subprocess
import sys
import zlib
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehunt.core.errors import LakehuntError
from lakehunt.landing.ledger import FileRecord
from lakehunt.landing.local import blocks, duplicates, files, parsing
from lakehunt.landing.local.opening import Opener, RefusedError, may_be_record
from lakehunt.landing.settings import FileLimits
from lakehunt.records.defender_streaming import is_complete
from tests.support.blobs import record

LINE = record().encode()


def names(source: Path | str) -> list[str]:
    return [blob.path.rpartition("/")[2] for blob in files.find(str(source))]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("a/1.json", "a/2.json", "a/b/3.json", "c/4.json", "c/_5.json", ".d/6.json", "_e/7.json"):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "tree"


def test_files_of_folders_globs_and_paths(tree: Path) -> None:
    assert names(tree) == ["1.json", "2.json", "3.json", "4.json"]
    assert names(f"file://{tree}") == names(f"file:{tree}") == names(tree)
    assert names(tree / "a") == ["1.json", "2.json", "3.json"]
    assert names(tree / "a" / "2.json") == ["2.json"]
    assert names(tree / "[ac]" / "*.json") == ["1.json", "2.json", "4.json"]
    assert names(tree / "[^a]") == ["4.json"]
    assert names(tree / "{a/b,c}") == ["3.json", "4.json"]
    assert names(tree / "a" / ".." / "c") == ["4.json"]


def test_a_name_that_looks_like_a_glob(tree: Path) -> None:
    odd = tree / "odd [1] {x,y} %20.json"
    odd.write_bytes(b"x")
    assert names(odd) == [odd.name]
    assert files.find(str(odd))[0].path == f"file:{odd}"


def test_links_are_followed_once_on_a_way(tree: Path) -> None:
    (tree / "c" / "up").symlink_to(tree)
    (tree / "c" / "same").symlink_to(tree / "a")
    assert names(tree / "c").count("1.json") == 2  # by `same`, and by `up`


def test_what_is_not_there(tree: Path) -> None:
    (tree / "empty").mkdir()
    with pytest.raises(LakehuntError, match="there is no such file or folder"):
        files.find(str(tree / "nothing*"))
    with pytest.raises(LakehuntError, match="holds no file"):
        files.find(str(tree / "empty"))


@pytest.mark.parametrize(
    ("place", "local"), [("/a", True), ("a", True), ("file:/a", True), ("s3a://b/a", False), ("hdfs:/a", False)]
)
def test_places(place: str, local: bool) -> None:
    assert files.is_local(place) is local


def opener(folder: Path, longest: int = 1 << 20, unpacked: int = 1 << 20) -> Opener:
    staging = folder / "staging"
    staging.mkdir(exist_ok=True)
    return Opener(staging, FileLimits(longest, unpacked), is_complete, may_be_record)


def lines_of(read: blocks.ReadFile) -> list[tuple[int, bytes]]:
    found = []
    for block in read.blocks:
        data = Path(block.path).read_bytes()[block.start : block.end].removesuffix(b"\n")
        found += list(enumerate(data.split(b"\n"), start=block.line))
    return found


@given(
    st.lists(st.sampled_from([b"", b" ", b"nope", LINE, b"\r", b'{"half']), max_size=30),
    st.booleans(),
    st.integers(1, 400),
    st.integers(1, 300),
    st.integers(0, 30),
)
def test_blocks_have_every_line_with_its_number(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], ended: bool, size: int, step: int, landed: int
) -> None:
    folder = tmp_path_factory.mktemp("blocks")
    content = b"\n".join(lines) + (b"\n" if ended and lines else b"")
    path = folder / "a.json"
    path.write_bytes(content)
    every = content.split(b"\n")
    if every[-1] == b"":
        every.pop()
    pending = len(every) if every and not content.endswith(b"\n") and every[-1].startswith(b'{"half') else None
    landed = min(landed, len(every) - (pending is not None))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(blocks, "BLOCK", size)
        patched.setattr(blocks, "_READ", step)
        (blob,) = files.find(str(path))
        read = opener(folder).open(blob, FileRecord(), landed)
    assert (read.lines, read.pending) == (len(every), pending)
    expected = list(enumerate(every, start=1))[landed : None if pending is None else -1]
    assert lines_of(read) == expected
    parsed = [(number, line) for number, line in expected if line.strip(b" \t\r")]
    if read.blocks:
        raw = parsing.parse_blocks(read.blocks, ["DeviceProcessEvents"]).raw
        cut = [(number, line.removesuffix(b"\r").decode()) for number, line in parsed]
        assert list(zip(raw["line"].to_pylist(), raw["text"].to_pylist(), strict=True)) == cut


def test_a_file_is_read_on_from_where_it_was_landed(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(LINE + b"\n" + LINE + b"\n")
    before = FileRecord(bytes=path.stat().st_size, lines=2)
    with path.open("ab") as file:
        file.write(b"third\n")
    (blob,) = files.find(str(path))
    read = opener(tmp_path).open(blob, before, 2)
    assert (lines_of(read), read.lines) == ([(3, b"third")], 3)
    assert read.blocks[0].start == before.bytes


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("a.json.gz", gzip.compress(LINE + b"\n", mtime=0)),
        ("a.json", gzip.compress(LINE + b"\n", mtime=0)),
        ("a.json.gz", gzip.compress(LINE, mtime=0) + gzip.compress(b"\n", mtime=0)),
        ("a.json.bz2", bz2.compress(LINE + b"\n")),
        ("a.json.deflate", zlib.compress(LINE + b"\n")),
        ("a.json.gz", LINE + b"\n"),
        ("a.json.zst", pa.compress(LINE + b"\n", codec="zstd", asbytes=True)),
        ("a.json", b"\xef\xbb\xbf" + LINE + b"\n"),
    ],
)
def test_what_is_unpacked(tmp_path: Path, name: str, packed: bytes) -> None:
    (tmp_path / name).write_bytes(packed)
    (blob,) = files.find(str(tmp_path / name))
    read = opener(tmp_path).open(blob, FileRecord(), 0)
    assert (lines_of(read), read.lines, read.pending) == ([(1, LINE)], 1, None)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.json.lz4", b"x", "is compressed as LZ4 in Hadoop's form"),
        ("a.json.gz", gzip.compress(LINE * 5, mtime=0)[:-9], "not readable as a compressed file"),
        ("a.json.bz2", b"nope", "not readable as a compressed file"),
        ("a.json.zst", b"nope", "not readable as a compressed file"),
        ("a.json.deflate", zlib.compress(LINE * 5)[:-9], "not readable as a compressed file"),
        ("a.json.gz", gzip.compress(b"x" * 3000, mtime=0), "unpacks to more than 2,000 bytes"),
        ("a.json", b"x" * 1500 + b"\n", "has a line of more than 1,000 bytes"),
        ("a.json", (LINE + b"\n") * 3 + b"x" * 1500, "has a line of more than 1,000 bytes"),
        ("a.json", b"[\n" + LINE + b"\n]\n", "is a JSON array"),
    ],
)
def test_what_is_refused(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    (tmp_path / name).write_bytes(content)
    (blob,) = files.find(str(tmp_path / name))
    with pytest.raises(RefusedError, match=why):
        opener(tmp_path, 1_000, 2_000).open(blob, FileRecord(), 0)
    assert list((tmp_path / "staging").iterdir()) == []


def test_an_index_lists_the_first_64_bits_of_ids() -> None:
    ids = [hashlib.sha256(bytes([number])).hexdigest() for number in range(200)]
    expected = [int(id_[:16], 16) for id_ in ids]
    assert duplicates.prefixes_of(pa.array(ids)).tolist() == expected
    assert duplicates.prefixes_of(pa.array(ids).slice(150, 20)).tolist() == expected[150:170]
    assert duplicates.prefixes_of(pa.array([], pa.string())).tolist() == []


def test_processes_that_parse_import_neither_pandas_nor_spark(tmp_path: Path) -> None:
    blob = tmp_path / "a.json"
    blob.write_bytes(b" \n" + LINE + b"\r\nnope\n")
    program = (
        "import sys\n"
        "from lakehunt.landing.local import parsing\n"
        "from lakehunt.landing.local.blocks import Block\n"
        "block = Block('a', sys.argv[1], 0, int(sys.argv[2]), 1)\n"
        "stored = parsing._parse_and_store([block, block], ['DeviceProcessEvents'], sys.argv[3])\n"
        "print(*stored.tables, *({'pandas', 'pyspark', 'deltalake'} & {*sys.modules}))"
    )
    given_arguments = [str(blob), str(blob.stat().st_size), str(tmp_path / "place")]
    done = subprocess.run([sys.executable, "-c", program, *given_arguments], capture_output=True, check=True)
    assert done.stdout.decode().split() == ["DeviceProcessEvents"]

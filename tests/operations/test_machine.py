"""What a machine says of its memory, in files as Linux has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehunt.operations import machine


def write(root: Path, **files: str) -> Path:
    for name, text in files.items():
        file = root / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4g", 4 * 1024**3),
        ("4GB", 4 * 1024**3),
        ("512m", 512 * 1024**2),
        ("2048", 2048 * 1024**2),
        ("1t", 1024**4),
        ("100k", 102_400),
        ("4 g", None),
        ("1.5g", None),
        ("much", None),
    ],
)
def test_sizes_as_spark_has_them(text: str, size: int | None) -> None:
    assert machine.bytes_of(text) == size


def test_no_limit(tmp_path: Path) -> None:
    assert machine.memory_limit(tmp_path) is None
    write(tmp_path, **{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"})
    assert machine.memory_limit(tmp_path) is None


def test_the_limit_of_a_container(tmp_path: Path) -> None:
    write(tmp_path, **{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "2147483648\n"})
    assert machine.memory_limit(tmp_path) == 2 * 1024**3


def test_the_limit_of_a_service_and_of_the_slice_above(tmp_path: Path) -> None:
    group = "system.slice/lakehunt.service"
    write(
        tmp_path,
        **{
            "proc/self/cgroup": f"0::/{group}\n",
            f"sys/fs/cgroup/{group}/memory.max": "8589934592\n",
            "sys/fs/cgroup/system.slice/memory.max": "4294967296\n",
            "sys/fs/cgroup/memory.max": "1\n",
        },
    )
    (tmp_path / "sys/fs/cgroup/memory.max").unlink()
    assert machine.memory_limit(tmp_path) == 4 * 1024**3


def test_version_1(tmp_path: Path) -> None:
    write(
        tmp_path,
        **{
            "proc/self/cgroup": "9:name=systemd:/job\n5:cpu,memory:/job\n",
            "sys/fs/cgroup/memory/job/memory.limit_in_bytes": "1073741824\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        },
    )
    assert machine.memory_limit(tmp_path) == 1024**3

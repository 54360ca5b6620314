"""The quick way to judge where a path resolves says what the thorough way says."""

from pathlib import Path

import pytest

from agentctl.adapters.sources.confined import FILE_BYTES_MAX, Places, Unreadable, judge, read_file

PATHS = (
    ".", "..", "../x", "/", "/etc/passwd", "cluster.yaml", "queries", "queries/a.gq",
    "queries/link_in.gq", "queries/link_out.gq", "queries/link_state.gq", "queries/nothing.gq",
    "linked/a.gq", "out/secret", "loop/x", "loop", "graphs/x", "__cluster/state.json", ".env",
    "state/x.json", "queries/.env.local", "deep/er/__cluster/x", "nowhere/x/y",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "cluster"
    for name in ("queries", "__cluster", "graphs", "deep/er/__cluster"):
        (root / name).mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").write_text("s")
    for name in ("cluster.yaml", "queries/a.gq", "graphs/x", "__cluster/state.json"):
        (root / name).write_text("x")
    (root / "queries/link_in.gq").symlink_to("a.gq")
    (root / "queries/link_out.gq").symlink_to(tmp_path / "elsewhere" / "secret")
    (root / "queries/link_state.gq").symlink_to("../__cluster/state.json")
    (root / "linked").symlink_to("queries")
    (root / "out").symlink_to(tmp_path / "elsewhere")
    (root / "state").symlink_to("__cluster")
    (root / "loop").symlink_to("loop")
    return root


@pytest.mark.parametrize("through_a_link", [False, True])
def test_both_ways_agree(folder: Path, tmp_path: Path, *, through_a_link: bool) -> None:
    if through_a_link:
        (tmp_path / "other").symlink_to(folder)
        folder = tmp_path / "other"
    places = Places(folder)

    for path in PATHS * 2:
        verdict, real = judge(folder, path)
        assert places.judge(path) == (verdict, str(real)), path


def test_the_root_of_the_disk_is_a_folder_too() -> None:
    assert Places(Path("/")).judge("etc")[0] == judge(Path("/"), "etc")[0]


@pytest.mark.parametrize("size", [0, 1, 70_000, FILE_BYTES_MAX])
def test_a_file_is_read_whole(tmp_path: Path, size: int) -> None:
    (tmp_path / "a").write_bytes(bytes(size))

    assert read_file(tmp_path / "a") == bytes(size)


def test_a_file_of_no_told_size_is_read_whole() -> None:
    """Files of ``/proc`` say that they hold nothing."""
    data = read_file("/proc/self/status")

    assert isinstance(data, bytes)
    assert b"Name:" in data


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(FILE_BYTES_MAX + 1))

    assert isinstance(read_file(tmp_path / "a"), Unreadable)

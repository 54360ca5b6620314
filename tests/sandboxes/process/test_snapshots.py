"""Snapshots of files, going back to one, and what differs between two. Case 11, for files."""

import os
import socket
import stat
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.adapters.runners.file_trees import (
    RefusedTreeError,
    copy_tree,
    no_step,
    remove_tree,
    shown,
    walk,
)
from agentctl.adapters.runners.process_provider import ProcessProvider
from agentctl.adapters.runners.snapshots import SnapshotMissingError, Snapshots
from agentctl.adapters.runners.tree_manifest import path_bytes
from agentctl.domain.sandbox.difference import ChangeDiff
from agentctl.domain.sandbox.provider import CommandOutcome, Creation, ProviderError
from agentctl.ids import ulid

ID = ulid(1, b"0123456789")
OTHER = ulid(2, b"0123456789")
Sh = Callable[..., Awaitable[CommandOutcome]]
Shape = Callable[[Path], dict[str, tuple[str, int, str]]]

CHANGES = """
    echo changed >>a/one.txt; rm a/b/two.sh; ln -sfn one.txt a/link; rmdir empty
    chmod 600 a/one.txt; chmod 755 fixed; rm fixed/it; mkdir -p new/deep; echo n >new/deep/n
    ln -s /etc/passwd new/outside; printf x >"$(printf 'odd\\\\\\377\\nname')"; mkdir locked
    echo l >locked/l; chmod 000 locked/l; chmod 500 locked; chmod 4755 new/deep/n
"""


def tree_of(root: Path, sandbox: str = ID) -> Path:
    return (root / sandbox / "current").resolve()


def paths(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def refusal(awaited: Awaitable[object]) -> str:
    with pytest.raises(ProviderError) as refused:
        await awaited
    return refused.value.diagnostic.code


async def test_a_restored_sandbox_is_what_it_was(
    started: ProcessProvider, sh: Sh, root: Path, source: Path, shape: Shape
) -> None:
    first = shape(tree_of(root))
    clean = await started.snapshot(ID, "clean")
    await sh(CHANGES)
    changed = shape(tree_of(root))
    later = await started.snapshot(ID, "changed")
    await started.restore(ID, clean)
    assert shape(tree_of(root)) == first == shape(source)

    await started.restore(ID, later)
    assert shape(tree_of(root)) == {
        name: (kind, mode & 0o777, rest) for name, (kind, mode, rest) in changed.items()
    }
    assert (await sh("cat new/deep/n")).stdout == b"n\n"


async def test_the_source_is_never_changed(
    started: ProcessProvider, sh: Sh, source: Path, shape: Shape
) -> None:
    before = shape(source)
    clean = await started.snapshot(ID, "clean")
    await sh(CHANGES + "; chmod -R 777 .; find . -type f -exec sh -c 'echo x >{}' ';'")
    await started.restore(ID, clean)
    await sh("rm -rf a fixed")
    await started.destroy(ID)

    assert shape(source) == before


async def test_a_difference_names_every_file_in_its_list_sorted(
    started: ProcessProvider, sh: Sh
) -> None:
    clean = await started.snapshot(ID, "clean")
    await sh(CHANGES)
    changed = await started.snapshot(ID, "changed")
    told = await started.diff(ID, clean, changed)

    assert told == ChangeDiff(
        files_added=(
            "locked/",
            "locked/l",
            "new/",
            "new/deep/",
            "new/deep/n",
            "new/outside",
            "odd\\\\\\xff\nname",
        ),
        files_modified=("a/link", "a/one.txt", "fixed/"),
        files_removed=("a/b/two.sh", "empty/", "fixed/it"),
    )
    assert await started.diff(ID, clean, changed) == told
    assert await started.diff(ID, changed, changed) == ChangeDiff()
    back = await started.diff(ID, changed, clean)
    assert (back.files_added, back.files_removed) == (told.files_removed, told.files_added)


async def test_one_kind_in_the_place_of_another_is_told(started: ProcessProvider, sh: Sh) -> None:
    clean = await started.snapshot(ID, "clean")
    await sh("rm a/one.txt; ln -s link a/one.txt; rm a/b/two.sh; mkdir a/b/two.sh")
    told = await started.diff(ID, clean, await started.snapshot(ID, "changed"))

    assert told == ChangeDiff(
        files_added=("a/b/two.sh/",), files_modified=("a/one.txt",), files_removed=("a/b/two.sh",)
    )


async def test_a_name_used_twice_loses_neither_snapshot(
    started: ProcessProvider, sh: Sh, root: Path
) -> None:
    first = await started.snapshot(ID, "same")
    again = await started.snapshot(ID, "same")
    await sh("echo 2 >a/one.txt")
    second = await started.snapshot(ID, "same")
    assert first == again != second

    await started.restore(ID, first)
    assert (tree_of(root) / "a/one.txt").read_text() == "one\n"
    await started.restore(ID, second)
    assert (tree_of(root) / "a/one.txt").read_text() == "2\n"


async def test_equal_content_is_kept_once(started: ProcessProvider, sh: Sh, root: Path) -> None:
    await sh("for i in 1 2 3 4; do head -c 100000 /dev/zero >$i; done")
    await started.snapshot(ID, "one")
    kept = sorted((root / ID / "contents").rglob("*"))
    await sh("cp 1 5; mv 2 6")
    await started.snapshot(ID, "two")

    assert sorted((root / ID / "contents").rglob("*")) == kept
    sizes = [path.stat().st_size for path in kept if path.is_file()]
    assert sizes.count(100_000) == 1


async def test_an_unknown_snapshot_and_one_of_another_sandbox_are_refused(
    started: ProcessProvider,
) -> None:
    await started.create(Creation(id=OTHER, name="two", source="golden"))
    mine = await started.snapshot(ID, "mine")
    for ref in (mine, "0" * 64, "../../x", "", "clean"):
        assert await refusal(started.restore(OTHER, ref)) == "sandbox_snapshot_missing"
        assert await refusal(started.diff(OTHER, ref, ref)) == "sandbox_snapshot_missing"


async def test_a_damaged_snapshot_is_refused_and_the_files_stay(
    started: ProcessProvider, sh: Sh, root: Path, shape: Shape
) -> None:
    ref = await started.snapshot(ID, "clean")
    await sh("echo 2 >a/one.txt")
    before = shape(tree_of(root))
    one = next(p for p in (root / ID / "contents").rglob("*") if p.is_file())
    one.write_bytes(one.read_bytes() + b"!")
    assert await refusal(started.restore(ID, ref)) == "sandbox_snapshot_missing"

    one.unlink()
    assert await refusal(started.restore(ID, ref)) == "sandbox_snapshot_missing"

    (root / ID / "snapshots" / f"{ref}.json").write_text("{}")
    assert await refusal(started.restore(ID, ref)) == "sandbox_snapshot_missing"
    assert shape(tree_of(root)) == before


async def test_special_files_are_refused_and_named(started: ProcessProvider, sh: Sh) -> None:
    await sh("mkfifo a/pipe")
    with pytest.raises(ProviderError) as refused:
        await started.snapshot(ID, "with a pipe")

    assert refused.value.diagnostic.code == "sandbox_file_refused"
    assert "a/pipe" in refused.value.diagnostic.message
    await sh("rm a/pipe")
    await started.snapshot(ID, "without")


async def test_a_tree_too_deep_is_refused_measured_as_full_and_removed(
    started: ProcessProvider, sh: Sh, root: Path
) -> None:
    await sh("i=0; while [ $i -lt 300 ]; do mkdir -p d && cd -P d; i=$((i+1)); done; echo x >x")
    assert await refusal(started.snapshot(ID, "deep")) == "sandbox_file_refused"
    assert await refusal(sh("true")) == "sandbox_over_quota"

    await started.destroy(ID)
    assert [path.name for path in paths(root)] == []


def test_a_socket_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "it"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.fspath(folder / "here"))
    with pytest.raises(RefusedTreeError, match="here is a device, a pipe or a socket"):
        list(walk(folder))


async def test_a_restore_ends_the_commands_that_run(started: ProcessProvider, sh: Sh) -> None:
    import anyio

    ref = await started.snapshot(ID, "clean")
    outcomes: list[CommandOutcome] = []

    async def _run() -> None:
        outcomes.append(await sh("touch begun; sleep 60", seconds=60))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(_run)
            while (await sh("test -e begun")).exit_code != 0:
                await anyio.lowlevel.checkpoint()
            await started.restore(ID, ref)

    assert [outcome.ending for outcome in outcomes] == ["killed"]
    assert (await sh("test -e begun")).exit_code == 1


def test_a_folder_that_becomes_a_link_while_it_is_read_leads_nowhere(
    tmp_path: Path,
) -> None:
    """What a command could do while a snapshot is taken of its files."""
    secret = tmp_path / "host"
    secret.mkdir()
    (secret / "key").write_text("host's")
    top = tmp_path / "top"
    (top / "m").mkdir(parents=True)
    (top / "m" / "key").write_text("mine")
    (top / "a").write_text("first")
    seen = {}
    for found in walk(top):
        if found.path == b"a":
            (top / "m").rename(top / "was")
            (top / "m").symlink_to(secret)
        seen[found.path] = found.kind, found.target

    assert seen == {b"a": ("file", b""), b"m": ("link", os.fsencode(secret))}


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, to lack rights")
def test_an_ordinary_user_keeps_and_removes_what_it_may_not_read(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    for above in tmp_path.parents:
        if above.name.startswith(("pytest-", "popen-")):
            above.chmod(0o755)
    os.seteuid(65534)
    try:
        top = tmp_path / "top"
        (top / "shut" / "in").mkdir(parents=True)
        (top / "shut" / "in" / "file").write_text("kept")
        (top / "shut" / "in" / "file").chmod(0)
        (top / "shut" / "in").chmod(0o100)
        (top / "shut").chmod(0)
        copy_tree(top, tmp_path / "copy", bytes_max=100)
        modes = [
            stat.S_IMODE((tmp_path / name / "shut").stat().st_mode) for name in ("top", "copy")
        ]
        remove_tree(top)
        (tmp_path / "copy" / "shut").chmod(0o700)
        (tmp_path / "copy" / "shut" / "in").chmod(0o700)
        (tmp_path / "copy" / "shut" / "in" / "file").chmod(0o600)
        content = (tmp_path / "copy" / "shut" / "in" / "file").read_text()
    finally:
        os.seteuid(0)

    assert modes == [0, 0]
    assert content == "kept"
    assert not top.exists()


names = st.binary(min_size=1, max_size=6).filter(
    lambda name: name not in (b".", b"..") and not set(name) & {0, ord("/")}
)
leaves = st.one_of(
    st.tuples(
        st.just("file"), st.sampled_from((0o600, 0o644, 0o755, 0o400)), st.binary(max_size=9)
    ),
    st.tuples(st.just("link"), st.just(0o777), names),
)
trees = st.recursive(leaves, lambda inner: st.dictionaries(names, inner, max_size=4), max_leaves=8)


def plant(folder: bytes, tree: object) -> None:
    Path(os.fsdecode(folder)).mkdir()
    assert isinstance(tree, dict)
    for name, what in tree.items():
        path = Path(os.fsdecode(folder + b"/" + name))
        match what:
            case ("file", int(mode), bytes(content)):
                path.write_bytes(content)
                path.chmod(mode)
            case ("link", _, bytes(target)):
                path.symlink_to(os.fsdecode(target))
            case _:
                plant(os.fsencode(path), what)


def gathered(folder: Path) -> list[tuple[bytes, str, int, bytes]]:
    return [
        (f.path, f.kind, f.mode, f.target if f.kind == "link" else content(f.opened))
        for f in walk(folder)
    ]


def content(opened: int) -> bytes:
    return os.read(opened, 100) if opened >= 0 else b""


@settings(max_examples=60)
@given(
    before=st.dictionaries(names, trees, max_size=4),
    after=st.dictionaries(names, trees, max_size=4),
)
def test_any_two_folders_are_kept_told_apart_and_brought_back(
    before: dict[bytes, object], after: dict[bytes, object]
) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as made:
        top = Path(made)
        plant(os.fsencode(top / "one"), before)
        plant(os.fsencode(top / "two"), after)
        kept = top / "kept"
        kept.mkdir()
        snapshots = Snapshots(kept, before=no_step)
        snapshots.prepare()
        one, two = snapshots.take(top / "one", "one"), snapshots.take(top / "two", "two")
        snapshots.build(one, top / "three")

        assert gathered(top / "three") == gathered(top / "one")
        same = snapshots.read(one).entries == snapshots.read(two).entries
        assert same == (gathered(top / "one") == gathered(top / "two"))
        remove_tree(top / "three")


@given(st.binary(max_size=12))
def test_the_text_of_a_path_leads_back_to_it(path: bytes) -> None:
    assert path_bytes(shown(path)) == path


def test_a_manifest_that_leads_out_of_its_folder_is_refused(tmp_path: Path) -> None:
    from agentctl.adapters.runners.tree_manifest import Entry, Manifest, manifest_bytes
    from agentctl.canonical import sha256_hex

    snapshots = Snapshots(tmp_path, before=no_step)
    snapshots.prepare()
    for number, path in enumerate(("../x", "/x", "a/../../x", "")):
        entry = Entry(path=path, kind="folder", mode=0o700)
        data = manifest_bytes(Manifest(name="forged", entries=(entry,)))
        (tmp_path / "snapshots" / f"{sha256_hex(data)}.json").write_bytes(data)
        with pytest.raises(RefusedTreeError, match="leads out of the folder"):
            snapshots.build(sha256_hex(data), tmp_path / f"to-{number}")
    with pytest.raises(SnapshotMissingError):
        snapshots.read("f" * 64)

"""A storage root with branches is copied elsewhere, and the old one is gone. Source: ADR 22."""

import shutil
from pathlib import Path

import pytest

from agentctl.adapters.backends.local import LocalStore
from agentctl.graph.care.rehoming import NotAManifestError, at_home, rebased
from tests.graph.storage.storage_rig import Rig


async def brought_home(rig: Rig) -> int:
    """Writes every object as it must be where it lies now; returns how many had to change."""
    changed = 0
    for key in await rig.store.list("graphs/"):
        found = await rig.store.read(key)
        assert found is not None
        data = at_home(rig.store, key, found.data)
        if data != found.data:
            await rig.store.replace(key, data)
            changed += 1
    return changed


async def test_branches_are_read_and_written_where_the_root_lies_now(tmp_path: Path) -> None:
    old = Rig(LocalStore(tmp_path / "old"))
    await old.create("ann", "bob")
    await old.graphs.branch_create("g", "dev", stamp=old.stamp())
    await old.add("cyd", branch="dev")
    await old.graphs.branch_create("g", "exp", source="dev", stamp=old.stamp())
    await old.add("dan", branch="exp")
    shutil.move(tmp_path / "old", tmp_path / "a much longer name of a folder")
    new = Rig(LocalStore(tmp_path / "a much longer name of a folder"))
    new.numbers = old.numbers

    assert await brought_home(new) > 0
    assert await brought_home(new) == 0, "it is at home"

    assert await new.slugs("exp") == {"ann", "bob", "cyd", "dan"}
    await new.remove("ann", branch="exp")
    await new.add("eve", branch="dev")
    await new.graphs.branch_create("g", "more", source="exp", stamp=new.stamp())
    await new.add("fay", branch="more")
    assert await new.slugs("more") == {"bob", "cyd", "dan", "fay"}
    assert await new.slugs("dev") == {"ann", "bob", "cyd", "eve"}
    assert (await new.graphs.verify("g")).problems == ()


async def test_a_restored_object_is_as_it_must_be_in_its_new_root(tmp_path: Path) -> None:
    old, new = Rig(LocalStore(tmp_path / "old")), Rig(LocalStore(tmp_path / "new"))
    await old.create("ann", "bob")
    await old.graphs.branch_create("g", "a/b", stamp=old.stamp())
    await old.add("cyd", branch="a/b")
    for key in await old.store.list("graphs/"):
        found = await old.store.read(key)
        assert found is not None
        await new.store.create(key, at_home(new.store, key, found.data))
    shutil.rmtree(tmp_path / "old")

    assert await new.slugs("a/b") == {"ann", "bob", "cyd"}
    assert (await new.graphs.verify("g")).problems == ()


@pytest.mark.parametrize("data", [b"", b"x" * 40, b"\0" * 12 + b"LANC", b"\xff" * 20 + b"LANC"])
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(NotAManifestError):
        rebased(data, "t.lance", "/new/t.lance")

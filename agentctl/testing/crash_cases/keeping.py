"""Commands about what is kept: rows, graphs, the catalog, freezes, locks, archives, backups, anchors."""

from pathlib import Path
from typing import Final
from unittest.mock import patch

import msgspec

from agentctl.canonical import sha256_hex
from agentctl.domain.ops.archive import Archived
from agentctl.engine import auditing
from agentctl.engine.backup import list_backups
from agentctl.engine.cluster import Cluster
from agentctl.engine.journal import archived_key
from agentctl.testing.builders import QUERY, cluster_yaml, folder_files
from agentctl.testing.consent import caller, key_of
from agentctl.testing.crash_cases.words import (
    NO_ID,
    PAYLOADS,
    after,
    applied,
    asks,
    commits,
    consented_to,
    folder,
    forgotten_revisions,
    given,
    loaded,
    names,
    passed,
    removed,
    two_with_rows,
    untouched,
    widened,
    wider,
)
from agentctl.testing.crash_suite import Case
from agentctl.testing.sites import ELSEWHERE, Site, died_holding, do, told
from agentctl_tools.operation import Envelope
from agentctl_tools.restoring import Hands, restore

_RETENTION_S: Final = 8 * 24 * 3600.0
_PAST: Final = "graph.supply@past"
_AT_A_SHELL: Final = caller("agent:sarah", "agent", on_behalf_of="sarah")
"""An agent that uses the command line: no tool of MCP freezes."""
_ARCHIVED: Final = "ops: {archive: {backend: local, prefix: kept}}\n"
_ANCHORS: Final = "anchors.ndjson"


async def _purged(site: Site, cluster: Cluster) -> None:
    del cluster
    root = site.roots.by_id["spare"]
    assert root.purged == {root.commits[0].incarnation}


async def _loaded_once(site: Site, cluster: Cluster) -> None:
    await commits(supply="create write write")(site, cluster)
    assert names(site, "supply") == ["a", "b", "c"]


_note_dropped: Final = given(
    wider,
    after(applied),
    folder(folder_files("supply", "spare")),
    after(applied),
)
_erasing: Final = asks("graph_erase", {"graph": "supply", "intent": "for good"})


async def _proposed_once(site: Site, cluster: Cluster) -> None:
    await commits(supply="create write schema schema")(site, cluster)
    planned = await do(cluster, "plan", {})
    needs = planned.data.result.approvals_required  # type: ignore[attr-defined]
    assert [n.resource for n in needs] == [_PAST]


async def _erased_once(site: Site, cluster: Cluster) -> None:
    await commits(supply="create write schema schema erase")(site, cluster)
    assert names(site, "supply") == ["a", "b"]
    root = site.roots.by_id["supply"]
    past = [c.nonce for c in root.commits if c.kind in {"create", "write", "schema"}]
    assert not set(past) & set(root.tables), "what its older commits held is gone"
    assert len((await cluster.approvals.records()).consumptions) == 1


async def _taken_back(site: Site, cluster: Cluster) -> None:
    await commits(supply="create write schema schema")(site, cluster)
    assert (await do(cluster, "plan", {})).data.result.changes == ()  # type: ignore[attr-defined]


async def _left_behind(site: Site) -> None:
    """Payloads are there that no kept revision names, for the older ones were collected."""
    await two_with_rows(site)
    for number in range(3):
        site.write({"supply.gq": f"// {number}\n{QUERY}"})
        await after(applied)(site)
    await forgotten_revisions(site)


async def _disposal_approved(site: Site) -> None:
    await given(_left_behind, after(_proposing))(site)
    planned = await site.must("plan", {})
    (need,) = planned.result.approvals_required
    await consented_to(need.resource)(site)


async def _garbage_gone(site: Site, cluster: Cluster) -> None:
    await untouched(site, cluster)
    left = await cluster.store.list(PAYLOADS)
    assert len(left) == 2, left


async def _nothing_removed(site: Site, cluster: Cluster) -> None:
    """A proposal alone removes nothing."""
    del site
    assert len(await cluster.store.list(PAYLOADS)) == 4


_proposing: Final = asks("gc_propose", {"intent": "clear away"})
_freezing: Final = asks("freeze", {"intent": "stop"})


async def _thaw(site: Site, cluster: Cluster) -> Envelope:
    del site
    listed = await do(cluster, "freezes", {})
    assert listed.ok, listed.diagnostics
    held = listed.data.freezes  # type: ignore[attr-defined]
    name = held[0].id if held else NO_ID
    arguments = {"freeze": name, "reason": "mended", "confirmation": "cluster"}
    return await do(cluster, "thaw", arguments)


async def _all_thawed(site: Site) -> None:
    for _ in range(3):
        cluster = await site.open()
        listed = await do(cluster, "freezes", {})
        if not listed.data.freezes:  # type: ignore[attr-defined]
            return
        await after(_thaw)(site)


async def _not_frozen(site: Site, cluster: Cluster) -> None:
    await untouched(site, cluster)
    assert (await do(cluster, "freezes", {})).data.freezes == ()  # type: ignore[attr-defined]


async def _force_unlock(site: Site, cluster: Cluster) -> Envelope:
    del site
    locks = await cluster.leases.locks()
    lock_id = locks[0].lock_id if locks else NO_ID
    return await do(cluster, "force_unlock", {"lock_id": lock_id, "intent": "it hangs"})


async def _lock_left(site: Site) -> None:
    """A process died while it held the lease of the cluster."""
    await wider(site)
    await died_holding(site, site.start(), "cluster")


async def _anchor(site: Site, cluster: Cluster) -> Envelope:
    assert site.faults is not None
    faults, append = site.faults, auditing.append_line

    def struck(path: Path, line: bytes) -> None:
        def tear() -> None:
            with path.open("ab") as file:
                file.write(line[: len(line) // 2])

        faults.on_a_disk(f"append {path.name}", lambda: append(path, line), tear)

    with patch.object(auditing, "append_line", struck):
        return await do(cluster, "audit_anchor", {"place": str(site.folder / _ANCHORS)})


async def _anchored(site: Site, cluster: Cluster) -> None:
    """The command that went well last is witnessed by the anchor that it told of."""
    await untouched(site, cluster)
    verified = await do(cluster, "audit_verify", {"anchors": [str(site.folder / _ANCHORS)]})
    assert verified.ok, verified.diagnostics
    assert verified.data.proved_by_anchor is not None  # type: ignore[attr-defined]


async def _archive_missing(site: Site) -> None:
    """Ops wait for an archive that did not answer."""
    await two_with_rows(site)
    archive = site.with_archive()
    site.write({"cluster.yaml": cluster_yaml("supply", "spare", more=_ARCHIVED)})
    await consented_to("ops")(site)
    archive.is_down = True
    await given(after(applied), after(asks("refresh", {"intent": "a look"})))(site)
    archive.is_down = False
    assert await (await site.open()).journal.unarchived() != ()


async def _archived_once(site: Site, cluster: Cluster) -> None:
    """Each op is claimed to be in a snapshot that has its records as they are claimed to be."""
    await untouched(site, cluster)
    assert site.archive is not None
    assert await cluster.journal.unarchived() == ()
    claims = 0
    for op in await cluster.journal.list(limit=1000):
        found = await cluster.store.read(archived_key(op.id))
        if found is None:
            continue
        claims += 1
        claim = msgspec.json.decode(found.data, type=Archived)
        held = await site.archive.bring(claim.snapshot)
        assert claim.objects == {k: sha256_hex(held[k]) for k in claim.objects}, op.id
    assert claims > 1


_backing_up: Final = asks("backup_create", {"place": ELSEWHERE})


async def _backed_up(site: Site, cluster: Cluster) -> None:
    """Whatever is listed is whole, and one is there."""
    await untouched(site, cluster)
    listed = await list_backups(cluster.make_store(ELSEWHERE, site.folder))
    assert listed.diagnostics == ()
    assert listed.backups
    for made in listed.backups:
        arguments = {"place": ELSEWHERE, "backup_id": made.backup_id}
        verified = await do(cluster, "backup_verify", arguments)
        assert verified.ok, verified.diagnostics


async def _root_gone(site: Site) -> None:
    """There is a backup, and the storage root was replaced by an empty one."""
    await given(two_with_rows, after(_backing_up))(site)
    site.disk = site.disk.fresh(site.path / "another disk")


async def _restore_backup(site: Site, cluster: Cluster) -> Envelope:
    """Restores the newest backup into the root, as the verb does in the struck process."""
    assert site.faults is not None
    faults = site.faults
    (made,) = (await list_backups(cluster.make_store(ELSEWHERE, site.folder))).backups
    hands = Hands(
        make_store=cluster.make_store,
        open_cluster=lambda _: site.opened(faults),
        keys=(key_of("sarah").key,),
        signer=lambda _: key_of("sarah"),
        world=cluster.world,
    )
    restoring = restore(
        site.folder, ELSEWHERE, made.backup_id, intent="the disk is lost", hands=hands
    )
    return await told(restoring)


async def _goes_on(site: Site, cluster: Cluster) -> None:
    await commits(supply="create write", spare="create write")(site, cluster)
    (made,) = (await list_backups(cluster.make_store(ELSEWHERE, site.folder))).backups
    registry = await cluster.principals.registry()
    assert registry.cluster_id != made.cluster_id
    written = [h.envelope.kind for h in await cluster.ledger.history(limit=100)]
    assert written.count("restore") == 1, written
    verified = await do(cluster, "audit_verify", {})
    assert verified.ok, verified.diagnostics


KEEPING: Final[tuple[Case, ...]] = (
    Case(
        name="load",
        prepare=two_with_rows,
        command=loaded("supply", b'{"type": "Package", "data": {"name": "c"}}\n'),
        check=_loaded_once,
        again=frozenset({"load_key_violation"}),
    ),
    Case(
        name="graph restore",
        prepare=given(removed, folder(folder_files("supply", "spare"))),
        command=asks("graph_restore", {"graph": "spare", "intent": "it is used"}),
        check=commits(spare="create write tombstone restore"),
        again=frozenset({"graph_not_detached"}),
        apply_first="never",
    ),
    Case(
        name="graph purge",
        prepare=given(removed, passed(_RETENTION_S)),
        command=asks("graph_purge", {"graph": "spare", "intent": "its time is over"}),
        check=_purged,
        again=frozenset({"graph_restore_refused"}),
    ),
    Case(
        name="graph erase: propose",
        prepare=_note_dropped,
        command=_erasing,
        check=_proposed_once,
        again=frozenset({"disposal_proposed"}),
        converges=False,
    ),
    Case(
        name="graph erase: withdraw",
        prepare=given(_note_dropped, after(_erasing)),
        command=asks("graph_erase", {"graph": "supply", "intent": "keep it", "withdraw": True}),
        check=_taken_back,
        apply_first="never",
    ),
    Case(
        name="apply: graph erase",
        prepare=given(_note_dropped, after(_erasing), consented_to(_PAST)),
        command=applied,
        check=_erased_once,
    ),
    Case(
        name="catalog: propose",
        prepare=_left_behind,
        command=_proposing,
        check=_nothing_removed,
        again=frozenset({"disposal_proposed"}),
        converges=False,
    ),
    Case(
        name="catalog: withdraw",
        prepare=given(_left_behind, after(_proposing)),
        command=asks("gc_withdraw", {"intent": "keep it"}),
        check=_nothing_removed,
        apply_first="never",
    ),
    Case(
        name="apply: catalog garbage",
        prepare=_disposal_approved,
        command=applied,
        check=_garbage_gone,
    ),
    Case(
        name="freeze",
        prepare=two_with_rows,
        command=_freezing,
        check=_not_frozen,
        settle=_all_thawed,
        apply_first="never",
        again=frozenset({"frozen_already"}),
    ),
    Case(
        name="freeze: by an agent",
        prepare=two_with_rows,
        command=asks("freeze", {"intent": "stop"}, by=_AT_A_SHELL),
        check=_not_frozen,
        settle=_all_thawed,
        apply_first="never",
        again=frozenset({"frozen_already"}),
    ),
    Case(
        name="thaw",
        prepare=given(two_with_rows, after(_freezing)),
        command=_thaw,
        check=_not_frozen,
        settle=_all_thawed,
        apply_first="never",
        again=frozenset({"freeze_not_found"}),
    ),
    Case(
        name="force-unlock",
        prepare=_lock_left,
        command=_force_unlock,
        check=widened,
        again=frozenset({"state_lock_missing"}),
    ),
    Case(
        name="archive run",
        prepare=_archive_missing,
        command=asks("archive_run", {"intent": "it answers again"}),
        check=_archived_once,
    ),
    Case(
        name="backup create",
        prepare=two_with_rows,
        command=_backing_up,
        check=_backed_up,
    ),
    Case(
        name="backup restore",
        prepare=_root_gone,
        command=_restore_backup,
        check=_goes_on,
        again=frozenset({"restore_root_not_empty"}),
        apply_first="never",
    ),
    Case(name="audit anchor", prepare=two_with_rows, command=_anchor, check=_anchored),
)

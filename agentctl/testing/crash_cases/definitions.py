"""Commands about what a folder declares: apply, import, refresh, reconcile, plan, rollback, drafts."""

from typing import Final

from agentctl.engine.cluster import Cluster
from agentctl.testing.builders import QUERY, SCHEMA, WIDER_SCHEMA, cluster_yaml, folder_files
from agentctl.testing.crash_cases.words import (
    MORE_QUERIES,
    PAYLOADS,
    answers,
    applied,
    applied_resources,
    apply_with,
    asks,
    commits,
    consented_to,
    folder,
    given,
    lost,
    names,
    newest_without,
    not_detached,
    query_added,
    query_written,
    spare_removed,
    two_declared,
    two_empty,
    two_with_rows,
    untouched,
    widened,
    wider,
)
from agentctl.testing.crash_suite import Case
from agentctl.testing.sites import AGENT, Site, do
from agentctl_tools.operation import Envelope

_NAMES: Final = "query.supply.names"
_TIGHTER: Final = SCHEMA.replace("  version: String?\n", "  version: String\n")
_LEDGER: Final = ("__cluster/ledger/", "__cluster/state")


async def _declared(site: Site) -> None:
    site.write(folder_files("supply", "spare"))


async def _drafted(site: Site) -> None:
    await two_with_rows(site)
    draft = await site.must("draft_edit", {"path": "supply.pg", "content": WIDER_SCHEMA}, by=AGENT)
    edit = {"in": draft.draft, "path": "supply.gq", "content": MORE_QUERIES}
    await site.must("draft_edit", edit, by=AGENT)


async def _apply_draft(site: Site, cluster: Cluster) -> Envelope:
    del site
    (draft,) = await cluster.drafts.list()
    return await do(cluster, "apply", {"in": draft.id, "intent": "the draft"})


async def _edit_draft(site: Site, cluster: Cluster) -> Envelope:
    del site
    (draft,) = await cluster.drafts.list()
    arguments = {"in": draft.id, "path": "supply.gq", "content": QUERY}
    return await do(cluster, "draft_edit", arguments, by=AGENT)


async def _home(site: Site, cluster: Cluster) -> None:
    assert (site.folder / "supply.pg").read_text(encoding="utf-8") == WIDER_SCHEMA
    await widened(site, cluster)


async def _still_open(site: Site, cluster: Cluster) -> None:
    del site
    assert len(await cluster.drafts.list()) == 1


async def _tightened_once(site: Site, cluster: Cluster) -> None:
    await commits(supply="create schema")(site, cluster)
    used = (await cluster.approvals.records()).consumptions
    assert len(used) == 1, used


async def _reconciled(site: Site, cluster: Cluster) -> None:
    await not_detached(site, cluster)
    assert len(await cluster.approvals.open_requests()) == 1
    assert _NAMES in await applied_resources(cluster)


async def _rollback(site: Site, cluster: Cluster) -> Envelope:
    """Back to what was before the newest apply that added the query."""
    del site
    to = await newest_without(cluster, _NAMES)
    return await do(cluster, "rollback", {"to": to, "intent": "it was wrong"})


async def _query_is_gone(site: Site) -> None:
    assert _NAMES not in await applied_resources(await site.open())


async def _query_is_back(site: Site, cluster: Cluster) -> None:
    await untouched(site, cluster)
    assert _NAMES in await applied_resources(cluster)
    assert "rollback" in [h.envelope.kind for h in await cluster.ledger.history(limit=100)]


async def _config_restore(site: Site, cluster: Cluster) -> Envelope:
    """A draft of the files as they were before the query was added."""
    del site
    return await do(cluster, "config_restore", {"seq": await newest_without(cluster, _NAMES)})


async def _drafted_back(site: Site, cluster: Cluster) -> None:
    """A draft holds the files of then, whole; one that was begun and left holds none of them."""
    await untouched(site, cluster)
    whole = {"supply.gq": QUERY.encode()}
    held = [await cluster.drafts.overlay(draft.id) for draft in await cluster.drafts.list()]
    assert whole in held, held
    assert all(overlay in (whole, {}) for overlay in held), held


async def _query_moved(site: Site) -> None:
    await two_with_rows(site)
    move = "moved: [{from: query.supply.all_packages, to: query.supply.every_package}]\n"
    site.write(
        {
            "supply.gq": QUERY.replace("all_packages", "every_package"),
            "cluster.yaml": cluster_yaml("supply", "spare", policies=move),
        }
    )


async def _graph_moved(site: Site) -> None:
    await two_with_rows(site)
    move = "moved: [{from: graph.spare, to: graph.parts}]\n"
    site.write({"spare.pg": None, "spare.gq": None, "parts.pg": SCHEMA, "parts.gq": QUERY})
    site.write({"cluster.yaml": cluster_yaml("supply", "parts", policies=move)})


async def _graph_has_its_new_name(site: Site, cluster: Cluster) -> None:
    await not_detached(site, cluster)  # its root stays where it is
    assert names(site, "spare") == ["a", "b"]
    await answers("parts.all_packages", 2)(site, cluster)


_created: Final = commits(supply="create", spare="create")

DEFINITIONS: Final[tuple[Case, ...]] = (
    Case(name="apply: create", prepare=two_declared, command=applied, check=_created),
    Case(name="apply: schema", prepare=wider, command=applied, check=widened),
    Case(
        name="apply: queries",
        prepare=query_written,
        command=applied,
        check=commits(answers("supply.names"), supply="create write"),
    ),
    Case(
        name="apply: with a key",
        prepare=wider,
        command=asks(
            "apply",
            {
                "in": "cluster",
                "intent": "what the folder says",
                "idempotency_key": "the-same-each-time",
                "without_gated": True,
            },
            by=AGENT,
        ),
        check=widened,
    ),
    Case(
        name="apply: tightening",
        prepare=given(two_empty, folder({"supply.pg": _TIGHTER}), consented_to("schema.supply")),
        command=applied,
        check=_tightened_once,
    ),
    Case(
        name="apply: draft",
        prepare=_drafted,
        command=_apply_draft,
        check=_home,
        again=frozenset({"draft_not_found", "draft_base_moved"}),
        apply_first="never",
    ),
    Case(
        name="apply: a query's new name",
        prepare=_query_moved,
        command=applied,
        check=commits(answers("supply.every_package"), supply="create write"),
    ),
    Case(
        name="apply: a graph's new name",
        prepare=_graph_moved,
        command=applied,
        check=_graph_has_its_new_name,
    ),
    Case(
        name="apply: drift",
        prepare=given(two_with_rows, lost(PAYLOADS)),
        command=apply_with(refresh=True),
        check=untouched,
    ),
    Case(
        name="import",
        prepare=_declared,
        command=asks("import", {"intent": "begin"}),
        check=_created,
        again=frozenset({"state_already_exists"}),
    ),
    Case(
        name="import: over live graphs",
        prepare=given(wider, lost(*_LEDGER)),
        command=asks("import", {"intent": "begin"}),
        check=widened,
        again=frozenset({"state_already_exists"}),
    ),
    Case(
        name="refresh",
        prepare=wider,
        command=asks("refresh", {"intent": "a look"}),
        check=widened,
    ),
    Case(
        name="refresh: drift",
        prepare=given(two_with_rows, lost(PAYLOADS)),
        command=asks("refresh", {"intent": "a look"}),
        check=untouched,
    ),
    Case(
        name="reconcile",
        prepare=given(spare_removed, folder({"supply.gq": MORE_QUERIES})),
        command=asks("reconcile", {"intent": "keep it so", "once": True}),
        check=_reconciled,
        converges=False,
        apply_first="waits",
    ),
    Case(
        name="plan --keep",
        prepare=wider,
        command=asks("plan", {"keep": True}),
        check=widened,
    ),
    Case(
        name="rollback",
        prepare=query_added,
        command=_rollback,
        check=_query_is_back,
        settle=_query_is_gone,
        apply_first="never",
    ),
    Case(name="draft edit", prepare=_drafted, command=_edit_draft, check=_still_open),
    Case(
        name="config restore",
        prepare=query_added,
        command=_config_restore,
        check=_drafted_back,
    ),
)

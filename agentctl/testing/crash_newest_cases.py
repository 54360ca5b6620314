"""Commands for the crash suite that say who is who, take a folder back, and bear witness."""

from typing import Final

from agentctl.engine.cluster import Cluster
from agentctl.testing.builders import QUERY
from agentctl.testing.consent import caller, key_of
from agentctl.testing.crash_cases import kinds, two_with_rows
from agentctl.testing.crash_later_cases import ALL_CASES as EARLIER_CASES
from agentctl.testing.crash_later_cases import all_thawed, untouched
from agentctl.testing.crash_suite import Case
from agentctl.testing.sites import Site, do
from agentctl_tools.operation import Envelope

_NAMED: Final = "query names() { match { $p: Package } return { $p.name } }\n"
_HOUR_S: Final = 3600
_AT_A_SHELL: Final = caller("agent:sarah", "agent", on_behalf_of="sarah")
"""An agent that uses the command line: no tool of MCP freezes."""


async def _freeze_as_agent(site: Site, cluster: Cluster) -> Envelope:
    del site
    return await do(cluster, "freeze", {"intent": "stop"}, by=_AT_A_SHELL)


async def _tom_enrolled(site: Site) -> None:
    await two_with_rows(site)
    tom = {"id": "tom", "key": key_of("tom").key, "assurance": "file"}
    await site.must("identity_add_human", tom)


async def _rotate(site: Site, cluster: Cluster) -> Envelope:
    del site
    return await do(cluster, "identity_rotate", {"id": "tom", "key": key_of("tom's new").key})


async def _regroup(site: Site, cluster: Cluster) -> Envelope:
    del site
    return await do(cluster, "identity_groups", {"id": "tom", "in_groups": ["owners"]})


async def _add_agent(site: Site, cluster: Cluster) -> Envelope:
    del site
    arguments = {"id": "agent:tom", "of_kind": "agent", "key": key_of("agent:tom").key}
    return await do(cluster, "identity_add", arguments)


async def _delegate(site: Site, cluster: Cluster) -> Envelope:
    del site
    return await do(cluster, "identity_delegate", {"to": "tom", "seconds": _HOUR_S})


async def _set_recovery(site: Site, cluster: Cluster) -> Envelope:
    del site
    return await do(cluster, "identity_recovery", {"key": key_of("recovery").key})


async def _people_stand(site: Site, cluster: Cluster) -> None:
    """The chain holds, and says what was asked for at least once and at most twice."""
    assert kinds(site, "supply") == ["create", "write"]
    registry = await cluster.principals.registry()
    assert registry.head.length in {3, 4}, registry.head


async def _query_added(site: Site) -> None:
    await two_with_rows(site)
    site.write({"supply.gq": f"{QUERY}\n{_NAMED}"})
    await site.must("apply", {"intent": "another query"})


async def _config_restore(site: Site, cluster: Cluster) -> Envelope:
    """A draft of the files as they were before the query was added."""
    del site
    history = await cluster.ledger.history(limit=100)
    without = [
        h.seq
        for h in history
        if h.envelope.kind == "apply"
        and "query.supply.names" not in h.envelope.state.applied_revision.resources
    ]
    return await do(cluster, "config_restore", {"seq": min(without)})


async def _drafted_back(site: Site, cluster: Cluster) -> None:
    """A draft holds the files of then, whole; one that was begun and left holds none of them."""
    assert kinds(site, "supply") == ["create", "write"]
    whole = {"supply.gq": QUERY.encode()}
    held = [await cluster.drafts.overlay(draft.id) for draft in await cluster.drafts.list()]
    assert whole in held, held
    assert all(overlay in (whole, {}) for overlay in held), held


async def _anchor(site: Site, cluster: Cluster) -> Envelope:
    return await do(cluster, "audit_anchor", {"place": str(site.path / "anchors.ndjson")})


async def _anchored(site: Site, cluster: Cluster) -> None:
    assert kinds(site, "supply") == ["create", "write"]
    place = str(site.path / "anchors.ndjson")
    verified = await do(cluster, "audit_verify", {"anchors": [place]})
    assert verified.ok, verified.diagnostics


_AGAIN: Final = frozenset({"principal_refused"})

NEWEST_CASES: Final[tuple[Case, ...]] = (
    Case(
        name="freeze: by an agent",
        prepare=two_with_rows,
        command=_freeze_as_agent,
        check=untouched,
        settle=all_thawed,
        apply_first="never",
        again=frozenset({"frozen_already"}),
    ),
    Case(
        name="identity: rotate",
        prepare=_tom_enrolled,
        command=_rotate,
        check=_people_stand,
        again=_AGAIN,
    ),
    Case(
        name="identity: groups",
        prepare=_tom_enrolled,
        command=_regroup,
        check=_people_stand,
        again=_AGAIN,
    ),
    Case(
        name="identity: add an agent",
        prepare=_tom_enrolled,
        command=_add_agent,
        check=_people_stand,
        again=_AGAIN,
    ),
    Case(
        name="identity: delegate",
        prepare=_tom_enrolled,
        command=_delegate,
        check=_people_stand,
        again=_AGAIN,
    ),
    Case(
        name="identity: recovery",
        prepare=_tom_enrolled,
        command=_set_recovery,
        check=_people_stand,
        again=_AGAIN,
    ),
    Case(
        name="config restore",
        prepare=_query_added,
        command=_config_restore,
        check=_drafted_back,
    ),
    Case(name="audit anchor", prepare=two_with_rows, command=_anchor, check=_anchored),
)
ALL_CASES: Final = (*EARLIER_CASES, *NEWEST_CASES)
"""Every command."""

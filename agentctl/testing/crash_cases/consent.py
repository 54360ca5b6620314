"""Commands about consent: what is asked, decided, decided alone, reviewed, and used by an apply."""

from typing import Final

from agentctl.domain.ledger.state import Tombstone
from agentctl.engine.cluster import Cluster
from agentctl.testing.builders import QUERY, cluster_yaml
from agentctl.testing.consent import caller, key_of
from agentctl.testing.crash_cases.words import (
    after,
    applied,
    asked_for,
    asking_for,
    asks,
    commits,
    consented_to,
    deciding,
    enrolled,
    folder,
    given,
    not_detached,
    passed,
    removal_approved,
    removal_asked,
    spare_removed,
    two_with_rows,
)
from agentctl.testing.crash_suite import Case
from agentctl.testing.sites import Site, do
from agentctl_tools.operation import Envelope

_DAY_S: Final = 24 * 3600.0
_ENOUGH_S: Final = _DAY_S + 60.0
"""A request lives for a day."""
_CLOSED: Final = frozenset({"approval_closed"})
_TOM: Final = caller("tom", at_terminal=True)
_TWO_PEOPLE: Final = "approvals: {two: {match: {classes: [irreversible]}, need: {count: 2}}}\n"


async def _detached_once(site: Site, cluster: Cluster) -> None:
    await commits(spare="create write tombstone")(site, cluster)
    head = await cluster.ledger.head()
    assert head is not None
    tombstone = head.envelope.state.observations["graph.spare"]
    assert isinstance(tombstone, Tombstone)
    used = (await cluster.approvals.records()).consumptions
    assert [c.approval_id for c in used] == [tombstone.approval_id]


async def _one_open(site: Site, cluster: Cluster) -> None:
    await not_detached(site, cluster)
    opened = await cluster.approvals.open_requests()
    assert len(opened) == 1, opened


async def _decided_once(site: Site, cluster: Cluster) -> None:
    records = await cluster.approvals.records()
    assert len(records.artifacts) == 1, records.artifacts
    detached = records.artifacts[0].decision == "approve"
    tail = " tombstone" if detached else ""
    await commits(spare=f"create write{tail}")(site, cluster)


async def _unused(site: Site, cluster: Cluster) -> None:
    """The approval ran out, and nothing was done by it."""
    await not_detached(site, cluster)
    records = await cluster.approvals.records()
    assert (len(records.artifacts), records.consumptions) == (1, ()), records


async def _sent_back(site: Site, cluster: Cluster) -> None:
    await not_detached(site, cluster)
    records = await cluster.approvals.records()
    assert [a.decision for a in records.artifacts] == ["request_changes"]


_alone: Final = deciding("approve", reason="the pager", break_glass=True)
_for_emergencies: Final = given(
    two_with_rows,
    after(asks("identity_groups", {"id": "sarah", "in_groups": ["breakglass"]})),
    after(enrolled("tom")),
    folder({"cluster.yaml": cluster_yaml("supply", "spare", policies=_TWO_PEOPLE)}),
    consented_to("approval.two"),
    after(applied),
    folder(
        {
            "spare.pg": None,
            "spare.gq": None,
            "cluster.yaml": cluster_yaml("supply", policies=_TWO_PEOPLE),
        }
    ),
    asked_for(),
)
"""A removal waits for two people, and sarah may decide alone in an emergency."""
_decided_alone: Final = given(_for_emergencies, after(_alone))


async def _alone_once(site: Site, cluster: Cluster) -> None:
    await _detached_once_of(site, cluster)
    listed = await do(cluster, "emergencies", {})
    assert [e.used for e in listed.data.emergencies] == [True]  # type: ignore[attr-defined]


async def _detached_once_of(site: Site, cluster: Cluster) -> None:
    """The graph is detached by the approval of that, which was used once."""
    await commits(spare="create write tombstone")(site, cluster)
    records = await cluster.approvals.records()
    (of_it,) = [a.approval_id for a in records.artifacts if a.resource == "graph.spare"]
    assert [c.approval_id for c in records.consumptions].count(of_it) == 1


async def _review(site: Site, cluster: Cluster) -> Envelope:
    """Tom looks at what sarah decided alone."""
    del site
    listed = await do(cluster, "emergencies", {})
    (one,) = listed.data.emergencies  # type: ignore[attr-defined]
    arguments = {
        "approval_id": one.artifact.approval_id,
        "finding": "justified",
        "reason": "it was on fire",
    }
    return await do(cluster, "approval_review", arguments, by=_TOM, signer=key_of("tom"))


async def _reviewed_once(site: Site, cluster: Cluster) -> None:
    await _alone_once(site, cluster)
    listed = await do(cluster, "emergencies", {})
    (one,) = listed.data.emergencies  # type: ignore[attr-defined]
    assert one.review is not None
    assert one.review.reviewer == "tom"


CONSENT: Final[tuple[Case, ...]] = (
    Case(
        name="request approval",
        prepare=spare_removed,
        command=asking_for(),
        check=_one_open,
        converges=False,
    ),
    Case(
        name="request approval: the last one ran out",
        prepare=given(removal_asked, passed(_ENOUGH_S)),
        command=asks(
            "request_approval",
            {"gate": "graph.spare", "intent": "still unused", "idempotency_key": "again"},
        ),
        check=_one_open,
        converges=False,
    ),
    Case(
        name="approve",
        prepare=removal_asked,
        command=deciding("approve"),
        check=_decided_once,
        apply_first="waits",
        again=_CLOSED,
    ),
    Case(
        name="deny",
        prepare=removal_asked,
        command=deciding("deny"),
        check=_decided_once,
        again=_CLOSED,
        converges=False,
    ),
    Case(
        name="request changes",
        prepare=removal_asked,
        command=deciding("request_changes", reason="keep it a week"),
        check=_sent_back,
        again=_CLOSED,
        converges=False,
    ),
    Case(
        name="apply: delete",
        prepare=removal_approved,
        command=applied,
        check=_detached_once,
    ),
    Case(
        name="apply: the approval ran out",
        prepare=given(removal_approved, passed(_ENOUGH_S), folder({"supply.gq": f"// 1\n{QUERY}"})),
        command=applied,
        check=_unused,
        converges=False,
    ),
    Case(
        name="break-glass: decide",
        prepare=_for_emergencies,
        command=_alone,
        check=_alone_once,
        apply_first="waits",
        again=_CLOSED,
    ),
    Case(
        name="apply: delete by break-glass",
        prepare=_decided_alone,
        command=applied,
        check=_alone_once,
    ),
    Case(
        name="break-glass: review",
        prepare=given(_decided_alone, after(applied)),
        command=_review,
        check=_reviewed_once,
        again=_CLOSED,
    ),
)

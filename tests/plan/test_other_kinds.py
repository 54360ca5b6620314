"""Kinds without a step, moves, forgetting, protection, providers: what a plan makes of them."""

from collections.abc import Mapping

import msgspec
import pytest

from agentctl.canonical import digest_of
from agentctl.domain.config.model import (
    ApplyGroup,
    ApplySettings,
    BlobBase,
    Dependency,
    DesiredCluster,
    DesiredEmbeddingProvider,
    DesiredGraph,
    DesiredResource,
    EmbeddingProfile,
    Move,
    ResourceSummary,
)
from agentctl.domain.plan.codec import plan_digest
from agentctl.domain.plan.diff import draft_plan, finish
from agentctl.domain.plan.dispositions import demote
from agentctl.domain.plan.inputs import GateStanding, PlanInputs
from agentctl.domain.plan.model import Change, Plan
from agentctl.domain.plan.order import stages
from agentctl.domain.plan.recorded import blob_policy, profile_fields, wanted_settings
from agentctl.ids import Address, Kind, embedding_provider_address, query_address
from agentctl.testing.paper import paper_cluster, paper_graph, paper_inputs, paper_policy

GRAPH = paper_graph("g", {"Thing": "name!"}, queries={"all": "q1"})
PROVIDER = EmbeddingProfile(kind="openai", model="m", api_key="${KEY}")
ADDRESS = embedding_provider_address("e")


def other(address: str, kind: Kind, /, **fields: object) -> DesiredResource:
    return DesiredResource(
        address=Address(address), kind=kind, digest=digest_of([kind, fields]), fields=fields
    )


def provider(profile: EmbeddingProfile) -> DesiredEmbeddingProvider:
    return DesiredEmbeddingProvider(name="e", profile=profile, digest=digest_of(profile))


def cluster(
    *graphs: DesiredGraph,
    providers: tuple[DesiredEmbeddingProvider, ...] = (),
    others: tuple[DesiredResource, ...] = (),
    **more: object,
) -> DesiredCluster:
    paper = paper_cluster(*graphs)
    found = [
        *paper.resources,
        *(
            ResourceSummary(address=p.address, kind="embedding_provider", digest=p.digest)
            for p in providers
        ),
        *(ResourceSummary(address=o.address, kind=o.kind, digest=o.digest) for o in others),
    ]
    return msgspec.structs.replace(
        paper,
        resources=tuple(sorted(found, key=lambda r: r.address)),
        embedding_providers=providers,
        others=others,
        **more,
    )


def bound(graph: DesiredGraph, **settings: object) -> DesiredGraph:
    digest = digest_of([graph.digest, sorted(settings)])
    return msgspec.structs.replace(graph, digest=digest, **settings)


def inputs(desired: DesiredCluster, applied: DesiredCluster | None = None) -> PlanInputs:
    """The inputs of a plan over a ledger that also holds the settings of *applied*."""
    given = paper_inputs(desired, applied)
    if applied is None or given.state is None:
        return given
    resources = dict(given.recorded)
    for p in applied.embedding_providers:
        profile = profile_fields(p.profile)
        resources[p.address] = msgspec.structs.replace(
            resources[p.address], embedding_profile=profile
        )
    for graph in applied.graphs:
        address = f"graph.{graph.id}"
        resources[address] = msgspec.structs.replace(
            resources[address],
            embedding_provider=graph.embedding_provider,
            external_blob_policy=blob_policy(graph),
        )
    for o in applied.others:
        del resources[o.address]
    revision = msgspec.structs.replace(given.state.applied_revision, resources=resources)
    state = msgspec.structs.replace(given.state, applied_revision=revision)
    return msgspec.structs.replace(given, state=state)


def plan_of(given: PlanInputs, *, approve: bool = False) -> Plan:
    draft = draft_plan(given)
    standings = {g.key: GateStanding(state="approved") for g in draft.gates} if approve else {}
    return finish(draft, standings)


def lines(plan: Plan) -> list[str]:
    return [
        " ".join(x for x in (c.operation, c.resource, c.disposition, c.reason) if x)
        for c in plan.changes
    ]


def change_of(plan: Plan, address: str) -> Change:
    return next(c for c in plan.changes if c.resource == address)


def test_a_kind_without_a_step_is_deferred_with_a_warning_and_the_rest_goes_on() -> None:
    board = other("ui.board", "ui", file="x")
    plan = plan_of(inputs(cluster(GRAPH, others=(board,))))

    assert lines(plan) == [
        "create graph.g applied",
        "create query.g.all applied",
        "create schema.g applied",
        "create ui.board deferred apply_unsupported_kind",
    ]
    assert [(d.code, d.severity, d.path) for d in plan.diagnostics] == [
        ("apply_unsupported_change", "warning", "ui.board")
    ]
    assert plan.resource_digests["ui.board"] == board.digest


@pytest.mark.parametrize(
    ("address", "kind", "fields", "classes"),
    [
        ("ui.u", "ui", {}, ("reversible",)),
        ("alias.a", "alias", {}, ("reversible",)),
        ("embedding.e", "embedding", {}, ("reversible",)),
        ("binding.query.g.all->mcp", "binding", {}, ("reversible",)),
        ("approval.a", "approval", {}, ("authority",)),
        ("ops", "ops", {"retention": {}}, ("authority",)),
        ("provider.source.s", "source_provider", {"kind": "http"}, ("authority",)),
        ("provider.storage.s", "storage_provider", {"kind": "s3"}, ("authority",)),
        ("remote.r", "remote", {"url": "/srv/r.git"}, ("authority",)),
        (
            "pipeline.p",
            "pipeline",
            {"targets": [{"graph": "graph.g", "mode": "append"}]},
            ("authority",),
        ),
        (
            "pipeline.p",
            "pipeline",
            {"targets": [{"graph": "graph.g", "mode": "overwrite"}]},
            ("authority", "irreversible"),
        ),
        (
            "pipeline.p",
            "pipeline",
            {"targets": [{"graph": "graph.h", "mode": "overwrite"}]},
            ("authority",),
        ),
    ],
)
def test_a_new_kind_has_its_classes_and_asks_only_for_what_is_carried_out(
    address: str, kind: Kind, fields: Mapping[str, object], classes: tuple[str, ...]
) -> None:
    desired = cluster(GRAPH, others=(other(address, kind, **fields),))
    given = msgspec.structs.replace(
        inputs(desired, cluster(GRAPH)), protected=(Address("graph.g"),)
    )
    given = msgspec.structs.replace(
        given, desired=msgspec.structs.replace(desired, protect=(Address("graph.g"),))
    )

    plan = plan_of(given)

    (change,) = plan.changes
    waits = "blocked" if classes == ("authority",) else "applied"
    deferred = kind in {"ui", "pipeline"}
    assert (change.classes, change.disposition) == (classes, "deferred" if deferred else waits)
    assert len(draft_plan(given).gates) == (waits == "blocked" and not deferred)


SENDS = {"provider": ADDRESS, "graph": "graph.g", "property": "Package.name", "model": "m"}


@pytest.mark.parametrize(
    ("profile", "graph", "classes"),
    [
        (PROVIDER, "graph.g", ("authority",)),
        (PROVIDER, "graph.new", ("reversible",)),
        (EmbeddingProfile(kind="mock"), "graph.g", ("reversible",)),
    ],
)
def test_an_embedding_of_texts_that_are_there_waits_for_a_human_who_is_told_where_they_go(
    profile: EmbeddingProfile, graph: str, classes: tuple[str, ...]
) -> None:
    providers = (provider(profile),)
    before = cluster(GRAPH, providers=providers)
    embedding = other("embedding.e", "embedding", **(SENDS | {"graph": graph}))
    given = inputs(cluster(GRAPH, providers=providers, others=(embedding,)), before)

    plan = plan_of(given)

    assert change_of(plan, "embedding.e").classes == classes
    assert [n.reason for n in plan.approvals_required] == (
        [f"texts of Package.name in graph.g go to {ADDRESS}"] if classes == ("authority",) else []
    )


def test_a_new_provider_waits_for_a_human_who_is_told_where_the_secret_goes() -> None:
    desired = cluster(GRAPH, providers=(provider(PROVIDER),))

    waiting = plan_of(inputs(desired, cluster(GRAPH)))
    approved = plan_of(inputs(desired, cluster(GRAPH)), approve=True)

    assert lines(waiting) == [f"create {ADDRESS} blocked approval_required"]
    (need,) = waiting.approvals_required
    assert need.reason == "secret ${KEY} will be sent to https://api.openai.com/v1"
    assert lines(approved) == [f"create {ADDRESS} applied"]
    assert [c.resource for c in stages(approved.changes).records] == [ADDRESS]


def test_a_mock_sends_nothing_anywhere_and_waits_for_nobody() -> None:
    desired = cluster(GRAPH, providers=(provider(EmbeddingProfile(kind="mock")),))

    assert lines(plan_of(inputs(desired, cluster(GRAPH)))) == [f"create {ADDRESS} applied"]


@pytest.mark.parametrize(
    ("field", "value", "classes"),
    [
        ("model", "other", ("reversible",)),
        ("base_url", "https://elsewhere.example", ("authority",)),
        ("api_key", "${OTHER}", ("authority",)),
        ("kind", "gemini", ("authority",)),
    ],
)
def test_a_changed_provider_is_gated_where_a_secret_or_data_goes_elsewhere(
    field: str, value: str, classes: tuple[str, ...]
) -> None:
    changed = provider(msgspec.structs.replace(PROVIDER, **{field: value}))
    before = cluster(GRAPH, providers=(provider(PROVIDER),))

    plan = plan_of(inputs(cluster(GRAPH, providers=(changed,)), before))

    change = change_of(plan, ADDRESS)
    assert (change.operation, change.classes) == ("update", classes)
    assert change.settings is not None
    assert change.settings.before == profile_fields(PROVIDER)


def test_a_provider_that_goes_opens_nothing() -> None:
    plan = plan_of(inputs(cluster(GRAPH), cluster(GRAPH, providers=(provider(PROVIDER),))))

    assert lines(plan) == [f"delete {ADDRESS} applied"]
    assert plan.approvals_required == ()


def test_a_profile_that_the_ledger_lacks_is_recorded_without_a_gate() -> None:
    desired = cluster(GRAPH, providers=(provider(PROVIDER),))

    plan = plan_of(paper_inputs(desired, desired))

    change = change_of(plan, ADDRESS)
    assert (change.operation, change.metadata_change) == ("update", "embedding_profile")
    assert change.classes == ("reversible",)


def test_a_graph_bound_to_another_provider_is_an_update_of_its_own_behind_a_gate() -> None:
    providers = (provider(PROVIDER),)
    desired = cluster(bound(GRAPH, embedding_provider=ADDRESS), providers=providers)
    given = inputs(desired, cluster(GRAPH, providers=providers))

    waiting, approved = plan_of(given), plan_of(given, approve=True)

    assert lines(waiting) == ["update graph.g blocked approval_required"]
    assert waiting.approvals_required[0].reason == f"the graph sends its texts to {ADDRESS}"
    assert lines(approved) == ["update graph.g applied"]
    assert [c.resource for c in stages(approved.changes).records] == ["graph.g"]


def test_a_consent_to_settings_stands_when_a_query_lands() -> None:
    providers = (provider(PROVIDER),)
    edited = paper_graph("g", {"Thing": "name!"}, queries={"all": "q9"})
    before = cluster(GRAPH, providers=providers)
    one, two = (
        draft_plan(
            inputs(cluster(bound(g, embedding_provider=ADDRESS), providers=providers), before)
        ).gates
        for g in (GRAPH, edited)
    )

    assert [g.key for g in one] == [g.key for g in two]


def test_blobs_that_are_allowed_are_gated_and_those_denied_again_are_not() -> None:
    base = BlobBase(uri="s3://b/", scope="server_safe")
    open_ = cluster(bound(GRAPH, external_blobs=(base,)))

    opens = plan_of(inputs(open_, cluster(GRAPH)))
    creates = plan_of(inputs(open_))
    closes = plan_of(inputs(cluster(GRAPH), open_))

    assert change_of(opens, "graph.g").classes == ("authority",)
    assert lines(creates)[0] == "create graph.g blocked approval_required"
    assert lines(creates)[1] == "create query.g.all blocked dependency_not_applied"
    assert lines(closes) == ["update graph.g applied"]
    assert closes.approvals_required == ()


def test_a_move_is_one_change_and_never_a_deletion() -> None:
    new = paper_graph("n", {"Thing": "name!"}, queries={"all": "q1", "more": "q2"})
    move = Move(source=Address("graph.g"), target=Address("graph.n"))

    plan = plan_of(inputs(cluster(new, moved=(move,)), cluster(GRAPH)))

    assert lines(plan) == ["update graph.n applied"]
    change = change_of(plan, "graph.n")
    assert (change.moved_from, change.metadata_change) == ("graph.g", "moved")
    assert plan.approvals_required == ()
    assert plan.diagnostics == ()


def test_a_moved_query_is_one_change_of_its_graph() -> None:
    renamed = paper_graph("g", {"Thing": "name!"}, queries={"every": "q1"})
    move = Move(source=query_address("g", "all"), target=query_address("g", "every"))

    plan = plan_of(inputs(cluster(renamed, moved=(move,)), cluster(GRAPH)))

    assert lines(plan) == [
        "update graph.g derived",
        "update query.g.every applied",
    ]


def test_a_move_that_happened_or_has_nothing_to_move_is_none() -> None:
    new = paper_graph("n", {"Thing": "name!"})
    move = Move(source=Address("graph.g"), target=Address("graph.n"))

    done = plan_of(inputs(cluster(new, moved=(move,)), cluster(new)))
    fresh = plan_of(inputs(cluster(new, moved=(move,))))

    assert done.changes == ()
    assert lines(fresh) == ["create graph.n applied", "create schema.n applied"]


def test_forgetting_takes_nothing_away_and_is_a_matter_of_authority() -> None:
    plan = plan_of(inputs(cluster(forget=(Address("graph.g"),)), cluster(GRAPH)))

    assert lines(plan) == ["delete graph.g blocked approval_required"]
    change = change_of(plan, "graph.g")
    assert (change.classes, change.metadata_change) == (("authority",), "forget")
    (need,) = plan.approvals_required
    assert need.reason.startswith("leaves the ledger while its data stays")
    approved = plan_of(inputs(cluster(forget=(Address("graph.g"),)), cluster(GRAPH)), approve=True)
    assert stages(approved.changes).graph_deletes == ()
    assert [c.resource for c in stages(approved.changes).removals] == ["graph.g"]


def test_forgetting_a_graph_is_another_consent_than_deleting_it() -> None:
    forgotten = draft_plan(inputs(cluster(forget=(Address("graph.g"),)), cluster(GRAPH)))
    deleted = draft_plan(inputs(cluster(), cluster(GRAPH)))

    assert [g.resource for g in forgotten.gates] == [g.resource for g in deleted.gates]
    assert forgotten.gates[0].key != deleted.gates[0].key


def test_protection_that_differs_is_a_change_of_the_cluster() -> None:
    desired = cluster(GRAPH, protect=(Address("graph.g"),))

    plan = plan_of(inputs(desired, cluster(GRAPH)))

    assert lines(plan) == ["update cluster blocked approval_required"]
    assert change_of(plan, "cluster").classes == ("authority",)
    assert lines(plan_of(inputs(desired, cluster(GRAPH)), approve=True)) == [
        "update cluster applied"
    ]


def test_how_an_apply_works_is_a_setting_of_the_cluster_and_shares_its_change() -> None:
    own = ApplySettings(concurrency=2)

    alone = plan_of(inputs(cluster(GRAPH, apply=own), cluster(GRAPH)))
    both = plan_of(inputs(cluster(GRAPH, apply=own, protect=(Address("graph.g"),)), cluster(GRAPH)))
    there = msgspec.structs.replace(
        inputs(cluster(GRAPH, apply=own), cluster(GRAPH)), settings=wanted_settings(own)
    )

    assert change_of(alone, "cluster").metadata_change == "apply"
    assert change_of(both, "cluster").metadata_change == "settings"
    assert plan_of(there).changes == ()


def test_what_refers_to_a_query_that_does_not_come_is_held_back_with_it() -> None:
    alias = other("alias.a", "alias", query="query.h.any")
    spare = paper_graph("h", {"Thing": "name!"}, queries={"any": "q"})
    edge = Dependency(source=Address("alias.a"), target=Address("query.h.any"))
    desired = cluster(GRAPH, spare, others=(alias,))
    desired = msgspec.structs.replace(desired, dependencies=(*desired.dependencies, edge))
    pending = msgspec.structs.replace(inputs(desired, cluster(GRAPH)), pending={"h": None})

    held = plan_of(pending)
    free = plan_of(inputs(desired, cluster(GRAPH)))
    failed = demote(free.changes, {"h": "graph_create_failed"})

    assert "create alias.a blocked dependency_not_applied" in lines(held)
    assert "create alias.a applied" in lines(free)
    assert [c.reason for c in failed if c.resource == "alias.a"] == ["dependency_not_applied"]


def test_a_policy_that_moves_with_other_scopes_is_a_matter_of_authority() -> None:
    before = paper_cluster(GRAPH, policies=(paper_policy("p", "p", ("cluster",)),))
    move = Move(source=Address("policy.p"), target=Address("policy.q"))

    def moved(scopes: tuple[str, ...], digest: str = "p") -> Plan:
        after = paper_cluster(GRAPH, policies=(paper_policy("q", digest, scopes),))
        return plan_of(paper_inputs(msgspec.structs.replace(after, moved=(move,)), before))

    assert lines(moved(("cluster",))) == ["update policy.q applied"]
    assert lines(moved(("graph.g",))) == ["update policy.q blocked approval_required"]
    assert lines(moved(("cluster",), "other")) == ["update policy.q blocked approval_required"]


def test_the_plan_digest_covers_settings_moves_and_groups() -> None:
    move = Move(source=Address("graph.g"), target=Address("graph.n"))
    new = paper_graph("n", {"Thing": "name!"})
    plan = plan_of(inputs(cluster(new, moved=(move,)), cluster(GRAPH)))
    elsewhere = msgspec.structs.replace(plan.changes[0], moved_from=Address("graph.x"))
    settled = plan_of(
        inputs(cluster(GRAPH, providers=(provider(PROVIDER),)), cluster(GRAPH)), approve=True
    )
    resettled = msgspec.structs.replace(settled.changes[0], settings=None)

    assert plan_digest(msgspec.structs.replace(plan, changes=(elsewhere,))) != plan.digest
    assert plan_digest(msgspec.structs.replace(settled, changes=(resettled,))) != settled.digest


def test_a_change_tells_its_apply_group() -> None:
    group = ApplyGroup(name="together", members=(Address("query.g.all"),))
    desired = cluster(GRAPH, apply=ApplySettings(groups=(group,)))

    plan = plan_of(inputs(desired))

    assert {c.resource: c.group for c in plan.changes} == {
        "cluster": None,
        "graph.g": None,
        "query.g.all": "together",
        "schema.g": None,
    }


def test_a_group_is_applied_whole_or_not_at_all_and_what_hangs_on_it_waits_too() -> None:
    tighter = paper_graph("g", {"Thing": "name! x"}, queries={"all": "q1"})
    looser = paper_graph("g", {"Thing": "name! x?"}, queries={"all": "q0"})
    spare = paper_graph("h", {"Thing": "name!"}, queries={"any": "q"})
    group = ApplyGroup(name="both", members=(Address("graph.h"), Address("schema.g")))
    desired = cluster(tighter, spare, apply=ApplySettings(groups=(group,)))
    given = inputs(desired, cluster(looser))
    given = msgspec.structs.replace(given, settings=wanted_settings(desired.apply))

    assert lines(plan_of(given)) == [
        "update graph.g derived",
        "create graph.h blocked apply_group_held_back",
        "update query.g.all blocked dependency_not_applied",
        "create query.h.any blocked apply_group_held_back",
        "update schema.g blocked approval_required",
        "create schema.h blocked apply_group_held_back",
    ]
    assert {c.disposition for c in plan_of(given, approve=True).changes} == {"applied", "derived"}


def test_a_policy_is_forgotten_without_being_deleted() -> None:
    before = paper_cluster(GRAPH, policies=(paper_policy("p", "p", ("cluster",)),))

    plan = plan_of(paper_inputs(cluster(GRAPH, forget=(Address("policy.p"),)), before))

    assert lines(plan) == ["delete policy.p blocked approval_required"]
    assert [n.reason for n in plan.approvals_required] == [
        "leaves the ledger while its data stays; nothing watches over it then"
    ]

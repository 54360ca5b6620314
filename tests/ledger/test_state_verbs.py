"""`state list|show|diff`: what the ledger recorded, object by object. Source: control-plane 3.2."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from agentctl.domain.ledger.codec import ledger_key
from agentctl.domain.ledger.differences import StateDiff, diff_envelopes
from agentctl.domain.ledger.envelope import ChainHead, Envelope
from agentctl.domain.ledger.state import AppliedResource, AppliedRevision, ResourceStatus, State
from agentctl.domain.ledger.summaries import Listed, RevisionShown
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.testing.builders import POLICY, Bench, cluster_yaml, folder_files, wanting
from agentctl.views.state_text import diff_text, revision_text, revisions_text
from agentctl_tools.door import call


async def grown(tmp_path: Path) -> tuple[Bench, Cluster]:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    assert (await apply(cluster, bench.sarah, wanting())).converged
    policy = "policies:\n  base:\n    file: base.yaml\n    applies_to: [supply]\n"
    bench.write({"cluster.yaml": cluster_yaml("supply", policies=policy), "base.yaml": POLICY})
    assert (await apply(cluster, bench.sarah, wanting())).converged
    return bench, cluster


async def test_the_list_has_the_newest_first_and_counts_what_is_kept(tmp_path: Path) -> None:
    bench, cluster = await grown(tmp_path)

    listed = (await call(cluster, bench.agent, "state_list", {"limit": 2})).data

    assert isinstance(listed, Listed)
    assert [(r.seq, r.kind, r.resource_count) for r in listed.revisions] == [
        (3, "apply", 4),
        (2, "apply", 3),
    ]
    assert (listed.total, listed.oldest) == (3, 1)
    assert "1 older one is kept too." in revisions_text(listed.revisions, total=listed.total)


async def test_an_object_that_cannot_be_read_has_a_line_and_hides_no_other(tmp_path: Path) -> None:
    bench, cluster = await grown(tmp_path)
    bench.objects[ledger_key(2)] = b"{}"

    listed = (await call(cluster, bench.sarah, "state_list", {})).data

    assert isinstance(listed, Listed)
    assert [(r.seq, r.kind) for r in listed.revisions] == [(3, "apply"), (2, None), (1, "import")]
    assert "unreadable" in revisions_text(listed.revisions, total=3)


async def test_an_object_that_somebody_removed_is_told(tmp_path: Path) -> None:
    bench, cluster = await grown(tmp_path)
    whole = await call(cluster, bench.sarah, "state_list", {})
    del bench.objects[ledger_key(2)]

    told = await call(cluster, bench.sarah, "state_list", {})

    assert whole.diagnostics == ()
    assert isinstance(told.data, Listed)
    assert told.data.missing == (2,)
    assert [(d.code, d.severity, d.path) for d in told.diagnostics] == [
        ("ledger_chain_broken", "warning", ledger_key(3))
    ]


async def test_one_object_is_shown_whole(tmp_path: Path) -> None:
    bench, cluster = await grown(tmp_path)

    shown = (await call(cluster, bench.agent, "state_show", {})).data

    assert isinstance(shown, RevisionShown)
    head = await cluster.ledger.head()
    assert head is not None
    assert json.loads(head.state_text) == shown.state
    assert shown.state_cas == head.state_cas
    assert shown.object_digest == head.object_digest
    assert "query.supply.all_packages" in revision_text(shown)


@pytest.mark.parametrize("operation", ["state_show", "state_diff"])
async def test_a_number_that_the_ledger_does_not_have_is_told(
    tmp_path: Path, operation: str
) -> None:
    bench, cluster = await grown(tmp_path)
    arguments = {"seq": 9} if operation == "state_show" else {"a": 1, "b": 9}

    told = await call(cluster, bench.agent, operation, arguments)

    assert [d.code for d in told.diagnostics] == ["revision_not_found"]


async def test_a_difference_says_what_is_new_gone_and_changed(tmp_path: Path) -> None:
    bench, cluster = await grown(tmp_path)

    there = (await call(cluster, bench.agent, "state_diff", {"a": 2, "b": 3})).data
    back = (await call(cluster, bench.agent, "state_diff", {"a": 3, "b": 2})).data

    assert isinstance(there, StateDiff)
    assert isinstance(back, StateDiff)
    assert _resources(there) == [("added", "policy.base")]
    assert _resources(back) == [("removed", "policy.base")]
    assert diff_text(there).split("resources")[1].split("\n\n")[0] == snapshot("""\

  + policy.base\
""")


def _resources(diff: StateDiff) -> list[tuple[str, str]]:
    return [(d.kind, d.key) for d in diff.differences if d.section == "resources"]


NAMES = st.sampled_from(["graph.a", "graph.b", "schema.a", "query.a.q", "policy.p"])
STATES = st.builds(
    lambda resources, statuses, revision: State(
        state_revision=revision,
        applied_revision=AppliedRevision(
            resources={n: AppliedResource(digest=d) for n, d in resources.items()}
        ),
        resource_statuses={n: ResourceStatus(status=s) for n, s in statuses.items()},
    ),
    st.dictionaries(NAMES, st.sampled_from(["1" * 64, "2" * 64])),
    st.dictionaries(NAMES, st.sampled_from(["applied", "drifted"])),
    st.integers(0, 3),
)


def envelope(state: State, seq: int) -> Envelope:
    return Envelope(
        cluster_id="c",
        seq=seq,
        previous=None,
        kind="apply",
        op=None,
        epoch=1,
        nonce="0" * 32,
        written_at="",
        state=state,
        audit=ChainHead(length=0, head=None),
        principals=ChainHead(length=0, head=None),
    )


@given(STATES, STATES)
def test_differences_lead_from_the_one_to_the_other_and_nothing_else_is_told(
    a: State, b: State
) -> None:
    diff = diff_envelopes(envelope(a, 1), envelope(b, 2))
    resources = {k: v.digest for k, v in a.applied_revision.resources.items()}
    for one in (d for d in diff.differences if d.section == "resources"):
        if one.after is None:
            del resources[one.key]
        else:
            assert (one.kind == "added") == (one.key not in resources)
            resources[one.key] = str(one.after["digest"])

    assert resources == {k: v.digest for k, v in b.applied_revision.resources.items()}
    assert diff_envelopes(envelope(a, 1), envelope(a, 1)).differences == ()
    assert diff.same_state == (a == b)

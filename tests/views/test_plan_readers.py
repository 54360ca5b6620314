"""What a reader of a plan must not miss: who decides, what is forgotten or moved, what agents read."""

import msgspec
import pytest

from agentctl.domain.plan.model import ApprovalNeed, Change
from agentctl.domain.plan.who import rule_words
from agentctl.engine.results import DesiredRevision, PlanResult, StateObservations
from agentctl.ids import Address
from agentctl.views.plan_markdown import plan_markdown
from agentctl.views.plan_parts import change_remark, plan_parts, verb_of
from agentctl.views.plan_text import plan_text


def change(verb: str, address: str, **more: object) -> Change:
    given = {"operation": verb, "resource": address, "classes": ("reversible",)}
    return msgspec.convert(given | more, Change)


def shown(*changes: Change) -> PlanResult:
    seen = StateObservations(
        state_path="s",
        lock_path="l",
        state_found=True,
        state_revision=1,
        resource_count=0,
        locked=False,
        lock_acquired=False,
    )
    return PlanResult(
        ok=True,
        config_dir=".",
        desired_revision=DesiredRevision(config_digest=None),
        state_observations=seen,
        changes=changes,
    )


@pytest.mark.parametrize(
    ("kind", "verb"), [("forget", "forget"), ("moved", "move"), ("protect", "delete")]
)
def test_what_is_forgotten_or_moved_is_not_said_to_be_deleted(kind: str, verb: str) -> None:
    assert verb_of(change("delete", "graph.g", metadata_change=kind)) == verb


def test_what_is_held_back_says_for_whom_it_waits() -> None:
    waiting = change(
        "create",
        "graph.g",
        disposition="blocked",
        reason="dependency_not_applied",
        needs=("policy.a", "policy.b", "policy.c"),
    )

    assert change_remark(waiting).endswith("(policy.a, policy.b and 1 more)")


RULE = {"need": {"count": 2, "roles": ["owners"]}, "separate": True}


def test_a_rule_says_whom_it_asks_and_about_what() -> None:
    words = rule_words({**RULE, "match": {"classes": ["irreversible"]}})

    assert words == "2 people of owners other than who asks, about irreversible"
    assert rule_words({"need": "everybody"}) is None


def test_of_many_new_queries_some_are_told_and_those_that_change_first() -> None:
    made = [
        change("create", f"query.g.q{n:03}", disposition="applied", told={"description": "new"})
        for n in range(40)
    ]
    edited = change(
        "update", "query.g.zz", disposition="applied", told={"instruction": "be careful\x1b[0m"}
    )
    parts = plan_parts(shown(*made, edited))

    assert parts.reading[0].where == "query.g.zz"
    assert parts.reading[0].name == "@instruction"
    assert "\x1b" not in parts.reading[0].text
    assert parts.reading[-1].where == "21 more queries"


def test_text_and_markdown_say_who_decides() -> None:
    gone = change("delete", "graph.g", classes=("irreversible",), gate="k", disposition="blocked")
    need = ApprovalNeed(
        resource=Address("graph.g"),
        reason="it goes",
        satisfied=False,
        gate_key="k",
        who="2 people of owners (approval.deletes)",
    )
    plan = msgspec.structs.replace(shown(gone), approvals_required=(need,))

    assert "who decides: 2 people of owners (approval.deletes)" in plan_text(plan)
    assert "who decides: 2 people of owners (approval.deletes)" in plan_markdown(plan)

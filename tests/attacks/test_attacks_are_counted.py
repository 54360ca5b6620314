"""The list of attacks that the product must stand: each is there by name, and they are counted."""

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TESTS = HERE.parent
AT_LEAST = 60
ELSEWHERE = {
    "trust/test_no_consent_over_mcp.py": "every consent by name, and forged decisions, over stdio",
    "trust/test_column_a.py": "cells of column A",
    "trust/test_column_b.py": "cells of column B",
    "trust/test_red_team_of_consent.py": "processes that stand still, die and come back",
    "consent/test_forged_decisions.py": "forged decisions",
    "consent/test_forged_people_and_rules.py": "forged people, groups, rules and delegations",
    "remote/test_lying_server.py": "a server that shows one thing and asks a signature for another",
}
"""Red teams of before, counted apart."""

LISTED = {
    "self-approval by a tool": "self_approval_by_a_tool",
    "self-approval over HTTP": "self_approval_over_http",
    "self-approval by the command line with the agent's token": "the_command_line_with_a_token",
    "a forged elicitation": "elicitation",
    "keys into the decision page before it is armed": "keys_typed_ahead",
    "self-approval by another agent": "self_approval_by_another_agent",
    "on_behalf_of abuse": "on_behalf_of",
    "config that grants itself": "config_that_grants_itself",
    "a stolen handle": "a_stolen_",
    "a replayed approval": "a_replayed_approval",
    "a confused deputy": "a_deputy",
    "path traversal in draft_edit": "draft_edit_",
    "a file read through a diagnostic": "read_through_a_diagnostic",
    "a secret sent to a changed base_url": "other_base_url",
    "a policy deleted, widened or rebound": "a_policy_is_not_opened",
    "rollback of the op that tightened policy": "is_not_rolled_back",
    "a flood of denials": "a_flood_of_denials",
    "Host and Origin rebinding": "rebinding",
    "oversized and deeply nested arguments": "made_to_hurt",
    "a token in a query string": "in_a_query_string",
    "tokens that are none": "a_token_that_is_none",
    "JWTs that are none": "a_jwt_that_does_not_hold",
    "prompt injection": "an_injected_order",
    "secrets in errors": "repeated_by_the_complaint",
    "time of check to time of use on a plan": "after_the_plan",
    "a policy that fails to parse at apply": "does_not_parse",
    "duplicated JSON keys": "duplicated_keys",
    "a context that points at another cluster": "a_context_behind_which",
    "idempotency keys of another": "a_stolen_idempotency_key",
    "resource URIs beyond the tools": "a_resource_uri",
    "subscriptions that leak": "a_subscription_to",
    "completions that leak": "completions_tell",
    "promoted tools that skip policy": "no_promoted_tool",
    "the stream of somebody else's op": "a_stream_of_somebody",
    "a branch read by a point of another": "by_a_point_of_another",
    "a branch read by a copy of it": "by_a_copy",
    "values told by conflicts": "by_its_conflicts",
    "more than a query lends": "a_lent_query",
    "names of branches and tags": "names_of_branches",
    "care for branches of others": "care_of_branches",
    "what a cleanup takes after somebody let go": "a_cleanup_after",
    "secrets in the history of a graph": "in_no_commit",
}
"""Attacks by the words of the issue, and what the names of their tests hold."""


def names(path: Path) -> list[str]:
    """Returns the names of the tests of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [n.name for n in tree.body if isinstance(n, functions) and n.name.startswith("test_")]


def attacks() -> list[str]:
    """Returns the names of all attacks of this folder."""
    files = (p for p in sorted(HERE.glob("test_*.py")) if p.name != Path(__file__).name)
    return [name for path in files for name in names(path)]


@pytest.mark.parametrize("words", LISTED)
def test_every_attack_of_the_list_has_a_test_by_name(words: str) -> None:
    assert [name for name in attacks() if LISTED[words] in name], words


def test_there_are_at_least_sixty(record_property: Callable[[str, object], None]) -> None:
    here = attacks()
    before = sum(len(names(TESTS / path)) for path in ELSEWHERE)
    record_property(
        "evidence",
        f"attack suite: {len(here)} attacks by name over the real faces, on {len(LISTED)} of"
        f" {len(LISTED)} lines of the list; {before} more by red teams of before",
    )

    assert len(set(here)) == len(here) >= AT_LEAST
    assert before > 0

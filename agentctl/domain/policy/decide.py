"""Whether a caller may do something: one function, answered by Cedar. Source: access-and-faces 3.2.

Called by the door for every operation, and by whatever filters a list by what the caller may see.
It never asks who else agreed: consent to a gated effect is another matter, and needs a signature.
Which policies have a say is in `judging`.
"""

from collections.abc import Mapping
from typing import Final

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.policy_file import BRANCH_ACTIONS
from agentctl.domain.policy.builtin import CONSENT
from agentctl.domain.policy.caller import Caller
from agentctl.domain.policy.compile import FOLLOW_READ
from agentctl.domain.policy.judging import Decision, judge
from agentctl.domain.policy.live import BUILTIN_SET, PolicySet
from agentctl.domain.policy.request import ACTIONS, question_of

__all__ = ["Decision", "authorise", "denial", "is_kept"]

NOTHING: Final[Mapping[str, object]] = {}
KEPT: Final = frozenset(
    {
        "cluster_status", "cluster_validate", "config_read", "draft_read", "ops_read", "audit_read",
        "approval_read", "principal_read", "explain", "cluster_plan", "cluster_apply",
        "cluster_refresh", "draft_edit", "op_rollback", "approval_request", "approval_submit",
    }
)  # fmt: skip
"""What an enrolled human at their own terminal may do whatever is applied, so that no policy locks
everybody out: look, ask, apply. What gives power waits for a signed decision all the same."""


def authorise(
    caller: Caller,
    action: str,
    resource: str,
    context: Mapping[str, object] = NOTHING,
    *,
    policies: PolicySet = BUILTIN_SET,
) -> Decision:
    """Returns whether *caller* may do *action* to *resource*.

    Args:
        caller: as the face established it; nothing in *context* can change it.
        action: a name of `request.ACTIONS`.
        resource: a typed address, ``cluster``, ``graph.<id>@<branch>``, ``draft:<id>``, ``op:<id>``,
            ``approval:<id>`` or ``sandbox:<id>``.
        context: of access-and-faces 3.2; what is missing is false, empty or absent.
        policies: those in force, of `engine.policies.live_policies`.
    """
    if action not in ACTIONS:
        return Decision(allow=False, errors=(f"there is no action {action!r}",))
    if policies.bundles:
        context = {**context, **_branches(action, resource, context, policies)}
    question = question_of(caller, action, resource, context)
    if question is None:
        return Decision(allow=False, errors=("the resource has no known form",))
    by_builtin = not policies.bundles or action in CONSENT or is_kept(caller, action)
    decision = judge(question, policies, by_builtin=by_builtin)
    other = None if by_builtin else _other_name(action, resource, policies)
    if other is None:
        return decision
    question = question_of(caller, action, other, context)
    assert question is not None
    return _both(decision, judge(question, policies, by_builtin=False))


def is_kept(caller: Caller, action: str) -> bool:
    """Returns whether no bundle has a say in it: see `KEPT`."""
    at_home = caller.at_terminal and caller.via in {"cli", "tui"}
    return at_home and caller.enrolled and caller.kind == "human" and action in KEPT


def denial(decision: Decision, *, caller: Caller, action: str, resource: str) -> Diagnostic | None:
    """Returns what to tell a caller that was denied; None where it was allowed.

    An error is told as an alarm, not as a rule: what failed is the policy, not the caller.
    """
    if decision.allow:
        return None
    if decision.errors:
        return error(
            "policy_evaluation_error",
            resource,
            f"whether {caller.id} may {action} could not be decided, so it was denied",
            detail="\n".join(decision.errors),
            remedy="agentctl explain policy_evaluation_error",
        )
    why = f" ({', '.join(decision.policies)})" if decision.policies else ": no rule permits it"
    return error(
        "denied",
        resource,
        f"{caller.id} ({caller.kind}, over {caller.via}) may not {action} on {resource}{why}",
    )


def _other_name(action: str, resource: str, policies: PolicySet) -> str | None:
    """Returns `main` of a graph by its other name, where a policy calls it so: it is its graph's, and a branch.

    Else what a policy says of the one would not hold of the other.
    """
    kind, _, rest = resource.partition(".")
    graph, at, branch = rest.partition("@")
    if kind != "graph" or graph not in policies.named_mains or "Branch" not in ACTIONS[action]:
        return None
    if at:
        return f"graph.{graph}" if branch == "main" and "Graph" in ACTIONS[action] else None
    return f"graph.{graph}@main"


def _both(one: Decision, other: Decision) -> Decision:
    """Returns what two answers about one thing come to: an error or a ``forbid`` of either holds."""
    for answer in (one, other):
        if answer.errors or (not answer.allow and answer.policies):
            return answer
    return one if one.allow else other


def _branches(
    action: str, resource: str, given: Mapping[str, object], policies: PolicySet
) -> dict[str, object]:
    """Returns which branches a question about a graph is about, and whether these are protected.

    Who names no branch means `main`; of what is deployed, `main` is the target, and what is looked at.
    """
    kind, _, rest = resource.partition(".")
    if kind == "query" and (action in FOLLOW_READ or action == "invoke_query"):
        rest = rest.partition(".")[0]
    elif kind not in {"graph", "schema"}:
        return {}
    graph, at, named = rest.partition("@")
    on_main = action in BRANCH_ACTIONS or action in FOLLOW_READ or action == "invoke_query"
    branch = given.get("branch") or named or ("main" if on_main else None)
    target = given.get("target_branch")
    if target is None and action in {"schema_apply", "branch_delete"}:
        target = named or "main"
    if action == "branch_delete" and not at and given.get("branch") is None:
        branch = None
    found: dict[str, object] = {}
    for field, name in (("branch", branch), ("target_branch", target)):
        if name is not None:
            found[field] = str(name)
            found[f"{field}_is_protected"] = policies.protects(f"graph.{graph}", str(name))
    return found

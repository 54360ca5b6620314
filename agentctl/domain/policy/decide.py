"""Whether a caller may do something: one function, answered by Cedar. Source: access-and-faces 3.2.

Called by the door for every operation, and by whatever filters a list by what the caller may see.
It never asks who else agreed: consent to a gated effect is another matter, and needs a signature.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.policy.builtin import BUILTIN
from agentctl.domain.policy.caller import Caller
from agentctl.domain.policy.cedar import ask
from agentctl.domain.policy.request import ACTIONS, question_of, schema_text

NOTHING: Final[Mapping[str, object]] = {}


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The answer, with what decided it."""

    allow: bool
    policies: tuple[str, ...] = ()
    """Ids of the deciding policies, sorted; empty where no rule permits."""
    errors: tuple[str, ...] = ()
    """Why the question could not be answered; an error denies and is an alarm."""


def authorise(
    caller: Caller, action: str, resource: str, context: Mapping[str, object] = NOTHING
) -> Decision:
    """Returns whether *caller* may do *action* to *resource*.

    Args:
        caller: as the face established it; nothing in *context* can change it.
        action: a name of `request.ACTIONS`.
        resource: a typed address, ``cluster``, ``graph.<id>@<branch>``, ``draft:<id>``, ``op:<id>``,
            ``approval:<id>`` or ``sandbox:<id>``.
        context: of access-and-faces 3.2; what is missing is false, empty or absent.
    """
    if action not in ACTIONS:
        return Decision(allow=False, errors=(f"there is no action {action!r}",))
    question = question_of(caller, action, resource, context)
    if question is None:
        return Decision(allow=False, errors=("the resource has no known form",))
    answer = ask(question, policies=BUILTIN, schema=_schema())
    return Decision(allow=answer.allow, policies=answer.policies, errors=answer.errors)


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


@cache
def _schema() -> str:
    return schema_text()

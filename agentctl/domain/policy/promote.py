"""Which stored queries a policy puts forward as tools of their own. Source: access-and-faces 3.3.

A Cedar policy says so by its annotation: ``@promote permit (…, action ==
AgentCtl::Action::"invoke_query", resource == AgentCtl::Query::"supply.impact");``. It names one
query. The annotation permits nothing by itself: each caller sees those that they may invoke.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from agentctl.domain.policy.caller import Caller
from agentctl.domain.policy.cedar import NAMESPACE, heads
from agentctl.domain.policy.decide import authorise
from agentctl.domain.policy.live import PolicySet

ANNOTATION: Final = "promote"
PROMOTED_MAX: Final = 20
_ACTION: Final = "invoke_query"


def promoted(policies: PolicySet, caller: Caller) -> tuple[str, ...]:
    """Returns the promoted queries that *caller* may invoke, as ``graph.name``, sorted, at most 20."""
    texts = tuple(b.text for b in policies.bundles if b.kind == "cedar")
    found: list[str] = []
    for query in _marked(texts):
        if len(found) == PROMOTED_MAX:
            break
        if authorise(caller, _ACTION, f"query.{query}", policies=policies).allow:
            found.append(query)
    return tuple(found)


@lru_cache(maxsize=16)
def _marked(texts: tuple[str, ...]) -> tuple[str, ...]:
    marked: set[str] = set()
    for text in texts:
        marked.update(_named(heads(text)))
    return tuple(sorted(marked))


def _named(policies: Iterable[Any]) -> Iterable[str]:
    for policy in policies:
        about = policy["resource"]
        if (
            ANNOTATION in policy.get("annotations", {})  # Cedar leaves out what is empty.
            and policy["effect"] == "permit"
            and about["op"] == "=="
            and about["entity"]["type"] == f"{NAMESPACE}::Query"
            and _invokes(policy["action"])
        ):
            yield str(about["entity"]["id"])


def _invokes(action: Any) -> bool:  # noqa: ANN401  # JSON of Cedar
    if action["op"] == "All":
        return True
    named = action["entities"] if "entities" in action else [action["entity"]]
    return any(entity["id"] == _ACTION for entity in named)

"""A decision at the door against the bare Cedar library, asked the same with its handles parsed.

Prints a table of medians and ratios; nothing is judged here, because a ratio depends a little on
the machine. The bar of issue 5 is 2 ms for a decision at 1,000 policies.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Final

import cedarpy
import msgspec

from agentctl.domain.policy.caller import Caller
from agentctl.domain.policy.cedar import Question
from agentctl.domain.policy.compile import compile_bundle
from agentctl.domain.policy.decide import authorise
from agentctl.domain.policy.live import AppliedBundle, PolicySet, policy_set
from agentctl.domain.policy.request import question_of, schema_text

SIZES: Final = (10, 100, 1_000)
ROUNDS: Final = 200
BAR_MS: Final = 2.0
ACTION: Final = "change"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table; milliseconds."""

    what: str
    size: int
    ours: float
    bare: float


def cedar_bundle(size: int) -> AppliedBundle:
    """Returns a Cedar bundle of *size* policies, of which the last one permits."""
    policies = [
        f'permit (principal == AgentCtl::Agent::"agent:{n}",'
        f' action == AgentCtl::Action::"{ACTION}", resource in AgentCtl::Graph::"g{n}");'
        for n in range(size)
    ]
    text = "\n".join(policies).encode()
    return compile_bundle(text, name="big", digest=str(size), applies_to=("cluster",))


def yaml_bundle(size: int) -> AppliedBundle:
    """Returns a YAML bundle of *size* rules, each with a group of its own."""
    groups = ", ".join(f"g{n}: ['agent:{n}']" for n in range(size))
    rules = "\n".join(
        f"  - {{id: r{n}, allow: {{actors: {{group: g{n}}}, actions: [{ACTION}]}}}}"
        for n in range(size)
    )
    text = f"version: 1\ngroups: {{{groups}}}\nrules:\n{rules}\n".encode()
    graph = f"graph.g{size - 1}"
    return compile_bundle(text, name="big", digest=f"y{size}", applies_to=(graph,))


def rows(size: int) -> tuple[Row, ...]:
    """Returns what is measured of *size* policies."""
    who = Caller(
        id=f"agent:{size - 1}", kind="agent", nid="local:x", identity="x", via="mcp", enrolled=True
    )
    resource = f"graph.g{size - 1}"
    found: list[Row] = []
    for name, bundle in (("Cedar", cedar_bundle(size)), ("YAML", yaml_bundle(size))):
        assert bundle.fault is None, bundle.fault
        policies = policy_set((bundle,))
        question = question_of(who, ACTION, resource, {})
        assert question is not None
        bare = _median(_bare(bundle, question))
        decided = _median(_decided(policies, who, resource, forget=True))
        remembered = _median(_decided(policies, who, resource, forget=False))
        found.append(Row(what=f"{name}, decided", size=size, ours=decided, bare=bare))
        found.append(Row(what=f"{name}, remembered", size=size, ours=remembered, bare=bare))
    return tuple(found)


def _decided(
    policies: PolicySet, who: Caller, resource: str, *, forget: bool
) -> Callable[[], None]:
    def once() -> None:
        if forget:
            policies.remembered.clear()
        decision = authorise(who, ACTION, resource, policies=policies)
        assert decision.allow, decision

    return once


def _bare(bundle: AppliedBundle, question: Question) -> Callable[[], None]:
    parsed = cedarpy.PolicySet.from_str(bundle.text)
    schema = cedarpy.Schema.from_str(schema_text())
    groups = [{"type": "AgentCtl::Group", "id": g} for g in bundle.groups_of(question.principal.id)]
    told = [
        {"uid": e.uid.plain(), "attrs": dict(e.attributes), "parents": [p.plain() for p in e.parents]}
        for e in question.entities
    ]  # fmt: skip
    told[0]["parents"] = groups
    told += [{"uid": g, "attrs": {}, "parents": []} for g in groups]
    entities = cedarpy.Entities.from_json_str(msgspec.json.encode(told).decode())
    request = {
        "principal": question.principal.plain(),
        "action": {"type": "AgentCtl::Action", "id": question.action},
        "resource": question.resource.plain(),
        "context": dict(question.context),
    }

    def once() -> None:
        assert cedarpy.is_authorized(request, parsed, entities, schema).allowed

    return once


def _median(once: Callable[[], None]) -> float:
    """Returns the median of a call, in milliseconds."""
    once()
    taken: list[float] = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        once()
        taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken)


def main() -> None:
    """Prints the table."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    sys.stdout.write(f"{'':24}{'policies':>9}{'ours ms':>10}{'bare ms':>10}{'ratio':>8}   bar\n")
    for size in SIZES:
        for row in rows(size):
            bar = f"{BAR_MS} ms" if size == SIZES[-1] else ""
            ratio = row.ours / row.bare
            sys.stdout.write(
                f"{row.what:24}{row.size:9,}{row.ours:10.3f}{row.bare:10.3f}{ratio:8.2f}   {bar}\n"
            )


if __name__ == "__main__":
    main()

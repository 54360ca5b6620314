"""Which policies have a say in a question, and what comes of their answers. Source: ADR 17.

What is always forbidden, and consent, is `builtin.ALWAYS`. Who permits are the bundles bound to the
resource's graph that speak of the action; without one those bound to the cluster; without one
`builtin.DEFAULTS`. Where several are bound to one scope each must permit. A ``forbid`` of any bundle
in whose scope the resource lies holds, and an error in one of them denies.
"""

from collections.abc import Iterator
from functools import cache
from typing import Final

import msgspec

from agentctl.domain.policy.builtin import ALWAYS, BUILTIN, DEFAULTS
from agentctl.domain.policy.cedar import Answer, Entity, EntityUid, Question, ask
from agentctl.domain.policy.live import AppliedBundle, PolicySet
from agentctl.domain.policy.request import schema_text
from agentctl.ids import CLUSTER, graph_address

REMEMBERED_MAX: Final = 4096
"""Decisions that a set remembers; beyond it begins anew."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The answer, with what decided it."""

    allow: bool
    policies: tuple[str, ...] = ()
    """Ids of the deciding policies, sorted; empty where no rule permits."""
    errors: tuple[str, ...] = ()
    """Why the question could not be answered; an error denies and is an alarm."""
    bundles: tuple[str, ...] = ()
    """Names of the bundles that decided, sorted; empty where the built-in rules did."""


def judge(question: Question, policies: PolicySet, *, by_builtin: bool = False) -> Decision:
    """Returns the decision of *policies*, or of the built-in rules alone; remembered with the set.

    It follows from question and set alone, so the same set never answers otherwise.
    """
    try:
        key = msgspec.json.encode((by_builtin, question))
    except TypeError:
        return _by_builtin(question) if by_builtin else _judged(question, policies)
    known = policies.remembered.get(key)
    if known is None:
        known = _by_builtin(question) if by_builtin else _judged(question, policies)
        if len(policies.remembered) >= REMEMBERED_MAX:
            policies.remembered.clear()
        policies.remembered[key] = known
    assert isinstance(known, Decision)
    return known


def having_a_say(
    question: Question, policies: PolicySet
) -> tuple[tuple[AppliedBundle, ...], tuple[AppliedBundle, ...]]:
    """Returns the bundles of which each must permit, and those in scope that can only forbid or fail.

    The former are empty where the defaults permit.
    """
    near = policies.by_scope.get(_graph_of(question) or "", ())
    far = policies.by_scope.get(CLUSTER, ())
    speaking = [tuple(b for b in some if b.speaks_of(question.action)) for some in (near, far)]
    governing = speaking[0] or speaking[1]
    others = tuple(b for b in (*speaking[0], *speaking[1]) if b not in governing)
    return governing, tuple(b for b in others if b.kind != "yaml")


def _by_builtin(question: Question) -> Decision:
    answer = ask(question, policies=BUILTIN, schema=_schema())
    return Decision(allow=answer.allow, policies=answer.policies, errors=answer.errors)


def _judged(question: Question, policies: PolicySet) -> Decision:
    governing, others = having_a_say(question, policies)
    failed = tuple(
        f"policy.{b.name} cannot decide: {b.fault}"
        for b in (*governing, *others)
        if b.kind == "broken"
    )
    if failed:
        return Decision(allow=False, errors=failed)
    names = tuple(sorted({b.name for b in governing}))
    told = [(name, _answer(question, text)) for name, text in _restricting(question.action, others)]
    permits = [(b.name, _answer(_for(b, question), _text(b, question.action))) for b in governing]
    if not governing:
        permits = [("", _answer(question, DEFAULTS))]
    everyone = (*told, *permits)
    errors = tuple(e for name, a in everyone for e in _errors(name, a))
    if errors:
        return Decision(allow=False, errors=errors)
    # A deny that names a policy is a forbid's; one that names none is only silence.
    forbidding = [(name, a) for name, a in everyone if not a.allow and a.policies]
    if forbidding:
        ids = tuple(sorted({p for _, a in forbidding for p in a.policies}))
        by = tuple(sorted({name for name, _ in forbidding if name}))
        return Decision(allow=False, policies=ids, bundles=by)
    if not all(a.allow for _, a in permits):
        return Decision(allow=False, bundles=names)
    ids = tuple(sorted({p for _, a in permits for p in a.policies}))
    return Decision(allow=True, policies=ids, bundles=names)


def _restricting(action: str, others: tuple[AppliedBundle, ...]) -> Iterator[tuple[str, str]]:
    """Yields what can only take away; each rule of `ALWAYS` names the actions that it is about."""
    if f'::Action::"{action}"' in ALWAYS:
        yield "", ALWAYS
    for bundle in others:
        yield bundle.name, bundle.text


def _text(bundle: AppliedBundle, action: str) -> str:
    return bundle.by_action.get(action, "") if bundle.kind == "yaml" else bundle.text


def _answer(question: Question, text: str) -> Answer:
    if not text:
        return Answer(allow=False, policies=(), errors=())
    return ask(question, policies=text, schema=_schema())


def _errors(name: str, answer: Answer) -> Iterator[str]:
    for told in answer.errors:
        yield f"policy.{name}: {told}" if name else told


def _for(bundle: AppliedBundle, question: Question) -> Question:
    """Returns the question as a YAML bundle is asked it: the only groups are its own."""
    if bundle.kind != "yaml":
        return question
    who, *rest = question.entities
    groups = tuple(EntityUid(type="Group", id=g) for g in bundle.groups_of(who.uid.id))
    return msgspec.structs.replace(
        question,
        entities=(
            msgspec.structs.replace(who, parents=groups),
            *(Entity(uid=g) for g in groups),
            *(e for e in rest if e.uid.type != "Group"),
        ),
    )


def _graph_of(question: Question) -> str | None:
    graphs = (e.uid.id for e in question.entities if e.uid.type == "Graph")
    found = next(graphs, None)
    return None if found is None else graph_address(found)


@cache
def _schema() -> str:
    return schema_text()

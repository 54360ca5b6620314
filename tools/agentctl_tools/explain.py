"""`explain`: what a diagnostic code, a rule of the languages, a term or an operation means."""

from typing import Annotated, Final

import msgspec

from agentctl.diagnostics.codes import CODES
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.diagnostics.rule import Rule
from agentctl_tools.envelopes import done, failed
from agentctl_tools.nearness import nearest
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.result_schema import result_schema

TERMS: Final[dict[str, str]] = {
    "apply": "Carries out a plan. What is reversible is done; what is gated waits for a human.",
    "approval": "A human's recorded decision about one gate: a signature over its statement.",
    "class": "What a change may cost: reversible, narrowing, irreversible or authority. "
    "Everything but reversible is gated.",
    "cluster": "A folder with a cluster.yaml, and the graphs that it declares.",
    "detach": "What deleting a graph does first: writers are fenced, data is kept until the "
    "purge, and `agentctl graph restore` brings it back.",
    "draft": "Edits to the configuration that are not in the folder yet; an apply brings them home.",
    "drift": "A live graph that is not what the ledger records.",
    "gate": "A change that a human must decide. `plan` lists gates; `approve` asks for a decision.",
    "gate key": "Names one gate across plans: the same change asked for twice has one key.",
    "idempotency key": "Your own word for one change. A retry with the same key does it once.",
    "incarnation": "One life of a graph; a graph made again under the same id is another one.",
    "intent": "Why a change is wanted, in words that a human reads before deciding.",
    "ledger": "The numbered record of what has been applied.",
    "op": "The record of one change: who, why, what came of it.",
    "plan": "What an apply would do now, as one value with a digest, its id.",
    "principal": "A human, agent or service that the cluster knows by its key.",
    "query": "A stored read with typed parameters, declared in a .gq file.",
    "refresh": "Observes the live graphs and records drift.",
    "request": "A gate put to humans; `agentctl approve ID` decides it.",
    "sandbox": "Your own copy of the whole cluster, graphs too, in which nothing is real. Pass "
    "`sandbox:ID` as `in`; `sandbox_open` opens one.",
    "schema": "The types of a graph, declared in a .pg file.",
    "snapshot": "A sandbox as it was at one moment, kept under a name; it is compared, and gone back to.",
}
"""The words an agent or a newcomer meets; `docs/glossary.md` has all."""


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `explain` takes."""

    what: Annotated[
        str, msgspec.Meta(description="A code, a rule, a term or a tool's name.", max_length=100)
    ]


class Explanation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one word means."""

    name: str
    kind: str
    """``code``, ``rule``, ``term`` or ``operation``."""
    about: str
    """One sentence."""
    explanation: str | None = None
    """Of a code or a rule: what happened, why it matters and what to do; an example is indented."""
    output: dict[str, object] | None = None
    """Of an operation: the JSON Schema of its result's `data`, where it has one of its own."""


def explain(what: str) -> Explanation | Diagnostic:
    """Returns what *what* means, or the diagnostic that names what is near."""
    from agentctl.diagnostics.explanations import EXPLANATIONS
    from agentctl.views.rules import RULES, rules_named

    word = what.strip()
    code = word.lower()
    if code in CODES:
        told = EXPLANATIONS[code]
        return Explanation(name=code, kind="code", about=CODES[code].about, explanation=told)
    rules = rules_named(word)
    if rules:
        return _rules(rules)
    term = code.replace("_", " ")
    if term in TERMS:
        return Explanation(name=term, kind="term", about=TERMS[term])
    number, colon, suffix = word.partition(":")
    near = nearest(number.upper() + colon + suffix.lower(), RULES) or nearest(
        code, [*CODES, *TERMS]
    )
    return error(
        "unknown_code",
        word,
        "there is no code, rule or term of that name",
        remedy=f"Did you mean `{near}`?" if near is not None else "docs/diagnostics.md lists them.",
    )


def _rules(rules: tuple[Rule, ...]) -> Explanation:
    """Returns what a rule asks, or every rule of one number."""
    if len(rules) == 1:
        (rule,) = rules
        return Explanation(
            name=rule.name, kind="rule", about=_sentence(rule.title), explanation=rule.about
        )
    told = "\n\n".join(f"{r.name}: {_sentence(r.title)}\n{r.about}" for r in rules)
    name = rules[0].name.partition(":")[0]
    about = f"{len(rules)} rules have this number; a word behind it tells them apart."
    return Explanation(name=name, kind="rule", about=about, explanation=told)


def _sentence(title: str) -> str:
    return title[:1].upper() + title[1:] + ("" if title.endswith((".", "?", "!")) else ".")


def _operation(operation: Operation) -> Explanation:
    output = None
    told = operation.brief_result or operation.result
    if told is not None:
        output = result_schema(told)
    return Explanation(
        name=operation.name, kind="operation", about=operation.describe, output=output
    )


async def _handle(call: Call) -> Envelope:
    from agentctl_tools.catalog import OPERATIONS

    word = call.arguments.what.strip()
    operation = OPERATIONS.get(word)
    if operation is not None and word not in TERMS:
        return done("An operation.", data=_operation(operation))
    found = explain(word)
    if isinstance(found, Diagnostic):
        return failed((found,))
    return done(f"A {found.kind}.", data=found)


OPERATION = Operation(
    name="explain",
    operation_class="read",
    action="explain",
    arguments=Arguments,
    handler=_handle,
    describe="Look. Says what a code, a rule, a term or a tool means.",
    resource=lambda _: "cluster",
    result=Explanation,
    mcp_tool="explain",
    idempotent=True,
)

"""The only caller of Cedar: a policy set and its schema, parsed once, asked many times.

Cedar answers a mistake in a policy or a request with a deny and a list of errors and raises
nothing, or answers allow beside an error of another policy; here any error denies and is reported,
so that nobody mistakes a broken policy for a strict one. The library is loaded at the first
question, because loading it takes as long as all of ``--help``; its classes for syntax trees, most
of that, are loaded when somebody looks at a tree.
Source: design/libraries 3, access-and-faces 3.2.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    import cedarpy

NAMESPACE: Final = "AgentCtl"
PARSED_MAX: Final = 512
"""Texts of policies that stay parsed: a YAML bundle is one for each action."""
NESTING_MAX: Final = 400
"""Levels of a policy in Cedar's JSON, two for each operator in a chain: deeper ones are read by nothing
that recurses, which is how a simulation reads them."""
_LEVELS: Final = re.compile(r'"(?:[^"\\]|\\.)*+"|([{\[])|([}\]])', re.DOTALL)
_TREES: Final = "cedarpy.pst"
"""The library's module of classes for syntax trees, which nobody here looks at."""


class EntityUid(msgspec.Struct, frozen=True, kw_only=True):
    """A typed entity; `type` is without the namespace. The id may be any text."""

    type: str
    id: str

    def plain(self) -> dict[str, str]:
        """Returns the form that Cedar's JSON takes."""
        return {"type": f"{NAMESPACE}::{self.type}", "id": self.id}


class Entity(msgspec.Struct, frozen=True, kw_only=True):
    """An entity with its attributes and direct parents."""

    uid: EntityUid
    attributes: Mapping[str, object] = msgspec.field(default_factory=dict)
    parents: tuple[EntityUid, ...] = ()


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One request to Cedar."""

    principal: EntityUid
    action: str
    resource: EntityUid
    context: Mapping[str, object]
    entities: tuple[Entity, ...]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Cedar's reply: an error denies."""

    allow: bool
    policies: tuple[str, ...]
    """Ids (their ``@id``) of the policies that decided, sorted."""
    errors: tuple[str, ...]


def ask(question: Question, *, policies: str, schema: str) -> Answer:
    """Returns Cedar's answer to *question* under *policies*, all validated against *schema*."""
    _without_trees()
    import cedarpy

    try:
        parsed, checked = _parse(policies, schema)
    except ValueError as problem:
        return Answer(allow=False, policies=(), errors=(f"the policy set is broken: {problem}",))
    entities = [
        {
            "uid": e.uid.plain(),
            "attrs": dict(e.attributes),
            "parents": [p.plain() for p in e.parents],
        }
        for e in question.entities
    ]
    request = {
        "principal": question.principal.plain(),
        "action": EntityUid(type="Action", id=question.action).plain(),
        "resource": question.resource.plain(),
        "context": dict(question.context),
    }
    try:
        handle = cedarpy.Entities.from_json_str(json.dumps(entities))
        result = cedarpy.is_authorized(request, parsed, handle, checked)
    except (ValueError, KeyError) as problem:
        return Answer(allow=False, policies=(), errors=(f"the request is broken: {problem}",))
    names = result.diagnostics.id_annotations_by_reason
    reasons = sorted(names.get(reason, reason) for reason in result.diagnostics.reasons)
    errors = tuple(str(e) for e in result.diagnostics.errors)
    return Answer(allow=bool(result.allowed) and not errors, policies=tuple(reasons), errors=errors)


def validate(policies: str, schema: str) -> Sequence[str]:
    """Returns what Cedar's strict validation finds wrong with *policies*; empty where nothing is."""
    _without_trees()
    import cedarpy

    try:
        result = cedarpy.validate_policies(policies, schema)
    except ValueError as problem:
        return [str(problem)]
    return [f"{e.policy_id}: {e.error}" for e in result.errors]


def faults(policies: str, schema: str) -> Sequence[str]:
    """Returns what is wrong with a text of policies, one sentence each: syntax, schema, templates."""
    _without_trees()
    import cedarpy

    try:
        result = cedarpy.validate_policies(policies, schema)
        slots = () if result.errors else cedarpy.PolicySet.from_str(policies).templates()
        deep = not result.errors and _levels(cedarpy.policies_to_json_str(policies)) > NESTING_MAX
    except ValueError as problem:
        return [_sentence(str(problem))]
    found = [_sentence(str(e.error)) for e in result.errors]
    if deep:
        found.append("a condition has too many operators in one another; split it into policies")
    return found or ["a policy with a slot is a template, and nothing links it" for _ in slots]


def heads(policies: str) -> tuple[Mapping[str, Any], ...]:
    """Returns each policy of a text in Cedar's JSON; none where the text is broken."""
    _without_trees()
    import cedarpy

    try:
        told = json.loads(cedarpy.policies_to_json_str(policies))
    except ValueError:
        return ()
    return tuple(told["staticPolicies"].values())


def _levels(document: str) -> int:
    """Returns how deep a JSON document is, without reading it."""
    depth = deepest = 0
    for mark in _LEVELS.finditer(document):
        depth += (mark[1] is not None) - (mark[2] is not None)
        deepest = max(deepest, depth)
    return deepest


def _sentence(told: str) -> str:
    """Returns Cedar's words without its number of the policy, on one line."""
    told = re.sub(r"^for policy `[^`]*`, ", "", told).removeprefix("Policy parse error: ")
    return " ".join(told.split())


def _without_trees() -> None:
    """Makes the first import of the library skip its trees; who asks for one loads them as ever."""
    if "cedarpy" in sys.modules or _TREES in sys.modules:
        return
    stand_in = ModuleType(_TREES)

    def load(name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)  # Whoever walks over all modules wants no tree.
        if sys.modules.get(_TREES) is stand_in:
            del sys.modules[_TREES]
        return getattr(import_module(_TREES), name)

    vars(stand_in)["__getattr__"] = load
    sys.modules[_TREES] = stand_in


@lru_cache(maxsize=PARSED_MAX)
def _parse(policies: str, schema: str) -> "tuple[cedarpy.PolicySet, cedarpy.Schema]":
    """Parses a text once as long as it is in use: that is most of the cost of a decision."""
    import cedarpy

    return cedarpy.PolicySet.from_str(policies), _checked_schema(schema)


@lru_cache(maxsize=4)
def _checked_schema(schema: str) -> "cedarpy.Schema":
    import cedarpy

    return cedarpy.Schema.from_str(schema)

"""A file of policy tests: who is expected to be allowed what. Source: access-and-faces 1.

``{version: 1, cases: [{id, actor, action, branch?, target_branch?, expect: allow|deny}]}``, as OmniGraph
0.10 has it; ours may also say what a case is about, ``on: <address>``, where it is not the graph that
the command names.
"""

from typing import Final, Literal

import msgspec

from agentctl.diagnostics.bag import Bag
from agentctl.diagnostics.diagnostic import Diagnostic, Related, error
from agentctl.domain.config.fields import Fields, Reader
from agentctl.domain.config.yaml_tree import MapNode, Node, ScalarNode, parse_yaml
from agentctl.domain.policy.request import ACTIONS, entity_of
from agentctl.ids import CLUSTER
from agentctl.languages.text.suggest import did_you_mean

Expected = Literal["allow", "deny"]
CODE: Final = "policy_tests_invalid"


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One expectation."""

    id: str
    actor: str
    action: str
    resource: str
    expect: Expected
    branch: str | None = None
    target_branch: str | None = None

    @property
    def context(self) -> dict[str, object]:
        """What policy is told beside the resource."""
        told = {"branch": self.branch, "target_branch": self.target_branch}
        return {name: value for name, value in told.items() if value is not None}


class Cases(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says."""

    cases: tuple[Case, ...]
    """Those that are right."""
    diagnostics: tuple[Diagnostic, ...]


def read_cases(data: bytes, *, file: str, graph: str | None) -> Cases:
    """Returns the cases of a file; where one says nothing else it is about *graph*."""
    document = parse_yaml(data, file=file, code=CODE)
    bag = Bag()
    bag.add(*document.diagnostics)
    reader = Reader(bag, code=CODE, path=file)
    if not isinstance(document.root, MapNode):
        if not document.diagnostics:
            bag.add(error(CODE, file, "it is no file of policy tests", remedy=_FORM))
        return Cases(cases=(), diagnostics=bag.sorted())
    fields = Fields(document.root, reader, label=f"`{file}`")
    fields.one("version", code=CODE)
    listed = fields.required("cases", where=document.root.where)
    fields.close()
    seen: dict[str, ScalarNode] = {}
    items = reader.items(listed, "`cases`") if listed is not None else ()
    cases = [_case(item, reader, graph, seen) for item in items or ()]
    return Cases(cases=tuple(c for c in cases if c is not None), diagnostics=bag.sorted())


_FORM: Final = "{version: 1, cases: [{id: a, actor: act-a, action: read, expect: allow}]}"


def _case(
    node: Node, reader: Reader, graph: str | None, seen: dict[str, ScalarNode]
) -> Case | None:
    if not isinstance(node, MapNode):
        reader.fault("a case is a mapping", node.where, remedy=_FORM)
        return None
    fields = Fields(node, reader, label="a case")
    required = {
        name: fields.required(name, where=node.where)
        for name in ("id", "actor", "action", "expect")
    }
    optional = {name: fields.value(name) for name in ("on", "branch", "target_branch")}
    fields.close()
    texts = {
        name: reader.text(value, f"`{name}`")
        for name, value in {**required, **optional}.items()
        if value is not None
    }
    if any(texts.get(name) is None for name in required):
        return None
    told = {name: text for name, text in texts.items() if text is not None}
    _once(told["id"], seen, reader)
    if not _is_right(told, reader):
        return None
    resource = _resource(told, graph, reader)
    if resource is None:
        return None
    return Case(
        id=told["id"].text,
        actor=told["actor"].text,
        action=told["action"].text,
        resource=resource,
        expect="allow" if told["expect"].text == "allow" else "deny",
        branch=told["branch"].text if "branch" in told else None,
        target_branch=told["target_branch"].text if "target_branch" in told else None,
    )


def _once(name: ScalarNode, seen: dict[str, ScalarNode], reader: Reader) -> None:
    first = seen.setdefault(name.text, name)
    if first is not name:
        reader.bag.add(
            error(
                reader.code,
                reader.path,
                f"two cases have the id `{name.text}`",
                where=name.where,
                related=(Related(where=first.where, message="it stands first here"),),
                remedy="Rename one of them.",
            )
        )


def _is_right(told: dict[str, ScalarNode], reader: Reader) -> bool:
    action, expect = told["action"], told["expect"]
    if action.text not in ACTIONS:
        near = did_you_mean(action.text, sorted(ACTIONS), otherwise="agentctl policy schema")
        reader.fault(f"there is no action `{action.text}`", action.where, remedy=near)
        return False
    if expect.text not in {"allow", "deny"}:
        reader.fault(f"`expect` is `{expect.text}`; it takes allow or deny", expect.where)
        return False
    return True


def _resource(told: dict[str, ScalarNode], graph: str | None, reader: Reader) -> str | None:
    """Returns what a case is about: what it says, else the graph, else the cluster."""
    action, written = told["action"], told.get("on")
    resource = written.text if written is not None else about(action.text, graph)
    where = written.where if written is not None else action.where
    if resource is None:
        message = f"`{action.text}` is about a graph, and none is named"
        reader.fault(message, where, remedy="Name it: --graph ID, or `on: graph.<id>` in the case.")
        return None
    found = entity_of(resource)
    if found is None or found[0].uid.type not in ACTIONS[action.text]:
        takes = ", ".join(kind.lower() for kind in ACTIONS[action.text])
        reader.fault(
            f"`{action.text}` cannot be about `{resource}`", where, remedy=f"It is about: {takes}."
        )
        return None
    return resource


def about(action: str, graph: str | None) -> str | None:
    """Returns what *action* is about where only a graph is named, or nothing is."""
    kinds = ACTIONS[action]
    if graph is not None and "Graph" in kinds:
        return f"graph.{graph}"
    return CLUSTER if "Cluster" in kinds else None

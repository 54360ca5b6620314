"""A YAML bundle as values; only for text that the strict check has passed. Source: access-and-faces 1."""

from typing import Literal

import msgspec

from agentctl.domain.config.yaml_tree import ListNode, MapNode, Node, ScalarNode, parse_yaml

BranchScope = Literal["any", "protected", "unprotected"]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One permission: what the actors of a group may do."""

    id: str
    group: str
    actions: tuple[str, ...]
    """As written."""
    branch_scope: BranchScope = "any"
    target_branch_scope: BranchScope = "any"


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """All of a file."""

    groups: dict[str, tuple[str, ...]]
    """Actors by group."""
    protected_branches: frozenset[str]
    rules: tuple[Rule, ...]

    @property
    def named_actions(self) -> frozenset[str]:
        """Every action that some rule names."""
        return frozenset(action for rule in self.rules for action in rule.actions)


def looks_like_yaml(data: bytes) -> bool:
    """Returns whether the bytes are a bundle in YAML rather than policies in Cedar.

    What is applied keeps no file name. No text is both: a bundle is a mapping of the few keys that
    the strict check knows, and none of these begins a Cedar policy.
    """
    document = parse_yaml(data, file="policy", code="policy_invalid")
    return isinstance(document.root, MapNode) and "version" in _fields(document.root)


def read_bundle(data: bytes) -> Bundle:
    """Returns what a bundle says, which `config.policy_file.check_policy_file` found right."""
    root = parse_yaml(data, file="policy", code="policy_invalid").root
    assert isinstance(root, MapNode), "the strict check passed"
    fields = _fields(root)
    groups = _fields(fields.get("groups"))
    return Bundle(
        groups={name: _texts(actors) for name, actors in groups.items()},
        protected_branches=frozenset(_texts(fields.get("protected_branches"))),
        rules=tuple(_rule(item) for item in _items(fields.get("rules"))),
    )


def _rule(node: Node) -> Rule:
    fields = _fields(node)
    allow = _fields(fields["allow"])
    return Rule(
        id=_text(fields["id"]),
        group=_text(_fields(allow["actors"])["group"]),
        actions=_texts(allow["actions"]),
        branch_scope=_scope(allow.get("branch_scope")),
        target_branch_scope=_scope(allow.get("target_branch_scope")),
    )


def _scope(node: Node | None) -> BranchScope:
    """Returns a scope; who writes nothing, or null, means any."""
    match node:
        case ScalarNode(text="protected"):
            return "protected"
        case ScalarNode(text="unprotected"):
            return "unprotected"
        case _:
            return "any"


def _fields(node: Node | None) -> dict[str, Node]:
    entries = node.entries if isinstance(node, MapNode) else ()
    found: dict[str, Node] = {entry.key.text: entry.value for entry in entries}
    return found


def _items(node: Node | None) -> tuple[Node, ...]:
    return node.items if isinstance(node, ListNode) else ()


def _texts(node: Node | None) -> tuple[str, ...]:
    return tuple(_text(item) for item in _items(node))


def _text(node: Node) -> str:
    assert isinstance(node, ScalarNode), "the strict check passed"
    return node.text

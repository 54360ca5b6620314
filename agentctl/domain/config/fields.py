"""The fields of one YAML mapping, read strictly: what nobody asked for is an unknown field."""

from agentctl.diagnostics.bag import Bag
from agentctl.diagnostics.diagnostic import error
from agentctl.diagnostics.span import Span
from agentctl.domain.config.faults import meant
from agentctl.domain.config.scalars import ScalarType, integer_value, scalar_type
from agentctl.domain.config.yaml_tree import ListNode, MapEntry, MapNode, Node, ScalarNode


def is_null(node: Node) -> bool:
    """Returns whether *node* is nothing, or one of the spellings of null."""
    return isinstance(node, ScalarNode) and scalar_type(node) == "null"


def describe(node: Node) -> str:
    """Returns what kind of value *node* is, for a message."""
    match node:
        case MapNode():
            return "a mapping"
        case ListNode():
            return "a list"
        case ScalarNode():
            names: dict[ScalarType, str] = {
                "null": "nothing", "boolean": "a boolean", "integer": "an integer",
                "number": "a number", "text": "text",
            }  # fmt: skip
            return names[scalar_type(node)]


class Reader:
    """Where faults of one file go, with the code and the path that they carry."""

    def __init__(self, bag: Bag, *, code: str, path: str) -> None:
        self.bag = bag
        self.code = code
        self.path = path

    def at(self, path: str) -> "Reader":
        """Returns a reader whose faults carry another path."""
        return Reader(self.bag, code=self.code, path=path)

    def fault(self, message: str, where: Span, *, remedy: str | None = None) -> None:
        """Adds an error with this file's code."""
        self.bag.add(error(self.code, self.path, message, where=where, remedy=remedy))

    def text(self, node: Node, label: str) -> ScalarNode | None:
        """Returns *node* where it is text; a plain number counts as its spelling."""
        if isinstance(node, ScalarNode) and not is_null(node):
            return node
        self.fault(f"{label} takes text, not {describe(node)}", node.where)
        return None

    def mapping(self, node: Node, label: str) -> MapNode | None:
        """Returns *node* where it is a mapping; nothing counts as an empty one."""
        if isinstance(node, MapNode):
            return node
        if is_null(node):
            return MapNode(entries=(), where=node.where)
        self.fault(f"{label} takes a mapping, not {describe(node)}", node.where)
        return None

    def items(self, node: Node, label: str) -> tuple[Node, ...] | None:
        """Returns the items of *node* where it is a list; nothing counts as an empty one."""
        if isinstance(node, ListNode):
            return node.items
        if is_null(node):
            return ()
        self.fault(f"{label} takes a list, not {describe(node)}", node.where)
        return None

    def texts(self, node: Node, label: str) -> tuple[ScalarNode, ...] | None:
        """Returns the items of a list of texts; items of another kind are faults and left out."""
        items = self.items(node, label)
        if items is None:
            return None
        read = [self.text(item, f"an item of {label}") for item in items]
        return tuple(item for item in read if item is not None)


class Fields:
    """The fields of one mapping, taken by name."""

    def __init__(self, node: MapNode, reader: Reader, *, label: str) -> None:
        self._entries = {entry.key.text: entry for entry in node.entries}
        self._asked: list[str] = []
        self._reader = reader
        self._label = label
        self.where = node.where

    def entry(self, name: str) -> MapEntry | None:
        """Returns the field, also where its value is null."""
        self._asked.append(name)
        return self._entries.pop(name, None)

    def entry_hidden(self, name: str) -> MapEntry | None:
        """Returns a field that must not be there, and is never suggested for another."""
        return self._entries.pop(name, None)

    def value(self, name: str) -> Node | None:
        """Returns the field's value; None where it is absent or null."""
        entry = self.entry(name)
        return None if entry is None or is_null(entry.value) else entry.value

    def required(self, name: str, *, where: Span) -> Node | None:
        """Returns the field's value; absent or null is a fault at *where*."""
        entry = self.entry(name)
        if entry is None:
            self._reader.fault(f"{self._label} lacks the field `{name}`", where)
        elif is_null(entry.value):
            self._reader.fault(f"`{name}` in {self._label} has no value", entry.key.where)
        else:
            return entry.value
        return None

    def text(self, name: str) -> ScalarNode | None:
        """Returns an optional text."""
        value = self.value(name)
        return None if value is None else self._reader.text(value, self._named(name))

    def one(self, name: str, *, code: str) -> None:
        """Checks a required version number that must be 1; another number has *code*."""
        value = self.required(name, where=self.where)
        if value is None:
            return
        number = integer_value(value) if isinstance(value, ScalarNode) else None
        if number is None:
            self._reader.fault(f"`{name}` takes the integer 1, not {describe(value)}", value.where)
        elif number != 1:
            message = f"`{name}` is {number}; this release reads 1"
            self._reader.bag.add(error(code, self._reader.path, message, where=value.where))

    def close(self) -> None:
        """Adds a fault for each field that nobody asked for."""
        for entry in self._entries.values():
            name = entry.key.text
            listed = f"Take it out; the fields are {', '.join(self._asked)}."
            where = entry.key.where
            remedy = meant(self._reader.bag, where.file, name, self._asked, otherwise=listed)
            self._reader.fault(f"unknown field `{name}` in {self._label}", where, remedy=remedy)

    def _named(self, name: str) -> str:
        return f"`{name}` in {self._label}"

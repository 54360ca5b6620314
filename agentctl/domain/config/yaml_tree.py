"""YAML text as a tree of nodes with positions, read as YAML 1.2 core.

Built from libyaml's events with a stack of our own, so that depth, size and alias expansion are
bounded before anything is built, every node knows its place, and no YAML 1.1 surprise (``on``,
``012``, ``12:30``) can happen: a scalar stays text until a reader asks for a type.
Source: control-plane 1.9, YAML 1.2 chapter 10.3, libraries 8.
"""

from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from agentctl.diagnostics.bag import Bag
from agentctl.diagnostics.diagnostic import Diagnostic, Related, error
from agentctl.diagnostics.span import Span, span_at

SIZE_BYTES_MAX: Final = 8 * 1024 * 1024
DEPTH_MAX: Final = 64
NODE_COUNT_MAX: Final = 200_000
"""Nodes of a document with every alias expanded; 10,000 resources need fewer than 100,000."""

_CORE: Final = "tag:yaml.org,2002:"


class ScalarNode(msgspec.Struct, frozen=True, kw_only=True):
    """A scalar as written, without its quotes."""

    text: str
    plain: bool
    """Unquoted, so that it may be a null, a boolean or a number."""
    where: Span


class ListNode(msgspec.Struct, frozen=True, kw_only=True):
    """A sequence."""

    items: tuple["Node", ...]
    where: Span


class MapEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One key of a mapping with its value."""

    key: ScalarNode
    value: "Node"


class MapNode(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping; every key stands once, in the order of the text."""

    entries: tuple[MapEntry, ...]
    where: Span


Node = ScalarNode | ListNode | MapNode


class YamlDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What was read."""

    root: Node | None
    """None where the text is empty or no YAML."""
    diagnostics: tuple[Diagnostic, ...]


def parse_yaml(data: bytes, *, file: str, code: str) -> YamlDocument:
    """Returns the tree of *data*; faults have *code*, but repeated keys `duplicate_yaml_key`."""
    bag = Bag()
    text = _decode(data, file=file, code=code, bag=bag)
    root: Node | None = None
    if text is not None:
        try:
            root = _Builder(text, file=file, code=code, bag=bag).build()
        except _FaultError as fault:
            bag.add(fault.diagnostic)
    return YamlDocument(root=root, diagnostics=tuple(bag))


class _FaultError(Exception):
    """The rest of the text cannot be read."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def _decode(data: bytes, *, file: str, code: str, bag: Bag) -> str | None:
    if len(data) > SIZE_BYTES_MAX:
        message = f"the file has {len(data)} bytes; at most {SIZE_BYTES_MAX} are read"
        bag.add(error(code, file, message, remedy="Split the cluster, or take the bulk out."))
        return None
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as fault:
        before = data[: fault.start].decode("utf-8")
        where = span_at(file, before + "?", len(before), len(before) + 1)
        message = f"byte 0x{data[fault.start]:02x} is not UTF-8"
        bag.add(error(code, file, message, where=where, remedy="Save the file as UTF-8."))
        return None


class _Open:
    """A collection whose end has not been seen yet."""

    def __init__(self, event: Any, *, mapping: bool) -> None:  # noqa: ANN401  # PyYAML events are untyped
        self.mapping = mapping
        self.start: int = event.start_mark.index
        self.anchor: str | None = event.anchor
        self.nodes: list[Node] = []
        self.size = 1


class _Builder:
    """Builds the tree of one text from its events."""

    def __init__(self, text: str, *, file: str, code: str, bag: Bag) -> None:
        self._text = text
        self._file = file
        self._code = code
        self._bag = bag
        self._stack: list[_Open] = []
        self._root: Node | None = None
        self._anchors: dict[str, tuple[Node, int] | None] = {}
        self._total = 0
        self._lines = [0] + [i + 1 for i, character in enumerate(text) if character == "\n"]

    def build(self) -> Node | None:
        """Returns the root of the only document, None for an empty text."""
        documents = 0
        for event in self._events():
            match type(event).__name__:
                case "DocumentStartEvent":
                    documents += 1
                    if documents > 1:
                        self._stop(
                            "a second document begins here", event.start_mark.index, length=3
                        )
                case "ScalarEvent":
                    self._scalar(event)
                case "AliasEvent":
                    self._alias(event)
                case "SequenceStartEvent" | "MappingStartEvent":
                    self._open(event)
                case "SequenceEndEvent" | "MappingEndEvent":
                    self._close(event)
                case _:
                    pass
        return self._root

    def _events(self) -> Iterator[Any]:
        import yaml

        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            yield from yaml.parse(self._text, Loader=loader)
        except yaml.reader.ReaderError as fault:
            before = self._text.encode()[: fault.position].decode("utf-8", "ignore")
            self._stop(
                f"character U+{ord(self._text[len(before)]):04X} may not stand in YAML", len(before)
            )
        except yaml.MarkedYAMLError as fault:
            at = fault.problem_mark.index if fault.problem_mark else 0
            if self._text[at : at + 1] == "\t":
                self._stop(
                    "a tab where YAML takes spaces", at, remedy="Indent with spaces, two a level."
                )
            self._stop(str(fault.problem), at, context=fault)

    def _scalar(self, event: Any) -> None:  # noqa: ANN401
        where = self._span(event.start_mark.index, event.end_mark.index)
        self._check_tag(event.tag, where, allowed=("str",))
        plain = event.implicit[0] and not event.style
        node = ScalarNode(text=event.value, plain=bool(plain), where=where)
        self._count(1, where)
        self._add(node, 1, event.anchor)

    def _alias(self, event: Any) -> None:  # noqa: ANN401
        where = self._span(event.start_mark.index, event.end_mark.index)
        known = self._anchors.get(event.anchor)
        if known is None:
            what = "contains itself" if event.anchor in self._anchors else "is not defined before"
            self._stop(f"the anchor `&{event.anchor}` {what}", event.start_mark.index)
            return
        node, size = known
        self._count(size, where)
        self._add(node, size, None)

    def _open(self, event: Any) -> None:  # noqa: ANN401
        mapping = type(event).__name__ == "MappingStartEvent"
        at = event.start_mark.index
        self._check_tag(
            event.tag, self._span(at, at + 1), allowed=("map",) if mapping else ("seq",)
        )
        if len(self._stack) >= DEPTH_MAX:
            self._stop(f"more than {DEPTH_MAX} levels deep", at)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._count(1, self._span(at, at + 1))
        self._stack.append(_Open(event, mapping=mapping))

    def _close(self, event: Any) -> None:  # noqa: ANN401
        done = self._stack.pop()
        where = self._span(done.start, max(self._end(event.end_mark.index), done.start + 1))
        node: Node
        if done.mapping:
            node = MapNode(entries=self._entries(done.nodes), where=where)
        else:
            node = ListNode(items=tuple(done.nodes), where=where)
        self._add(node, done.size, done.anchor)

    def _entries(self, nodes: list[Node]) -> tuple[MapEntry, ...]:
        entries: dict[str, MapEntry] = {}
        for key, value in zip(nodes[::2], nodes[1::2], strict=True):
            if not isinstance(key, ScalarNode):
                message = "a key must be a plain word, not a list or a mapping"
                self._bag.add(error(self._code, self._file, message, where=key.where))
                continue
            first = entries.get(key.text)
            if first is None:
                entries[key.text] = MapEntry(key=key, value=value)
                continue
            self._bag.add(
                error(
                    "duplicate_yaml_key",
                    self._file,
                    f"the key `{key.text}` stands twice in one mapping",
                    detail="One of the two values would win without a word.",
                    where=key.where,
                    related=(Related(where=first.key.where, message="it stands first here"),),
                    remedy="Keep one of them.",
                )
            )
        return tuple(entries.values())

    def _add(self, node: Node, size: int, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = (node, size)
        if self._stack:
            self._stack[-1].nodes.append(node)
            self._stack[-1].size += size
        else:
            self._root = node

    def _count(self, size: int, where: Span) -> None:
        self._total += size
        if self._total > NODE_COUNT_MAX:
            message = f"more than {NODE_COUNT_MAX} values once every alias is expanded"
            remedy = "Write the repeated parts out, or split the cluster."
            raise _FaultError(error(self._code, self._file, message, where=where, remedy=remedy))

    def _check_tag(self, tag: str | None, where: Span, *, allowed: tuple[str, ...]) -> None:
        if tag is None or tag == "!" or tag.removeprefix(_CORE) in allowed:
            return
        message = f"the tag `{tag.replace(_CORE, '!!')}` is not read here"
        self._bag.add(
            error(self._code, self._file, message, where=where, remedy="Take the tag out.")
        )

    def _end(self, end: int) -> int:
        """Returns where a block collection's own text ends; libyaml ends it at the next token."""
        while end > 0 and self._text[end - 1].isspace():
            end -= 1
        return end

    def _span(self, start: int, end: int) -> Span:
        line = bisect_right(self._lines, start)
        end_line = bisect_right(self._lines, end)
        return Span(
            file=self._file,
            line=line,
            column=start - self._lines[line - 1] + 1,
            end_line=end_line,
            end_column=end - self._lines[end_line - 1] + 1,
        )

    def _stop(
        self,
        message: str,
        at: int,
        *,
        length: int = 1,
        remedy: str | None = None,
        context: Any = None,  # noqa: ANN401
    ) -> None:
        related: tuple[Related, ...] = ()
        if context is not None and context.context and context.context_mark:
            start = context.context_mark.index
            where = self._span(start, min(start + 1, len(self._text)))
            related = (Related(where=where, message=str(context.context)),)
        where = self._span(min(at, len(self._text)), min(at + length, len(self._text)))
        raise _FaultError(
            error(self._code, self._file, message, where=where, related=related, remedy=remedy)
        )

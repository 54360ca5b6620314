"""Which resources a folder declares, and which of them a reference means.

A bare name stands for a typed address where the field fixes the kind; everything else that is
missing, of another kind or ambiguous is refused. Source: axiom 9, control-plane 3.1 and 3.3.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property

from agentctl.diagnostics.bag import Bag
from agentctl.diagnostics.diagnostic import error
from agentctl.domain.config.faults import meant
from agentctl.domain.config.given import Text
from agentctl.domain.config.paths import CLUSTER_FILE
from agentctl.ids import Address, Kind, ParsedAddress, parse_address
from agentctl.languages.text.suggest import NAME_COUNT_MAX

KIND_WORDS: dict[Kind, str] = {
    "graph": "graph",
    "schema": "schema",
    "query": "query",
    "policy": "policy",
    "embedding_provider": "embedding provider",
    "source_provider": "source provider",
    "storage_provider": "storage provider",
    "pipeline": "pipeline",
    "embedding": "embedding",
    "ui": "dashboard",
    "alias": "alias",
    "binding": "binding",
    "approval": "approval rule",
    "remote": "remote",
    "ops": "section `ops`",
}
"""What each kind is called in messages."""


def a_kind(kind: Kind) -> str:
    """Returns what a resource of *kind* is called, with its article."""
    word = KIND_WORDS[kind]
    if kind == "ops":
        return f"the {word}"
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


_DANGLING: dict[Kind, str] = {
    "graph": "dangling_graph_reference",
    "embedding_provider": "dangling_embedding_provider_reference",
}


DANGLING_CODES = frozenset({*_DANGLING.values(), "dangling_reference"})
MISSING = re.compile(r"the (?P<kind>[a-z `]+?) `(?P<name>[^`]+)` is not declared")
"""What each of these codes says; `policies` and `settings` use the same words."""
_CANDIDATES_MAX = 5


class Declared:
    """The addresses of a folder, also of resources that have mistakes.

    Names are sorted out when the first reference asks: most folders have none.
    """

    def __init__(self, addresses: Iterable[Address], partial: Iterable[str] = ()) -> None:
        self.addresses = frozenset(addresses)
        self.partial = frozenset(partial)
        """Graphs whose queries could not all be read: a query of theirs may be declared."""

    def may_exist(self, parsed: ParsedAddress, text: str) -> bool:
        """Returns whether an address is declared, or would be in a file that could not be read."""
        return text in self.addresses or (parsed.kind == "query" and parsed.graph in self.partial)

    def called(self, name: str) -> tuple[Address, ...]:
        """Returns every address with that last name, sorted."""
        return tuple(address for address, _ in self._by_name.get(name, ()))

    def named(self, name: str, kind: Kind) -> tuple[Address, ...]:
        """Returns the addresses of one kind with that last name, sorted."""
        found = self._by_name.get(name, ())
        return tuple(address for address, parsed in found if parsed.kind == kind)

    def of_kind(self, kind: Kind) -> tuple[Address, ...]:
        """Returns the declared addresses of one kind, sorted."""
        return self._by_kind.get(kind, ())

    @cached_property
    def _by_name(self) -> dict[str, list[tuple[Address, ParsedAddress]]]:
        found: defaultdict[str, list[tuple[Address, ParsedAddress]]] = defaultdict(list)
        for address, parsed in self._sorted:
            found[parsed.name].append((address, parsed))
        return found

    @cached_property
    def _by_kind(self) -> dict[Kind, tuple[Address, ...]]:
        found: defaultdict[Kind, list[Address]] = defaultdict(list)
        for address, parsed in self._sorted:
            found[parsed.kind].append(address)
        return {kind: tuple(addresses) for kind, addresses in found.items()}

    @cached_property
    def _sorted(self) -> list[tuple[Address, ParsedAddress]]:
        found: list[tuple[Address, ParsedAddress]] = []
        for address in sorted(self.addresses):
            parsed = parse_address(address)
            assert parsed is not None, f"{address} is no address"
            found.append((address, parsed))
        return found


def resolve_reference(
    text: Text, kind: Kind, known: Declared, *, typed: bool, path: str, bag: Bag
) -> Address | None:
    """Returns the resource of *kind* that *text* means; None where it means none, which is told.

    A query of a graph whose files could not be read is None too, and not told again.
    """
    parsed = parse_address(text.text)
    if parsed is None:
        return _bare(text, kind, known, typed=typed, path=path, bag=bag)
    if parsed.kind != kind:
        message = f"`{text.text}` is {a_kind(parsed.kind)}, not {a_kind(kind)}"
        remedy = candidates(parsed.name, (kind,), known) or _hint(text.text, kind, known, bag)
        bag.add(error("wrong_kind_reference", path, message, where=text.where, remedy=remedy))
        return None
    if text.text in known.addresses:
        return Address(text.text)
    if not known.may_exist(parsed, text.text):
        _dangling(text, kind, known, path, bag)
    return None


def _bare(
    text: Text, kind: Kind, known: Declared, *, typed: bool, path: str, bag: Bag
) -> Address | None:
    found = known.named(text.text, kind)
    if len(found) == 1 and not typed:
        return found[0]
    if found:
        listed = ", ".join(f"`{address}`" for address in found)
        message = f"`{text.text}` does not say which {KIND_WORDS[kind]} is meant"
        remedy = f"Write its typed address: {listed}."
        bag.add(error("ambiguous_reference", path, message, where=text.where, remedy=remedy))
    elif kind != "query" or not known.partial:
        _dangling(text, kind, known, path, bag)
    return None


def _dangling(text: Text, kind: Kind, known: Declared, path: str, bag: Bag) -> None:
    code = _DANGLING.get(kind, "dangling_reference")
    message = f"the {KIND_WORDS[kind]} `{text.text}` is not declared"
    remedy = _hint(text.text, kind, known, bag)
    bag.add(error(code, path, message, where=text.where, remedy=remedy))


def _hint(written: str, kind: Kind, known: Declared, bag: Bag) -> str:
    names = known.of_kind(kind)
    if "." not in written:
        names = tuple(Address(name.rpartition(".")[2]) for name in names[:NAME_COUNT_MAX])
    otherwise = f"Declare the {KIND_WORDS[kind]}, or take it out here."
    return meant(bag, CLUSTER_FILE, written, names, otherwise=otherwise) or otherwise


def typed_address(
    text: Text, known: Declared, *, kinds: tuple[Kind, ...], path: str, bag: Bag
) -> ParsedAddress | None:
    """Returns the parts of a typed address, whether or not it is declared; else tells why not."""
    parsed = parse_address(text.text)
    if parsed is None:
        found = known.called(text.text)
        listed = ", ".join(f"`{address}`" for address in found)
        message = f"`{text.text}` is no typed address"
        remedy = "Write one such as `graph.<id>` or `query.<graph>.<name>`."
        code = "invalid_cluster_yaml"
        if found:
            message, code = (
                f"`{text.text}` does not say which resource is meant",
                "ambiguous_reference",
            )
            remedy = f"Write its typed address: {listed}."
        bag.add(error(code, path, message, where=text.where, remedy=remedy))
        return None
    if kinds and parsed.kind not in kinds:
        wanted = " or ".join(a_kind(kind) for kind in kinds)
        message = f"`{text.text}` is {a_kind(parsed.kind)}, not {wanted}"
        meant_ = candidates(parsed.name, kinds, known)
        bag.add(error("wrong_kind_reference", path, message, where=text.where, remedy=meant_))
        return None
    return parsed


def candidates(name: str, kinds: Iterable[Kind], known: Declared) -> str | None:
    """Returns which resources of these kinds might be meant, those of that *name* before others."""
    listed = [address for kind in kinds for address in known.of_kind(kind)]
    like = [address for address in listed if address.rpartition(".")[2] == name]
    shown = (like or listed)[:_CANDIDATES_MAX]
    more = len(like or listed) - len(shown)
    if not shown:
        return None
    told = ", ".join(f"`{address}`" for address in shown)
    return f"Write its typed address: {told}{f' or one of {more:,} more' if more else ''}."

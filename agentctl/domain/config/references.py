"""Which resources a folder declares, and which of them a reference means.

A bare name stands for a typed address where the field fixes the kind; everything else that is
missing, of another kind or ambiguous is refused. Source: axiom 9, control-plane 3.1 and 3.3.
"""

from collections import defaultdict
from collections.abc import Iterable

import msgspec

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
    "ops": "section `ops`",
}
"""What each kind is called in messages."""

_DANGLING: dict[Kind, str] = {
    "graph": "dangling_graph_reference",
    "embedding_provider": "dangling_embedding_provider_reference",
}


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """The addresses of a folder, also of resources that have mistakes."""

    addresses: frozenset[Address]
    by_name: dict[str, tuple[Address, ...]]
    """Every address with that last name, sorted."""
    by_kind: dict[Kind, tuple[Address, ...]]
    """Sorted."""
    partial: frozenset[str]
    """Graphs whose queries could not all be read: a query of theirs may be declared."""

    def may_exist(self, parsed: ParsedAddress, text: str) -> bool:
        """Returns whether an address is declared, or would be in a file that could not be read."""
        return text in self.addresses or (parsed.kind == "query" and parsed.graph in self.partial)

    def named(self, name: str, kind: Kind) -> tuple[Address, ...]:
        """Returns the addresses of one kind with that last name."""
        found = self.by_name.get(name, ())
        return tuple(a for a in found if (p := parse_address(a)) and p.kind == kind)

    def of_kind(self, kind: Kind) -> tuple[Address, ...]:
        """Returns the declared addresses of one kind, sorted."""
        return self.by_kind.get(kind, ())


def declared(addresses: Iterable[Address], partial: Iterable[str]) -> Declared:
    """Returns the index of *addresses*; *partial* are graphs with queries that are not known."""
    known = frozenset(addresses)
    by_name: defaultdict[str, list[Address]] = defaultdict(list)
    by_kind: defaultdict[Kind, list[Address]] = defaultdict(list)
    for address in sorted(known):
        parsed = parse_address(address)
        assert parsed is not None, f"{address} is no address"
        by_name[parsed.name].append(address)
        by_kind[parsed.kind].append(address)
    return Declared(
        addresses=known,
        by_name={name: tuple(found) for name, found in by_name.items()},
        by_kind={kind: tuple(found) for kind, found in by_kind.items()},
        partial=frozenset(partial),
    )


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
        message = f"`{text.text}` is a {KIND_WORDS[parsed.kind]}, not a {KIND_WORDS[kind]}"
        remedy = _hint(text.text, kind, known, bag)
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
        found = known.by_name.get(text.text, ())
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
        wanted = " or ".join(f"a {KIND_WORDS[kind]}" for kind in kinds)
        message = f"`{text.text}` is a {KIND_WORDS[parsed.kind]}, not {wanted}"
        bag.add(error("wrong_kind_reference", path, message, where=text.where))
        return None
    return parsed

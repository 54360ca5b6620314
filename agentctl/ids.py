"""Typed ids and resource addresses: how they are built, parsed and printed.

An address names one resource of a cluster (`spec/control-plane.md` 1.2); it travels as text in
every file and every output, and is parsed only where its parts are needed. Ids that need time or
randomness take both as arguments, so this module is pure.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, Literal, NewType

import msgspec

Address = NewType("Address", str)
"""The printed form of a resource address, e.g. ``query.supply.impact``."""

Kind = Literal[
    "graph",
    "schema",
    "query",
    "policy",
    "embedding_provider",
    "source_provider",
    "storage_provider",
    "pipeline",
    "embedding",
    "ui",
    "alias",
    "binding",
    "approval",
    "remote",
    "ops",
]
"""The kinds of resources; the last ten are agentctl's own. Source: control-plane 1.2 and 3.1."""

PROVIDER_KINDS: Final[Mapping[str, Kind]] = {
    "embedding": "embedding_provider",
    "source": "source_provider",
    "storage": "storage_provider",
}
"""What stands between ``provider.`` and the name."""

_PROVIDER_FAMILIES: Final[Mapping[Kind, str]] = {kind: f for f, kind in PROVIDER_KINDS.items()}

NAMED_KINDS: Final[frozenset[Kind]] = frozenset(
    {"policy", "pipeline", "embedding", "ui", "alias", "approval", "remote"}
)
"""Kinds whose addresses are ``<kind>.<name>`` and belong to no graph."""

SETTINGS_KINDS: Final[frozenset[Kind]] = frozenset(
    {
        *("approval", "ops", "alias", "binding", "embedding", "remote"),
        *("source_provider", "storage_provider"),
    }
)
"""Kinds that are applied by being recorded: the ledger has their digest, the catalog their fields."""

SURFACES: Final = frozenset({"mcp", "http"})
"""Where a query can be bound to, besides a dashboard ``ui.<name>``."""

_MAIN: Final = "main"
"""The branch that every graph has."""

CLUSTER: Final = Address("cluster")
"""The address of the cluster itself; not a resource, but a target of operations and policies."""

RESOURCE_ID: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)
"""Ids of everything that cluster.yaml names. Source: control-plane 1.1."""

ULID_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SEQ_DIGITS: Final = 20


class ParsedAddress(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of an address."""

    kind: Kind
    name: str
    """The resource's own id: of a query its name, of a graph or schema the graph's id, of a binding
    its surface, of ``ops`` that word."""
    graph: str | None = None
    """The graph it belongs to; None for what belongs to the cluster."""
    query: Address | None = None
    """Of a binding, the address of the query that it binds."""


ADDRESSES_KNOWN_MAX: Final = 1 << 15
"""A plan of 10,000 resources asks for the parts of each several times."""


def is_resource_id(text: str) -> bool:
    """Returns whether *text* may name a graph, query, policy or provider."""
    return RESOURCE_ID.fullmatch(text) is not None


def graph_address(graph: str) -> Address:
    """Returns ``graph.<id>``."""
    return Address(f"graph.{graph}")


def branch_address(graph: str, branch: str) -> str:
    """Returns how an op and a policy name one branch: ``graph.<id>`` is `main`."""
    return graph_address(graph) if branch == _MAIN else f"{graph_address(graph)}@{branch}"


def split_branch(address: str) -> tuple[str, str]:
    """Returns the graph's id and the branch of what `branch_address` gave."""
    graph, _, branch = address.removeprefix("graph.").partition("@")
    return graph, branch or _MAIN


def schema_address(graph: str) -> Address:
    """Returns ``schema.<id>``."""
    return Address(f"schema.{graph}")


def query_address(graph: str, name: str) -> Address:
    """Returns ``query.<graph>.<name>``."""
    return Address(f"query.{graph}.{name}")


def policy_address(name: str) -> Address:
    """Returns ``policy.<name>``."""
    return Address(f"policy.{name}")


def embedding_provider_address(name: str) -> Address:
    """Returns ``provider.embedding.<name>``."""
    return Address(f"provider.embedding.{name}")


def binding_address(query: Address, surface: str) -> Address:
    """Returns ``binding.<query>-><surface>``, e.g. ``binding.query.supply.impact->mcp``."""
    return Address(f"binding.{query}->{surface}")


def address_of(kind: Kind, name: str) -> Address:
    """Returns the address of a resource that belongs to no graph, or of a graph or schema itself."""
    if kind in _PROVIDER_FAMILIES:
        return Address(f"provider.{_PROVIDER_FAMILIES[kind]}.{name}")
    assert kind in NAMED_KINDS or kind in {"graph", "schema"}
    return Address(f"{kind}.{name}")


OPS: Final = Address("ops")
"""The one resource of operations: archive and retention."""


@lru_cache(maxsize=ADDRESSES_KNOWN_MAX)
def parse_address(text: str) -> ParsedAddress | None:
    """Returns the parts of *text*, or None where it is no resource address."""
    if text == OPS:
        return ParsedAddress(kind="ops", name=OPS)
    query, arrow, surface = text.partition("->")
    if arrow:
        return _parse_binding(query, surface)
    parts = text.split(".")
    if not all(is_resource_id(part) for part in parts):
        return None
    return _parse_parts(parts)


def _parse_parts(parts: list[str]) -> ParsedAddress | None:
    match parts:
        case ["graph" | "schema" as kind, graph]:
            return ParsedAddress(kind=kind, name=graph, graph=graph)
        case ["query", graph, name]:
            return ParsedAddress(kind="query", name=name, graph=graph)
        case ["provider", family, name] if family in PROVIDER_KINDS:
            return ParsedAddress(kind=PROVIDER_KINDS[family], name=name)
        case [kind, name] if kind in NAMED_KINDS:
            return ParsedAddress(kind=kind, name=name)
        case _:
            return None


def _parse_binding(query: str, surface: str) -> ParsedAddress | None:
    prefix, _, named = query.partition(".")
    target = _parse_parts(named.split(".")) if prefix == "binding" else None
    if target is None or target.kind != "query" or parse_address(named) is None:
        return None
    dashboard = parse_address(surface) if "->" not in surface else None
    if surface not in SURFACES and (dashboard is None or dashboard.kind != "ui"):
        return None
    return ParsedAddress(kind="binding", name=surface, graph=target.graph, query=Address(named))


def ulid(milliseconds: int, entropy: bytes) -> str:
    """Returns the ULID of *milliseconds* since 1970 and 10 random bytes.

    Source: the ULID specification (Crockford base 32, 48 bits of time, 80 of randomness).
    """
    assert 0 <= milliseconds < 1 << 48
    assert len(entropy) == 10
    number = (milliseconds << 80) | int.from_bytes(entropy)
    return "".join(ULID_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


def is_ulid(text: str) -> bool:
    """Returns whether *text* has the form of a ULID."""
    return len(text) == 26 and text[0] <= "7" and all(c in ULID_ALPHABET for c in text)


def ascending(mint: Callable[[], str]) -> Callable[[], str]:
    """Returns a mint of ULIDs that ascend: one of *mint* that does not is the one after the last.

    Source: the ULID specification, monotonicity.
    """
    last = ""

    def next_ulid() -> str:
        nonlocal last
        made = mint()
        last = made if made > last else _after(last)
        return last

    return next_ulid


def _after(text: str) -> str:
    number = 0
    for character in text:
        number = number << 5 | ULID_ALPHABET.index(character)
    number += 1
    return "".join(ULID_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


def uuid7(milliseconds: int, entropy: bytes) -> str:
    """Returns the UUIDv7 of *milliseconds* since 1970 and 10 random bytes. Source: RFC 9562 5.7."""
    assert len(entropy) == 10
    random = int.from_bytes(entropy)
    number = (milliseconds << 80) | (7 << 76) | ((random >> 64 & 0xFFF) << 64)
    number |= (2 << 62) | (random & ((1 << 62) - 1))
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def nid_short(nid: str) -> str:
    """Returns the part of a node id that stands before the colon of an op id.

    Eight characters after ``z6Mk``, or ``local-<user>`` with anything outside ``[a-z0-9-]`` as
    ``-``. Source: ops 5.
    """
    if nid.startswith("z6Mk"):
        return nid[4:12]
    return re.sub(r"[^a-z0-9-]", "-", nid.lower())


def op_id(nid: str, uuid: str) -> str:
    """Returns ``{nid-short}:{uuid}``, the id of an Op."""
    return f"{nid_short(nid)}:{uuid}"


def path_part(text: str) -> str:
    """Returns *text* as one part of a storage key: ``/`` becomes ``%2F``. Source: control-plane 3.2."""
    return text.replace("%", "%25").replace("/", "%2F")


def from_path_part(part: str) -> str:
    """Returns the text of which `path_part` made *part*."""
    return part.replace("%2F", "/").replace("%25", "%")


def numbered(number: int) -> str:
    """Returns *number* as the 20 digits that name a numbered object."""
    assert number >= 0
    return f"{number:0{SEQ_DIGITS}d}"

"""The resources of the kinds that OmniGraph 0.10 does not have, from their sections to values.

Each is read by its table, resolved (`normal`), checked against what it refers to (`kind_checks`)
and digested. Source: control-plane 3.1.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from agentctl.diagnostics.diagnostic import Related, error
from agentctl.diagnostics.span import Span
from agentctl.domain.config.forms import Section
from agentctl.domain.config.given import Fieldset, Text
from agentctl.domain.config.kind_checks import CHECKS, Checked
from agentctl.domain.config.model import Dependency, DesiredGraph, DesiredResource
from agentctl.domain.config.normal import Normal, Surroundings, kind_digest
from agentctl.domain.config.paths import CLUSTER_FILE
from agentctl.domain.config.publication_table import REMOTE
from agentctl.domain.config.sections_table import (
    ALIAS,
    APPROVAL,
    BINDING,
    DASHBOARD,
    EMBEDDING,
    OPS,
    PIPELINE,
)
from agentctl.domain.config.sources_table import SOURCE_PROVIDER, STORAGE_PROVIDER
from agentctl.ids import OPS as OPS_ADDRESS
from agentctl.ids import (
    Address,
    Kind,
    address_of,
    binding_address,
    parse_address,
    query_address,
    schema_address,
)


class NamedSection(NamedTuple):
    """A section of named resources of one kind."""

    path: tuple[str, ...]
    """From the root of the file to the mapping."""
    kind: Kind
    table: Section


NAMED_SECTIONS: Final = (
    NamedSection(("providers", "source"), "source_provider", SOURCE_PROVIDER),
    NamedSection(("providers", "storage"), "storage_provider", STORAGE_PROVIDER),
    NamedSection(("pipelines",), "pipeline", PIPELINE),
    NamedSection(("embeddings",), "embedding", EMBEDDING),
    NamedSection(("ui", "dashboards"), "ui", DASHBOARD),
    NamedSection(("aliases",), "alias", ALIAS),
    NamedSection(("approvals",), "approval", APPROVAL),
    NamedSection(("publication", "remotes"), "remote", REMOTE),
)
"""In the order of the table of 3.1; `bindings` and `ops` have no names of their own."""


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """Resources with what they depend on."""

    resources: tuple[DesiredResource, ...]
    """Sorted by address."""
    dependencies: tuple[Dependency, ...]


def declared_names(root: Fieldset) -> Iterator[Address]:
    """Yields the address of every named resource, also of one that has mistakes, and of ``ops``."""
    for section in NAMED_SECTIONS:
        holder, name = _holder(root, section.path)
        for entry in holder.entries(name):
            yield address_of(section.kind, entry.key.text)
        for lost in holder.lost(name):
            yield address_of(section.kind, lost.text)
    if "ops" in root.keys:
        yield OPS_ADDRESS


def resolve_others(
    root: Fieldset, around: Surroundings, graphs: Mapping[str, DesiredGraph]
) -> Resolved:
    """Returns the resources of the new kinds; faults go to the bag, and what has one is left out."""
    found: list[DesiredResource] = []
    edges: list[Dependency] = []
    resolver = _Resolver(around, graphs)
    for one in (*_named(root), *_bindings(root, around), *_ops(root)):
        resolver.resolve(one, found, edges)
    return Resolved(
        resources=tuple(sorted(found, key=lambda r: r.address.encode())), dependencies=tuple(edges)
    )


class _One(NamedTuple):
    address: Address
    kind: Kind
    table: Section
    given: Fieldset
    where: Span | None


class _Resolver:
    """What every resource is resolved against."""

    def __init__(self, around: Surroundings, graphs: Mapping[str, DesiredGraph]) -> None:
        self._around = around
        self._graphs = graphs
        self._queries = {query_address(g.id, q.name): q for g in graphs.values() for q in g.queries}

    def resolve(self, one: _One, found: list[DesiredResource], edges: list[Dependency]) -> None:
        """Adds the resource and its edges, unless something in it is not there."""
        normal = Normal(self._around, one.address)
        fields = normal.section(one.table, one.given)
        check = CHECKS.get(one.kind)
        if check is not None:
            check(self._checked(one, fields))
        if not normal.whole:
            return
        found.append(
            DesiredResource(
                address=one.address,
                kind=one.kind,
                digest=kind_digest(one.kind, fields),
                fields=fields,
                path=normal.files[0] if normal.files else None,
                where=one.where,
            )
        )
        edges += (
            Dependency(source=one.address, target=target)
            for target in _targets(one.kind, normal.targets)
        )

    def _checked(self, one: _One, fields: Mapping[str, object]) -> Checked:
        return Checked(
            address=one.address,
            given=one.given,
            fields=fields,
            graphs=self._graphs,
            queries=self._queries,
            known=self._around.known,
            bag=self._around.bag,
            code=one.table.code or "invalid_cluster_yaml",
            where=one.where or one.given.where,
        )


def _named(root: Fieldset) -> Iterator[_One]:
    for section in NAMED_SECTIONS:
        holder, name = _holder(root, section.path)
        for key, given in holder.named(name):
            address = address_of(section.kind, key.text)
            yield _One(address, section.kind, section.table, given, key.where)


def _ops(root: Fieldset) -> Iterator[_One]:
    if "ops" in root.fields:
        yield _One(OPS_ADDRESS, "ops", OPS, root.section("ops"), root.keys["ops"])


def _targets(kind: Kind, targets: set[Address]) -> set[Address]:
    """Returns what a resource depends on: a pipeline also on schemas, an embedding on them alone."""
    if kind not in {"pipeline", "embedding"}:
        return targets
    graphs = {target for target in targets if target.startswith("graph.")}
    schemas = {schema_address(graph.partition(".")[2]) for graph in graphs}
    return (targets if kind == "pipeline" else targets - graphs) | schemas


def _bindings(root: Fieldset, around: Surroundings) -> Iterator[_One]:
    """Yields the bindings that can be addressed; a second one of the same address is refused."""
    first: dict[str, Text] = {}
    for given in root.sections("bindings"):
        query, surface = given.text("query"), given.text("surface")
        if query is None or surface is None:
            continue
        normal = Normal(around, CLUSTER_FILE)
        fields = normal.section(BINDING, given)
        if not normal.whole:
            continue
        address = binding_address(Address(str(fields["query"])), str(fields["surface"]))
        assert parse_address(address) is not None
        other = first.setdefault(address, query)
        if other is not query:
            _bound_twice(address, query, other, around)
            continue
        name = given.text("name")
        if name is not None:
            key = f"{fields['surface']}\0{name.text}"
            taken = first.setdefault(key, name)
            if taken is not name:
                _named_twice(address, name, taken, around)
        yield _One(address, "binding", BINDING, given, query.where)


def _bound_twice(address: str, query: Text, other: Text, around: Surroundings) -> None:
    surface = address.partition("->")[2]
    message = f"`{query.text}` is bound to `{surface}` twice"
    _repeated("duplicate_reference", address, message, query, other, around)


def _named_twice(address: str, name: Text, other: Text, around: Surroundings) -> None:
    surface = address.partition("->")[2]
    message = f"two queries are called `{name.text}` on `{surface}`"
    _repeated("duplicate_reference", address, message, name, other, around)


def _repeated(
    code: str, path: str, message: str, text: Text, other: Text, around: Surroundings
) -> None:
    related: tuple[Related, ...] = ()
    if other.where is not None:
        related = (Related(where=other.where, message="it stands first here"),)
    remedy = "Keep one of them."
    around.bag.add(error(code, path, message, where=text.where, related=related, remedy=remedy))


def _holder(root: Fieldset, path: tuple[str, ...]) -> tuple[Fieldset, str]:
    """Returns the section that has the mapping, and the mapping's name in it."""
    for name in path[:-1]:
        root = root.section(name)
    return root, path[-1]

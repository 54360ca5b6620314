"""What the resources of each new kind must hold beyond their fields: against schemas and queries.

Each check tells everything that is wrong with one resource; what could not be resolved was told
before and is passed over. Source: control-plane 3.1.
"""

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec

from agentctl.diagnostics.bag import Bag
from agentctl.diagnostics.diagnostic import error, warning
from agentctl.diagnostics.span import Span
from agentctl.domain.config.faults import meant
from agentctl.domain.config.given import Entries, Fieldset, Literal
from agentctl.domain.config.model import DesiredGraph, DesiredQuery
from agentctl.domain.config.paths import CLUSTER_FILE
from agentctl.domain.config.references import Declared
from agentctl.domain.config.remotes import api_fault, remote_url_fault
from agentctl.domain.config.storage_root import storage_root
from agentctl.ids import Address, Kind, parse_address
from agentctl.languages.query.params import bind_params
from agentctl.languages.schema.types import EdgeType, NodeType

_ENDPOINTS: Final = ("from", "to")
_NEEDS_URL: Final = frozenset({"http", "postgres"})
_LOCAL: Final = frozenset({"file", "python-env"})
_URL_SCHEMES: Final[Mapping[str, tuple[str, ...]]] = {
    "http": ("http", "https"),
    "s3": ("http", "https"),
    "github": ("http", "https"),
    "postgres": ("postgres", "postgresql"),
}


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A resource on the way to a value."""

    address: Address
    given: Fieldset
    fields: Mapping[str, object]
    """Its normal form."""
    graphs: Mapping[str, DesiredGraph]
    """Those that could be resolved, by id."""
    queries: Mapping[Address, DesiredQuery]
    """By address."""
    known: Declared
    bag: Bag
    code: str
    where: Span
    """Its name."""

    def fault(self, message: str, where: Span | None, remedy: str | None = None) -> None:
        """Adds an error about the resource."""
        where = where or self.where
        self.bag.add(error(self.code, self.address, message, where=where, remedy=remedy))

    def graph(self, address: object) -> DesiredGraph | None:
        """Returns the graph of an address in the normal form."""
        return self.graphs.get(address.partition(".")[2]) if isinstance(address, str) else None


def _source_provider(one: Checked) -> None:
    kind = one.given.word("kind")
    if kind is None:
        return
    url, key = one.given.text("base_url"), one.given.keys.get("base_url")
    if kind in _LOCAL:
        for name in ("base_url", "credentials"):
            if name in one.given.fields:
                where = one.given.keys[name]
                one.fault(f"a source of kind `{kind}` has no `{name}`", where, "Take it out.")
        return
    if url is None:
        if kind in _NEEDS_URL and key is None:
            one.fault(f"a source of kind `{kind}` needs `base_url`", one.where)
        return
    schemes = _URL_SCHEMES[kind]
    fault = _url_fault(url.text, schemes)
    if fault is not None:
        one.fault(f"`base_url` of a source of kind `{kind}` {fault}", url.where)


def _url_fault(text: str, schemes: tuple[str, ...]) -> str | None:
    try:
        parts = urlsplit(text)
        host, user = parts.hostname, parts.username
        _ = parts.port
    except ValueError:
        return "is no URL"
    if parts.scheme not in schemes or not host or any(c.isspace() for c in text):
        return f"begins with {' or '.join(f'`{s}://`' for s in schemes)} and a host"
    return "holds a user; give `credentials` instead" if user is not None else None


def _storage_provider(one: Checked) -> None:
    kind, uri = one.given.word("kind"), one.given.text("uri")
    if kind is None or uri is None:
        return
    root = storage_root(uri.text)
    if isinstance(root, str):
        one.fault(root.replace("`storage`", "`uri`"), uri.where)
    elif "://" not in root.uri:
        one.fault("`uri` is no URI", uri.where, "Write `s3://bucket/prefix` or `file:///folder`.")
    elif root.scheme != kind:
        one.fault(f"`uri` begins with `{root.scheme}://`, and the kind is `{kind}`", uri.where)
    if kind == "file":
        for name in ("endpoint", "region"):
            if name in one.given.fields:
                where = one.given.keys[name]
                one.fault(f"a place of kind `file` has no `{name}`", where, "Take it out.")


def _pipeline(one: Checked) -> None:
    resolved = one.fields.get("targets")
    targets = resolved if isinstance(resolved, list) else []
    for given, fields in zip(one.given.sections("targets"), targets, strict=True):
        graph = one.graph(fields.get("graph"))
        name = given.text("type")
        if graph is None or name is None:
            continue
        catalog = graph.schema.catalog
        found = catalog.node(name.text) or catalog.edge(name.text)
        if found is None:
            known = [*(t.name for t in catalog.nodes), *(t.name for t in catalog.edges)]
            message = f"the graph `{graph.id}` has no node or edge type `{name.text}`"
            one.fault(message, name.where, meant(one.bag, CLUSTER_FILE, name.text, known))
            continue
        _mapped(one, given, found)
        if isinstance(found, NodeType) and given.word("mode") == "merge" and not found.key:
            mode = given.text("mode")
            message = f"`merge` needs a `@key`, and `{found.name}` has none"
            one.fault(message, mode.where if mode else None, "Use `append`, or give it a key.")


def _mapped(one: Checked, target: Fieldset, found: NodeType | EdgeType) -> None:
    known = [p.name for p in found.properties]
    if isinstance(found, EdgeType):
        known += _ENDPOINTS
    names = frozenset(known)
    for entry in target.entries("map"):
        if entry.key.text not in names:
            message = f"`{found.name}` has no property `{entry.key.text}`"
            one.fault(message, entry.key.where, meant(one.bag, CLUSTER_FILE, entry.key.text, known))


def _embedding(one: Checked) -> None:
    graph, written = one.graph(one.fields.get("graph")), one.given.text("property")
    if graph is None or written is None:
        return
    type_name, _, name = written.text.partition(".")
    catalog = graph.schema.catalog
    node = catalog.node(type_name)
    if node is None:
        known = [t.name for t in catalog.nodes]
        message = f"the graph `{graph.id}` has no node type `{type_name}`"
        one.fault(message, written.where, meant(one.bag, CLUSTER_FILE, type_name, known))
        return
    found = node.property(name)
    if found is None:
        known = [p.name for p in node.properties]
        message = f"`{type_name}` has no property `{name}`"
        one.fault(message, written.where, meant(one.bag, CLUSTER_FILE, name, known))
    elif found.type.vector_dim is None or found.type.list:
        message = f"`{written.text}` is {found.type}, and only a vector can be embedded into"
        one.fault(message, written.where, "Declare it `Vector(n)`.")
    elif found.embed is not None and found.embed.model is not None:
        model = one.given.text("model")
        if model is not None and model.text != found.embed.model:
            message = (
                f"the model is `{model.text}`, and `@embed` of `{written.text}` says"
                f" `{found.embed.model}`"
            )
            one.fault(message, model.where, "Vectors of two models have no distance: name one.")


def _alias(one: Checked) -> None:
    query = one.queries.get(Address(str(one.fields.get("query"))))
    given = one.given.fields.get("params")
    if query is None or not isinstance(given, Entries):
        return
    for entry in given.values:
        if not isinstance(entry.value, Literal):
            continue
        bound = bind_params(query.checked, {entry.key.text: entry.value.value}, path=one.address)
        for told in bound.diagnostics:
            if told.code == "param_missing":
                continue
            where = entry.key.where if told.code == "param_unknown" else entry.value.where
            one.fault(told.message, where, told.remedy)


def _approval(one: Checked) -> None:
    """A rule outlives what it is about, so that a name which is not declared is a warning."""
    for text in one.given.section("match").texts("resources"):
        parsed = parse_address(text.text)
        if parsed is None or one.known.may_exist(parsed, text.text):
            continue
        message = f"the rule is about `{text.text}`, which is not declared"
        otherwise = "Keep it only for what is still to be deleted."
        names = one.known.of_kind(parsed.kind)
        remedy = meant(one.bag, CLUSTER_FILE, text.text, names, otherwise=otherwise)
        code = "reference_not_declared"
        one.bag.add(warning(code, one.address, message, where=text.where, remedy=remedy))


def _remote(one: Checked) -> None:
    url, api = one.given.text("url"), one.given.section("forge").text("api")
    fault = remote_url_fault(url.text) if url is not None else None
    if url is not None and fault is not None:
        remedy = "Write a whole path, `ssh://user@host/path` or `user@host:path`."
        one.fault(f"`url` of a remote {fault}", url.where, remedy)
    fault = api_fault(api.text) if api is not None else None
    if api is not None and fault is not None:
        one.fault(f"`api` of a forge {fault}", api.where)
    base = one.given.text("branch_base")
    if base is not None and (".." in base.text or base.text.endswith((".", ".lock"))):
        one.fault(f"`{base.text}` is no name of a branch for git", base.where)


CHECKS: Final[Mapping[Kind, Callable[[Checked], None]]] = {
    "source_provider": _source_provider,
    "storage_provider": _storage_provider,
    "pipeline": _pipeline,
    "embedding": _embedding,
    "alias": _alias,
    "approval": _approval,
    "remote": _remote,
}

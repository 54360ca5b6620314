"""cluster.yaml from its bytes to its written form, strictly, with a place for every fault."""

from typing import Final

import msgspec

from agentctl.diagnostics.bag import Bag, has_errors
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.fields import Fields, Reader, is_null
from agentctl.domain.config.paths import CLUSTER_FILE, path_fault
from agentctl.domain.config.scalars import scalar_type
from agentctl.domain.config.storage_root import StorageRoot, storage_root
from agentctl.domain.config.written import (
    QueriesForm,
    QueryEntry,
    QueryMap,
    QueryPath,
    QueryPaths,
    Text,
    WrittenCluster,
    WrittenGraph,
    WrittenPolicy,
)
from agentctl.domain.config.yaml_tree import (
    ListNode,
    MapEntry,
    MapNode,
    Node,
    ScalarNode,
    parse_yaml,
)
from agentctl.ids import Address, graph_address, is_resource_id, policy_address, query_address

FUTURE_SECTIONS: Final = (
    "apply", "env_file", "pipelines", "embeddings", "ui", "aliases", "bindings", "approvals",
    "ops", "protect", "moved", "forget",
)  # fmt: skip
_FUTURE_PROVIDERS: Final = ("embedding", "source", "storage")
_FUTURE_GRAPH_FIELDS: Final = ("embedding_provider", "external_blobs")
_EXPOSURE_REMEDY: Final = (
    "Exposure is a policy decision: take the field out, and allow `invoke_query` in a rule of a"
    " policy that applies to the graph."
)


class ParsedConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What cluster.yaml says by itself, before any file that it names is read."""

    written: WrittenCluster | None
    """None where the text is no YAML mapping; else as much as could be read."""
    diagnostics: tuple[Diagnostic, ...]
    storage: StorageRoot | None = None
    """None means the folder itself, provided that `header_usable`."""
    header_usable: bool = False
    """Whether `version`, `metadata`, `storage` and `state` are without error."""

    @property
    def name(self) -> str | None:
        """The cluster's label."""
        return self.written.name.text if self.written and self.written.name else None

    @property
    def lock(self) -> bool:
        """Whether `state.lock` is true, its default."""
        return self.written is None or self.written.lock is not False


def parse_config(data: bytes) -> ParsedConfig:
    """Returns the written form of cluster.yaml and every fault that the file alone shows."""
    document = parse_yaml(data, file=CLUSTER_FILE, code="invalid_cluster_yaml")
    bag = Bag(document.diagnostics)
    reader = Reader(bag, code="invalid_cluster_yaml", path=CLUSTER_FILE)
    if has_errors(bag) and document.root is None:
        return ParsedConfig(written=None, diagnostics=bag.sorted())
    if not isinstance(document.root, MapNode):
        _no_mapping(document.root, reader)
        return ParsedConfig(written=None, diagnostics=bag.sorted())
    syntax_clean = not has_errors(bag)
    before = len(bag)
    fields = Fields(document.root, reader, label=f"`{CLUSTER_FILE}`")
    written, root = _header(fields, reader)
    header_clean = not has_errors(tuple(bag)[before:])
    graphs = _section(fields, "graphs", reader)
    policies = _section(fields, "policies", reader)
    _providers(fields, reader)
    for name in FUTURE_SECTIONS:
        entry = fields.entry_hidden(name)
        if entry is not None:
            _future(reader, entry, f"`{name}`")
    fields.close()
    written = msgspec.structs.replace(
        written,
        graphs=tuple(g for e in graphs if (g := _graph(e, reader)) is not None),
        policies=tuple(p for e in policies if (p := _policy(e, reader)) is not None),
    )
    return ParsedConfig(
        written=written,
        diagnostics=bag.sorted(),
        storage=root,
        header_usable=syntax_clean and header_clean,
    )


def _no_mapping(root: Node | None, reader: Reader) -> None:
    remedy = "A cluster begins with `version: 1`; `agentctl init` writes one."
    if root is None or is_null(root):
        reader.bag.add(error(reader.code, CLUSTER_FILE, "the file is empty", remedy=remedy))
    else:
        reader.fault("the file is no mapping of fields", root.where, remedy=remedy)


def _future(reader: Reader, entry: MapEntry, what: str) -> None:
    reader.bag.add(
        error(
            "future_phase_field",
            reader.path,
            f"{what} is not built yet",
            where=entry.key.where,
            remedy="Take it out until a release has it.",
        )
    )


def _section(fields: Fields, name: str, reader: Reader) -> tuple[MapEntry, ...]:
    value = fields.value(name)
    node = None if value is None else reader.mapping(value, f"`{name}`")
    return () if node is None else node.entries


def _text(node: ScalarNode) -> Text:
    return Text(text=node.text, where=node.where)


def _header(fields: Fields, reader: Reader) -> tuple[WrittenCluster, StorageRoot | None]:
    fields.one("version", code="unsupported_cluster_config_version")
    name = _metadata(fields, reader)
    storage = fields.text("storage")
    root = storage_root(storage.text) if storage else None
    if storage and isinstance(root, str):
        reader.bag.add(error("invalid_storage_root", CLUSTER_FILE, root, where=storage.where))
    elif storage and isinstance(root, StorageRoot) and root.scheme == "s3":
        message = "storage on S3 is not built yet"
        remedy = "Use a local folder until a release has it."
        reader.bag.add(
            error("future_phase_field", CLUSTER_FILE, message, where=storage.where, remedy=remedy)
        )
    backend, lock = _state(fields, reader)
    written = WrittenCluster(
        name=name, storage=_text(storage) if storage else None, backend=backend, lock=lock
    )
    return written, root if isinstance(root, StorageRoot) else None


def _metadata(fields: Fields, reader: Reader) -> Text | None:
    value = fields.value("metadata")
    node = None if value is None else reader.mapping(value, "`metadata`")
    if node is None:
        return None
    metadata = Fields(node, reader, label="`metadata`")
    name = metadata.text("name")
    metadata.close()
    if name is None:
        return None
    if not name.text.strip():
        message = "`metadata.name` is blank"
        remedy = "Name the cluster, or leave the field out."
        reader.bag.add(
            error("empty_metadata_name", CLUSTER_FILE, message, where=name.where, remedy=remedy)
        )
    return _text(name)


def _state(fields: Fields, reader: Reader) -> tuple[str | None, bool | None]:
    value = fields.value("state")
    node = None if value is None else reader.mapping(value, "`state`")
    if node is None:
        return None, None
    state = Fields(node, reader, label="`state`")
    backend = state.text("backend")
    if backend and backend.text != "cluster":
        message = f"`state.backend` is `{backend.text}`; the only one is `cluster`"
        reader.bag.add(
            error("unsupported_state_backend", CLUSTER_FILE, message, where=backend.where)
        )
    lock = state.boolean("lock")
    state.close()
    return backend.text if backend else None, lock


def _providers(fields: Fields, reader: Reader) -> None:
    value = fields.value("providers")
    node = None if value is None else reader.mapping(value, "`providers`")
    if node is None:
        return
    providers = Fields(node, reader, label="`providers`")
    for kind in _FUTURE_PROVIDERS:
        entry = providers.entry_hidden(kind)
        if entry is not None and not is_null(entry.value) and not _is_empty(entry.value):
            _future(reader, entry, f"`providers.{kind}`")
    providers.close()


def _is_empty(node: Node) -> bool:
    return isinstance(node, MapNode) and not node.entries


def _resource_id(key: ScalarNode, what: str, reader: Reader) -> bool:
    if is_resource_id(key.text):
        return True
    message = f"`{key.text}` is no {what} id"
    remedy = "Ids begin with a letter or `_`, then letters, digits, `_` and `-`, all ASCII."
    reader.bag.add(
        error("invalid_resource_id", reader.path, message, where=key.where, remedy=remedy)
    )
    return False


def _path(node: ScalarNode | None, reader: Reader) -> Text | None:
    if node is None:
        return None
    fault = path_fault(node.text)
    if fault is not None:
        reader.fault(fault, node.where)
        return None
    return _text(node)


def _graph(entry: MapEntry, reader: Reader) -> WrittenGraph | None:
    if not _resource_id(entry.key, "graph", reader):
        return None
    graph_id = entry.key.text
    reader = reader.at(graph_address(graph_id))
    label = f"`graphs.{graph_id}`"
    node = reader.mapping(entry.value, label)
    if node is None:
        return WrittenGraph(id=_text(entry.key))
    fields = Fields(node, reader, label=label)
    value = fields.required("schema", where=entry.key.where)
    schema = None if value is None else reader.text(value, f"`schema` in {label}")
    queries = fields.entry("queries")
    for name in _FUTURE_GRAPH_FIELDS:
        future = fields.entry_hidden(name)
        if future is not None and not is_null(future.value):
            _future(reader, future, f"`graphs.{graph_id}.{name}`")
    _streaming(fields, graph_id, reader)
    _exposure(fields, ("expose", "mcp"), reader)
    fields.close()
    return WrittenGraph(
        id=_text(entry.key),
        schema=_path(schema, reader),
        queries=QueryMap() if queries is None else _queries(queries.value, graph_id, reader),
    )


def _streaming(fields: Fields, graph_id: str, reader: Reader) -> None:
    entry = fields.entry_hidden("streaming")
    if entry is None:
        return
    reader.bag.add(
        error(
            "removed_streaming_declaration",
            reader.path,
            f"`graphs.{graph_id}.streaming` was removed",
            where=entry.key.where,
            remedy="Take it out.",
        )
    )


def _exposure(fields: Fields, names: tuple[str, ...], reader: Reader) -> None:
    for name in names:
        entry = fields.entry_hidden(name)
        if entry is not None:
            reader.fault(
                f"`{name}` is no field of a cluster", entry.key.where, remedy=_EXPOSURE_REMEDY
            )


def _queries(node: Node, graph_id: str, reader: Reader) -> QueriesForm:
    """Returns the form of `queries`; as an untagged value its types are resolved first."""
    label = f"`graphs.{graph_id}.queries`"
    match node:
        case ScalarNode():
            path = _typed_path(node, label, reader)
            return QueryMap() if path is None else QueryPath(path=path)
        case ListNode(items=items):
            paths = [_typed_path(item, f"an item of {label}", reader) for item in items]
            return QueryPaths(paths=tuple(path for path in paths if path is not None))
        case MapNode(entries=entries):
            read = [_query_entry(entry, graph_id, reader) for entry in entries]
            return QueryMap(entries=tuple(entry for entry in read if entry is not None))


def _typed_path(node: Node, label: str, reader: Reader) -> Text | None:
    if isinstance(node, ScalarNode) and scalar_type(node) == "text":
        return _path(node, reader)
    remedy = "Give a folder, a file, a list of them, or a mapping of names to `{file: PATH}`."
    if isinstance(node, ScalarNode) and not is_null(node):
        remedy = f'Quote it if it is a path: "{node.text}".'
    reader.fault(f"{label} takes a path", node.where, remedy=remedy)
    return None


def _query_entry(entry: MapEntry, graph_id: str, reader: Reader) -> QueryEntry | None:
    if not _resource_id(entry.key, "query", reader):
        return None
    reader = reader.at(query_address(graph_id, entry.key.text))
    label = f"`graphs.{graph_id}.queries.{entry.key.text}`"
    if not isinstance(entry.value, MapNode):
        reader.fault(f"{label} takes `{{file: PATH}}`", entry.value.where)
        return None
    fields = Fields(entry.value, reader, label=label)
    value = fields.required("file", where=entry.key.where)
    file = None if value is None else _typed_path(value, f"`file` in {label}", reader)
    _exposure(fields, ("expose", "mcp"), reader)
    fields.close()
    return None if file is None else QueryEntry(name=_text(entry.key), file=file)


def _policy(entry: MapEntry, reader: Reader) -> WrittenPolicy | None:
    if not _resource_id(entry.key, "policy", reader):
        return None
    address: Address = policy_address(entry.key.text)
    reader = reader.at(address)
    label = f"`policies.{entry.key.text}`"
    node = reader.mapping(entry.value, label)
    if node is None:
        return WrittenPolicy(name=_text(entry.key))
    fields = Fields(node, reader, label=label)
    value = fields.required("file", where=entry.key.where)
    file = None if value is None else reader.text(value, f"`file` in {label}")
    scopes = fields.entry("applies_to")
    fields.close()
    return WrittenPolicy(
        name=_text(entry.key),
        file=_path(file, reader),
        applies_to=_applies_to(scopes, entry, reader),
    )


def _applies_to(scopes: MapEntry | None, policy: MapEntry, reader: Reader) -> tuple[Text, ...]:
    label = f"`policies.{policy.key.text}.applies_to`"
    if scopes is None:
        reader.fault(f"{label} is missing", policy.key.where, remedy="List `cluster` or graphs.")
        return ()
    texts = reader.texts(scopes.value, label)
    if texts == ():
        message = f"{label} is empty, so the policy would apply to nothing"
        remedy = "Name `cluster`, or the graphs."
        where = scopes.key.where
        reader.bag.add(
            error("policy_missing_applies_to", reader.path, message, where=where, remedy=remedy)
        )
    return tuple(_text(text) for text in texts or ())

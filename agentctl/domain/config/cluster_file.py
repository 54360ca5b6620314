"""cluster.yaml from its bytes to its written form, strictly, with a place for every fault."""

from typing import Final

import msgspec

from agentctl.diagnostics.bag import Bag, has_errors
from agentctl.diagnostics.diagnostic import Diagnostic, error, warning
from agentctl.diagnostics.secrets import SECRET_VALUE
from agentctl.domain.config.cluster_table import CLUSTER
from agentctl.domain.config.faults import FolderBag
from agentctl.domain.config.fields import Reader, is_null
from agentctl.domain.config.given import Entries, Fieldset, Items, Text
from agentctl.domain.config.paths import CLUSTER_FILE
from agentctl.domain.config.reading import read_file
from agentctl.domain.config.storage_root import StorageRoot, storage_root
from agentctl.domain.config.written import (
    QueriesForm,
    QueryEntry,
    QueryMap,
    QueryPath,
    QueryPaths,
    WrittenBlobBase,
    WrittenCluster,
    WrittenGraph,
    WrittenPolicy,
    WrittenProvider,
)
from agentctl.domain.config.yaml_tree import MapNode, Node, parse_yaml

_HEADER: Final = frozenset({"version", "metadata", "storage", "state"})
_CODE: Final = "invalid_cluster_yaml"


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
    document = parse_yaml(data, file=CLUSTER_FILE, code=_CODE)
    bag = FolderBag(document.diagnostics)
    reader = Reader(bag, code=_CODE, path=CLUSTER_FILE)
    if has_errors(bag) and document.root is None:
        return ParsedConfig(written=None, diagnostics=bag.sorted())
    if not isinstance(document.root, MapNode):
        _no_mapping(document.root, reader)
        return ParsedConfig(written=None, diagnostics=bag.sorted())
    syntax_clean = not has_errors(bag)
    header_clean = _header_clean(document.root)
    root = read_file(document.root, CLUSTER, reader, file=CLUSTER_FILE)
    storage = _storage(root, bag)
    _lock_disabled(root.section("state"), bag)
    return ParsedConfig(
        written=_written(root),
        diagnostics=tuple(map(_without_secrets, bag.sorted())),
        storage=storage if isinstance(storage, StorageRoot) else None,
        header_usable=syntax_clean and header_clean and not isinstance(storage, str),
    )


def _no_mapping(root: Node | None, reader: Reader) -> None:
    remedy = "A cluster begins with `version: 1`; `agentctl init` writes one."
    if root is None or is_null(root):
        reader.bag.add(error(_CODE, CLUSTER_FILE, "the file is empty", remedy=remedy))
    else:
        reader.fault("the file is no mapping of fields", root.where, remedy=remedy)


def _header_clean(root: MapNode) -> bool:
    """Returns whether the fields of the header have no fault of their own."""
    bag = Bag()
    fields = {name: field for name, field in CLUSTER.fields.items() if name in _HEADER}
    header = MapNode(
        entries=tuple(e for e in root.entries if e.key.text in _HEADER), where=root.where
    )
    reader = Reader(bag, code=_CODE, path=CLUSTER_FILE)
    read_file(header, msgspec.structs.replace(CLUSTER, fields=fields), reader, file=CLUSTER_FILE)
    return not has_errors(bag)


def _storage(root: Fieldset, bag: Bag) -> StorageRoot | str | None:
    written = root.text("storage")
    if written is None:
        return None
    found = storage_root(written.text)
    if isinstance(found, str):
        bag.add(error("invalid_storage_root", CLUSTER_FILE, found, where=written.where))
    return found


def _lock_disabled(state: Fieldset, bag: Bag) -> None:
    if state.flag("lock") is False:
        bag.add(
            warning(
                "state_lock_disabled",
                CLUSTER_FILE,
                "`state.lock: false` changes nothing: the order of the ledger guards every write",
                where=state.keys["lock"],
                remedy="Take it out.",
            )
        )


def _written(root: Fieldset) -> WrittenCluster:
    state = root.section("state")
    return WrittenCluster(
        name=root.section("metadata").text("name"),
        storage=root.text("storage"),
        backend=state.word("backend"),
        lock=state.flag("lock"),
        providers=tuple(
            _provider(name, fields) for name, fields in root.section("providers").named("embedding")
        ),
        graphs=(
            *(_graph(name, fields) for name, fields in root.named("graphs")),
            *(WrittenGraph(id=name) for name in root.lost("graphs")),
        ),
        policies=tuple(
            WrittenPolicy(
                name=name, file=fields.text("file"), applies_to=fields.texts("applies_to")
            )
            for name, fields in root.named("policies")
        ),
        env_file=root.text("env_file"),
        root=root,
    )


def _provider(name: Text, fields: Fieldset) -> WrittenProvider:
    return WrittenProvider(
        name=name.text,
        kind=fields.word("kind") or "openai-compatible",
        base_url=fields.word("base_url"),
        model=fields.word("model"),
        api_key=fields.word("api_key"),
        where=name.where,
    )


def _graph(name: Text, fields: Fieldset) -> WrittenGraph:
    return WrittenGraph(
        id=name,
        schema=fields.text("schema"),
        queries=_queries(fields),
        embedding_provider=fields.text("embedding_provider"),
        external_blobs=tuple(
            _blob_base(base) for base in fields.section("external_blobs").sections("allow")
        ),
    )


def _blob_base(fields: Fieldset) -> WrittenBlobBase:
    base = fields.text("base")
    return WrittenBlobBase(
        base=base.text if base else "",
        scope=fields.word("scope") or "",
        where=base.where if base else fields.where,
    )


def _queries(fields: Fieldset) -> QueriesForm:
    match fields.fields.get("queries"):
        case Text() as path:
            return QueryPath(path=path)
        case Items(values=values):
            return QueryPaths(paths=tuple(v for v in values if isinstance(v, Text)))
        case Entries(values=values):
            named = ((e.key, e.value) for e in values if isinstance(e.value, Fieldset))
            found = ((name, entry.text("file")) for name, entry in named)
            return QueryMap(entries=tuple(QueryEntry(name=n, file=f) for n, f in found if f))
        case _:
            return QueryMap()


def _without_secrets(found: Diagnostic) -> Diagnostic:
    """Returns *found* with what looks like a secret taken out of its words, mistyped anywhere."""
    if SECRET_VALUE.search(found.message) is None:
        return found
    message = SECRET_VALUE.sub("[secret]", found.message)
    return msgspec.structs.replace(found, message=message)

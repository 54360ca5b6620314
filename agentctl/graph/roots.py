"""What every call on a graph's root begins with: its head, its schema, its datasets in a thread.

The calls of the port are thin methods of `agentctl.graph.lance_port.LanceGraphs`, and functions over
`GraphRoots` in modules of their own where they are more than that. Lance is imported when rows are
first touched.
"""

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from agentctl.domain.storage.protocol import ObjectStore, StoredObject, UnavailableError
from agentctl.foreign import Foreign, show
from agentctl.graph.collected import has_let_go, newest_cleanup
from agentctl.graph.commit import ENDED, Commit, SchemaRef
from agentctl.graph.layout import MAIN, commit_id, ir_key, own_schemas, ref_name, source_key
from agentctl.graph.location import BeforeWrite, DataFolder, data_folder
from agentctl.graph.log import (
    RECENT_COUNT,
    CommitLog,
    check_epoch,
    check_observed,
    require_live,
)
from agentctl.graph.port import GraphError, SchemaPayload, Stamp
from agentctl.graph.refusals import (
    branch_missing,
    busy,
    collected,
    corrupt,
    engine_missing,
    root_missing,
)
from agentctl.graph.threads import in_thread
from agentctl.languages.schema.ir import SchemaIr, decode_ir, ir_bytes, ir_digest

if TYPE_CHECKING:
    from lance.lance import _Session as LanceSession

    from agentctl.adapters.backends.s3 import S3Identity
    from agentctl.graph.snapshot import Snapshot
    from agentctl.graph.tables import Tables

INDEX_CACHE_BYTES: Final = 128 * 1024 * 1024
"""How much of opened indexes the reads of a process keep."""
METADATA_CACHE_BYTES: Final = 64 * 1024 * 1024
"""How much of manifests and of descriptions of files they keep."""
ATTEMPT_COUNT_MAX: Final = 3
"""How often a write that another one disturbed is begun anew."""

T = TypeVar("T")


class GraphRoots:
    """The graph roots of one storage root."""

    def __init__(
        self,
        store: ObjectStore,
        *,
        before_table_write: BeforeWrite | None = None,
        index_rows_min: int | None = None,
        outside: Callable[[str], str] | None = None,
    ) -> None:
        self.store = store
        self.log = CommitLog(store)
        self.before_write = before_table_write or _ignore
        self._index_rows_min = index_rows_min
        self._outside = outside
        self._identity: S3Identity | None = None
        self._irs: dict[tuple[str, str], SchemaIr] = {}
        self._session: LanceSession | None = None
        self._has_engine = False

    def seen_through(self, store: ObjectStore, outside: Callable[[str], str]) -> "GraphRoots":
        """Returns the roots as *store* shows them, where branches have other names.

        Args:
            store: a view of this one's store, at the same location.
            outside: gives the name by which the datasets know a branch.
        """
        return GraphRoots(
            store,
            before_table_write=self.before_write,
            index_rows_min=self._index_rows_min,
            outside=outside,
        )

    def tag(self, number: int, stamp: Stamp, branch: str) -> str:
        """Returns the name that pins what commit *number* of a branch names, as `tag_of`."""
        return tag_of(number, stamp, branch if self._outside is None else self._outside(branch))

    async def head(self, graph_id: str, branch: str = MAIN) -> Commit:
        """Returns the newest commit of a root that is ours and has one.

        Of another branch than `main` only where the graph lives and the branch was not deleted.

        Raises:
            GraphError: `foreign_graph_format`, `graph_root_missing`, `graph_detached`,
                `graph_branch_missing`.
        """
        main = await self.log.main_of_ours(graph_id)
        if main is None:
            raise root_missing(graph_id)
        if branch == MAIN:
            return main
        require_live(graph_id, main)
        head = await self.log.head(graph_id, branch)
        if not is_live_branch(main, head):
            raise branch_missing(graph_id, branch)
        assert head is not None, "it lives"
        return head

    async def begin(
        self, graph_id: str, observed: int, stamp: Stamp, *, branch: str = MAIN
    ) -> tuple[Commit, int | None]:
        """Returns the head to write on, or besides it the number of the commit that did it."""
        head = await self.head(graph_id, branch)
        done = await self.log.done_as(head, graph_id, nonce=stamp.nonce, after=observed)
        if done is None:
            require_live(graph_id, head)
            check_observed(graph_id, head, observed)
            check_epoch(graph_id, head, stamp.epoch)
        return head, done

    async def done_lately(self, head: Commit, graph_id: str, stamp: Stamp) -> int | None:
        """Returns the number of a recent commit that bears the stamp's nonce, or None."""
        after = max(head.n - RECENT_COUNT, 0)
        return await self.log.done_as(head, graph_id, nonce=stamp.nonce, after=after)

    async def write_schema(self, graph_id: str, schema: SchemaPayload) -> SchemaRef:
        """Stores source and IR; both are named by their content, so one that is there is the same."""
        digest = ir_digest(schema.ir)
        await self.store.create(source_key(graph_id, schema.source_digest), schema.source)
        await self.store.create(ir_key(graph_id, digest), ir_bytes(schema.ir))
        return SchemaRef(
            source_digest=schema.source_digest, shape_digest=schema.shape_digest, ir_digest=digest
        )

    async def schema_text(self, graph_id: str, commit: Commit) -> StoredObject | None:
        """Returns the text of the schema that a commit names; None where it is gone."""
        digest, own = commit.schema.source_digest, own_schemas(commit.branch)
        found = await self.store.read(source_key(graph_id, digest))
        if found is None and own:
            found = await self.store.read(source_key(graph_id, digest, of=own))
        return found

    async def ir(self, graph_id: str, commit: Commit) -> SchemaIr:
        """Returns the schema that a commit names."""
        digest = commit.schema.ir_digest
        known = self._irs.get((graph_id, digest))
        if known is not None:
            return known
        found = await self.store.read(ir_key(graph_id, digest))
        own = own_schemas(commit.branch)
        if found is None and own:
            found = await self.store.read(ir_key(graph_id, digest, of=own))
        if found is None:
            raise corrupt(graph_id, f"schema {digest} is missing")
        try:
            ir = decode_ir(found.data)
        except msgspec.DecodeError as failure:
            raise corrupt(graph_id, f"schema {digest}: {failure}") from failure
        self._irs = {**self._irs, (graph_id, digest): ir} if len(self._irs) < 64 else {}
        return ir

    def folder(self, graph_id: str, incarnation: str) -> DataFolder:
        """Returns where the datasets of an incarnation lie."""
        return data_folder(self.store, graph_id, incarnation)

    async def on_tables(
        self,
        graph_id: str,
        incarnation: str,
        act: Callable[["Tables"], T],
        *,
        warm: bool = False,
    ) -> T:
        """Does something with the datasets in a worker thread.

        Args:
            graph_id: whose datasets.
            incarnation: of which life of the graph.
            act: what is done.
            warm: whether opened indexes and manifests are kept for the next that is warm: for reads,
                never for what looks whether a version is still there.

        Raises:
            GraphError: `graph_busy`, where another writer kept getting in between;
                `graph_collected` or `graph_corrupt`, where data is not there.
        """
        if not self._has_engine:
            await in_thread(functools.partial(require_engine, graph_id))
            self._has_engine = True
        from agentctl.graph.snapshot import CommitLostError
        from agentctl.graph.tables import INDEX_ROWS_MIN, InterferenceError, Tables

        tables = Tables(
            self.folder(graph_id, incarnation),
            before_write=self.before_write,
            index_rows_min=INDEX_ROWS_MIN if self._index_rows_min is None else self._index_rows_min,
            options=await self._table_options(),
            session=self._opened() if warm else None,
        )
        said = ""
        for _ in range(ATTEMPT_COUNT_MAX):
            try:
                return await in_thread(lambda: act(tables))
            except InterferenceError as failure:
                said = str(failure)
            except CommitLostError as failure:
                raise await self._lost(graph_id, failure.commit, str(failure)) from failure
            except (OSError, ValueError) as failure:
                if not _is_interference(failure):
                    with storage_told(graph_id):
                        raise
                said = "two writes at once"
        raise busy(graph_id, said)

    async def on_snapshot(
        self,
        graph_id: str,
        commit: Commit,
        act: Callable[["Snapshot"], T],
        *,
        warm: bool = False,
    ) -> T:
        """Does something with the graph as *commit* names it, in a worker thread; as `on_tables`."""
        ir = await self.ir(graph_id, commit)

        def look(tables: "Tables") -> T:
            from agentctl.graph.snapshot import Snapshot

            return act(Snapshot(commit, ir, tables))

        try:
            return await self.on_tables(graph_id, commit.incarnation, look, warm=warm)
        except UnavailableError as failure:  # what is warm opens without its files being there
            if warm and has_let_go(await newest_cleanup(self.store, graph_id), commit):
                raise collected(graph_id, commit) from failure
            raise

    def _opened(self) -> "LanceSession":
        """Returns what the reads of this process share: a version never changes, so nothing grows stale."""
        if self._session is None:
            from agentctl.graph.tables import Session

            made: LanceSession = Session(
                index_cache_size_bytes=INDEX_CACHE_BYTES,
                metadata_cache_size_bytes=METADATA_CACHE_BYTES,
            )
            self._session = made
        return self._session

    async def _lost(self, graph_id: str, commit: Commit, what: str) -> GraphError:
        if has_let_go(await newest_cleanup(self.store, graph_id), commit):
            return collected(graph_id, commit)
        named = commit_id(commit.n, commit.branch)
        return corrupt(graph_id, f"{named} names what is not there: {what}")

    async def _table_options(self) -> Mapping[str, str] | None:
        """Returns how Lance reaches the storage root; None on a disk, where the path is enough."""
        if not self.store.uri.startswith("s3://"):
            return None
        if self._identity is None:
            from agentctl.adapters.backends.s3 import S3Identity

            self._identity = S3Identity()
        return await self._identity.table_options()


@contextmanager
def storage_told(graph_id: str) -> Iterator[None]:
    """Tells of data that Lance cannot read or write, whichever class it has for that.

    What fails within a scan comes through Arrow, as a `ValueError` with these first words.

    Raises:
        UnavailableError: in place of Lance's own; anything else comes out as it is.
    """
    try:
        yield
    except (OSError, ValueError) as failure:
        if isinstance(failure, ValueError) and not str(failure).startswith("External error: "):
            raise
        msg = f"the datasets of graph {graph_id}: {show(Foreign(str(failure)))}"
        raise UnavailableError(msg) from failure


def _is_interference(failure: OSError | ValueError) -> bool:
    """Returns whether Lance refused a step because of one of another writer.

    It has no class of its own for that: these are words of its messages, the last one for a step
    that others disturbed for so long that it gave up. Paths are no words: a graph has any name.
    """
    said = re.sub(r"\S*/\S*", "", str(failure).lower())
    return isinstance(failure, OSError) and any(
        word in said for word in ("incompatible transaction", "conflict", "retry_timeout")
    )


def require_engine(graph_id: str) -> None:
    """Imports Lance, which takes most of a second the first time: not for the event loop."""
    try:
        from agentctl.graph import tables  # noqa: F401  # only its being there
    except ModuleNotFoundError as failure:
        raise engine_missing(graph_id) from failure


def tag_of(number: int, stamp: Stamp, branch: str = MAIN) -> str:
    """Returns the name that pins what commit *number* of this stamp names; no other writer's."""
    return ref_name(branch, number, stamp.nonce)


def is_live_branch(main: Commit, head: Commit | None) -> bool:
    """Returns whether the newest commit of a branch is of one that is there.

    A deleted branch ends in a tombstone, and one of an earlier graph of that id has another
    incarnation than `main`.
    """
    return head is not None and head.kind not in ENDED and head.incarnation == main.incarnation


def _ignore(label: str) -> None:
    """Stands for a hook that nobody set."""

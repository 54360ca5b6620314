"""What `init` does: files into an empty folder, the first keys, the ledger's first object.

Called by the verb `init` alone; there is no cluster yet that it could be an operation of. The order
is a promise: files, then keys and the principals chain, then the ledger. Each step finds what an
earlier run made and leaves it, so that doing it twice changes nothing.
"""

from collections.abc import Awaitable, Callable, Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

import anyio
import msgspec

from agentctl.adapters.keys.keyfile import Passphrase
from agentctl.diagnostics.bag import has_errors, sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.policy.starter import STARTER_FILE, starter_text
from agentctl.engine.cluster import Cluster
from agentctl.engine.identity import FirstIdentity, make_first_identity
from agentctl.engine.ignoring import IGNORE_FILE, leave_out_of_git
from agentctl.engine.proving import unsafe_root
from agentctl.ids import is_resource_id
from agentctl_tools.callers import operator_of
from agentctl_tools.door import call

CLUSTER_FILE: Final = "cluster.yaml"
_RENAMED: Final = {"gitignore": ".gitignore"}
_COUNTS_AS_EMPTY: Final = frozenset({".git"})
_NAME_WRITTEN: Final = b"name: example"

OpenCluster = Callable[[Path], Awaitable[Cluster]]


class Founded(msgspec.Struct, frozen=True, kw_only=True):
    """What `init` made, or found."""

    ok: bool
    config_dir: str
    written: tuple[str, ...] = ()
    """Files that this call wrote, or added lines to."""
    identity: FirstIdentity | None = None
    """Its recovery code is there only where it was made now, and is stored nowhere."""
    revision: int | None = None
    """Of the ledger."""
    first: bool = False
    """Whether this call made the ledger's first object."""
    diagnostics: tuple[Diagnostic, ...] = ()


async def found(
    folder: Path,
    *,
    open_cluster: OpenCluster,
    keys: Path,
    new_passphrase: Callable[[], bytes] | None,
    unlock: Passphrase,
) -> Founded:
    """Makes a cluster in *folder*, or completes what is missing of one.

    Args:
        folder: where; it may be missing, empty, or hold a cluster.yaml.
        open_cluster: the composition root's.
        keys: this user's keys folder.
        new_passphrase: gives the passphrase of a new human key, empty for none; None where there is
            no terminal to ask on, and then no human key is made.
        unlock: opens a human key that is there already.
    """
    place = anyio.Path(folder)
    written = await _write_example(place)
    if isinstance(written, Diagnostic):
        return Founded(ok=False, config_dir=str(folder), diagnostics=(written,))
    cluster = await open_cluster(folder)
    loaded = await cluster.folder.load(confined=False)
    if loaded.desired is None:
        return Founded(
            ok=False,
            config_dir=cluster.config_dir,
            written=written,
            diagnostics=loaded.diagnostics,
        )
    unsafe = await unsafe_root(cluster)
    if unsafe is not None:
        return Founded(
            ok=False,
            config_dir=cluster.config_dir,
            written=written,
            diagnostics=(unsafe,),
        )
    left_out = await leave_out_of_git(cluster)
    if left_out.lines and left_out.trouble is None:
        written += (IGNORE_FILE,)
    identity = await make_first_identity(
        cluster.principals,
        world=cluster.world,
        keys=keys,
        new_passphrase=new_passphrase,
        unlock=unlock,
    )
    return await _with_ledger(cluster, identity, written)


async def _with_ledger(
    cluster: Cluster, identity: FirstIdentity, written: tuple[str, ...]
) -> Founded:
    told = list(identity.diagnostics)
    head = await cluster.ledger.head()
    first = head is None and not has_errors(told)
    if first:
        registry = await cluster.principals.registry()
        held = [p.key for p in registry.principals.values() if p.id == identity.human and p.key]
        operator = await operator_of(cluster, keys=held)
        imported = await call(cluster, operator, "import", {"intent": "init the cluster"})
        told += imported.diagnostics
        head = await cluster.ledger.head()
    return Founded(
        ok=not has_errors(told),
        config_dir=cluster.config_dir,
        written=written,
        identity=identity,
        revision=head.envelope.state.state_revision if head is not None else None,
        first=first and head is not None,
        diagnostics=sort_diagnostics(told),
    )


async def _write_example(folder: anyio.Path) -> tuple[str, ...] | Diagnostic:
    """Writes the example into an empty folder; where there is a cluster.yaml nothing is written."""
    if await (folder / CLUSTER_FILE).exists():
        return ()
    if await folder.exists() and not await folder.is_dir():
        return error(
            "config_dir_not_found",
            str(folder),
            "there is a file of that name",
            remedy="Name a folder.",
        )
    await folder.mkdir(parents=True, exist_ok=True)
    present = [entry.name async for entry in folder.iterdir() if entry.name not in _COUNTS_AS_EMPTY]
    if present:
        return error(
            "init_folder_not_empty",
            str(folder),
            "the folder is not empty and has no cluster.yaml; nothing was written",
            remedy="Name an empty folder, or write a cluster.yaml and run `agentctl init` again.",
        )
    written: list[str] = []
    name = (await folder.resolve()).name
    for path, data in example_files():
        target = folder / path
        await target.parent.mkdir(parents=True, exist_ok=True)
        if path == CLUSTER_FILE and is_resource_id(name):
            data = data.replace(_NAME_WRITTEN, b"name: " + name.encode())  # noqa: PLW2901
        await target.write_bytes(data)
        written.append(path)
    return tuple(written)


def example_files() -> Iterator[tuple[str, bytes]]:
    """Gives the files of the example cluster, by path, cluster.yaml last."""
    found_files = dict(_walk(files("agentctl_tools").joinpath("example"), ""))
    last = found_files.pop(CLUSTER_FILE)
    found_files[STARTER_FILE] = starter_text().encode()
    yield from sorted(found_files.items())
    yield CLUSTER_FILE, last


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        else:
            yield prefix + _RENAMED.get(entry.name, entry.name), entry.read_bytes()

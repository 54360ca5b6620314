"""What sandboxes of commands are made from: looked at without a copy, and prepared. Cases 22, 27 and 28."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from agentctl.adapters.runners.bubblewrap import run_in_folder
from agentctl.adapters.runners.namespaces import RunLimits
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.sandbox.host_profile import FOLDER
from agentctl.domain.sandbox.provider import CommandOrder, CommandOutcome
from agentctl.domain.sandbox.readonly_commands import readonly_pipeline
from agentctl.domain.sandbox.records import SourceVM
from agentctl.domain.sandbox.source_machines import prepared
from agentctl.engine.cluster import Cluster
from agentctl.engine.command_runs import OUTPUT_BYTES_MAX
from agentctl.engine.command_sandboxes import Place, unknown_source
from agentctl.engine.lending import SandboxError, outside_files
from agentctl.engine.sandboxed import inside
from agentctl.engine.sandboxes.errors import NotFoundError
from agentctl.engine.temporary import TemporaryFolder
from agentctl.engine.world import mint_ulid, stamp_now

LOOK_S: Final = 30.0
_HELD: Final = "sandbox:"


@asynccontextmanager
async def source_folder(
    cluster: Cluster, source: str, offered: tuple[str, ...]
) -> AsyncIterator[Path | None]:
    """Gives the files of a source that has none of its own on this host; None for one that has.

    Args:
        cluster: the real one.
        source: ``folder`` for the cluster's configuration, ``sandbox:<id>`` for a sandbox's.
        offered: what the operator offers.

    Raises:
        SandboxError: the operator offers no such source, or there is no such sandbox.
    """
    is_held = source.startswith(_HELD)
    if (FOLDER if is_held else source) not in offered:
        raise SandboxError(unknown_source(source, offered))
    if is_held:
        async with inside(cluster, source.removeprefix(_HELD)) as inner:
            yield inner.folder.path
    elif source == FOLDER:
        loaded = await cluster.folder.load(confined=True)
        outside = set(outside_files(loaded))
        files = {path: data for path, data in loaded.files.items() if path not in outside}
        async with TemporaryFolder(files) as path:
            yield path
    else:
        yield None


async def look(folder: Path, line: str) -> CommandOutcome | Diagnostic:
    """Returns what a line that only reads prints over a source, or why it is refused.

    Raises:
        ProviderError: it could not be begun.
    """
    pipeline = readonly_pipeline(line)
    if isinstance(pipeline, Diagnostic):
        return pipeline
    order = CommandOrder(
        argv=("/bin/sh", "-c", pipeline.shell_text()),
        timeout=timedelta(seconds=LOOK_S),
        output_bytes_max=OUTPUT_BYTES_MAX,
    )
    return await run_in_folder(folder, order, limits=RunLimits(), writable=False)


async def prepare(place: Place, source: str) -> SourceVM:
    """Tries a copy of a source machine, and writes down for which authority it is good.

    Raises:
        ProviderError: a copy does not start.
        SandboxError: this host offers no machines, or no such source.
    """
    runners = place.host.runners()
    place.host.provider("vm")
    machines = runners.vm
    if machines is None or source not in runners.sources("vm"):
        raise SandboxError(unknown_source(source, runners.sources("vm")))
    digest = await machines.prepare(source, scratch_id=mint_ulid(place.world))
    now = place.world.now()
    try:
        record = await place.store.get_source_vm(source)
    except NotFoundError:
        stamp = stamp_now(place.world)
        record = SourceVM(
            id=mint_ulid(place.world), name=source, created_at=stamp, updated_at=stamp
        )
    kept = prepared(record, ca_fingerprint=runners.authority, image_sha256=digest, now=now)
    await place.store.upsert_source_vm(kept)
    return kept

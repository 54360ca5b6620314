"""The door of a cluster whose host runs commands in sandboxes of files, or in machines."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec

from agentctl.adapters.runners.file_trees import no_step
from agentctl.adapters.runners.open import Runners, open_runners
from agentctl.adapters.runners.vm.launch import VmSettings
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.sandbox.machines import MachineBounds
from agentctl.domain.sandbox.provider import Holding
from agentctl.engine.command_host import CommandHost
from agentctl.engine.history import History
from agentctl.engine.sandboxes.settings import StoreConfig
from agentctl.engine.sandboxes.store import Store
from agentctl.testing.builders import Bench, Where, folder_files
from agentctl.testing.guests import Guest
from tests.sandboxes.tools.sandbox_desk import Desk

Provider = Literal["process", "vm"]
SMALL = MachineBounds(vcpus_default=1, memory_mb_default=192, memory_mb_min=128)
MACHINES = VmSettings(bounds=SMALL, accelerators=("tcg",), answer_within_s=60)


class CommandDesk(Desk):
    """Calls through the door about sandboxes of commands, as one agent."""

    host: CommandHost
    store: Store
    kind: Provider = "process"
    opened: Callable[[Path], Runners | tuple[Diagnostic, ...]]

    @property
    def source(self) -> str:
        return "golden" if self.kind == "vm" else "site"

    async def start(self, **more: object) -> str:
        """Returns the `in` of a new sandbox of this desk's kind."""
        asked: dict[str, Any] = {"provider": self.kind, "source": self.source, **more}
        started = await self.must("sandbox_start", **asked)
        assert started.state == "RUNNING"
        return str(started.sandbox)

    async def sh(self, sandbox: str, line: str, **more: Any) -> Any:
        """Returns how a line of the shell ended."""
        return await self.must("sandbox_run", in_=sandbox, command=["sh", "-c", line], **more)

    async def held(self) -> dict[str, Holding]:
        """Returns what the provider holds, by id."""
        provider = self.host.provider(self.kind)
        return {one.id: one for one in await provider.inventory()}


def written_profile(tmp_path: Path, guest: Guest | None = None, *, more: str = "") -> Path:
    """Writes an operator's profile with a folder, and a machine where there is a guest."""
    site = tmp_path / "site"
    if not site.exists():
        site.mkdir()
        (site / "settings.conf").write_text("colour = green\n")
        (site / "old.conf").write_text("to be removed\n")
    lines = ["sandboxes:", "  process:", f"    sources: {{site: {site}}}"]
    if guest is not None:
        lines += [
            "  vm:",
            "    sources:",
            "      golden:",
            f"        image: {guest.disk}",
            "        format: raw",
            f"        kernel: {guest.kernel}",
            f"        initrd: {guest.initrd}",
            "        kernel_arguments: quiet mitigations=off",
            "        home: /work",
        ]
    profile = tmp_path / "profile.yaml"
    profile.write_text("\n".join([*lines, *more.splitlines()]) + "\n")
    return profile


@asynccontextmanager
async def command_desk(
    tmp_path: Path,
    *,
    profile: Path | None = None,
    kind: Provider = "process",
    before: Callable[[str], None] = no_step,
    where: Where = "memory",
    settings: VmSettings = MACHINES,
    **config: Any,
) -> AsyncIterator[CommandDesk]:
    """Gives a desk over a small cluster; *profile* is the operator's, and *settings* those of machines."""
    bench = Bench(tmp_path, where=where)
    cluster = await bench.begun(folder_files("supply"))
    url = f"sqlite:///{tmp_path / 'history.sqlite'}"
    history = History(StoreConfig(url=url, **config), bench.world.now)
    written = profile if profile is not None else written_profile(tmp_path)

    def opened(root: Path) -> Runners | tuple[Diagnostic, ...]:
        return open_runners(written, root, before=before, settings=settings)

    host = CommandHost(
        tmp_path / "host", open_runners=opened, storage_uri=cluster.store.uri, history_url=url
    )
    made = CommandDesk(bench, msgspec.structs.replace(cluster, history=history, commands=host))
    made.host, made.kind, made.store = host, kind, await history.store()
    made.opened = opened
    try:
        yield made
    finally:
        for name in ("process", "vm"):
            provider = host.runners().provider(name)
            if provider is None:
                continue
            for left in await provider.inventory():
                await provider.destroy(left.id)
        await history.aclose()


def beside(desk: CommandDesk) -> CommandDesk:
    """Returns the desk of another process on the same host: it shares nothing in memory."""
    old = desk.host
    host = CommandHost(old.root.parent, open_runners=desk.opened, storage_uri="", history_url="")
    host.key, host.root = old.key, old.root
    made = CommandDesk(desk.bench, msgspec.structs.replace(desk.cluster, commands=host))
    made.host, made.kind, made.store, made.opened = host, desk.kind, desk.store, desk.opened
    return made

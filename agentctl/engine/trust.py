"""Works out which column of the trust table applies here, and says it in one line. Source: trust.

The columns are attackers: A has only MCP tools, B a shell as the same operating system user, C a
shell as another user, D a stolen token on another host, E is root. What holds against A holds
everywhere; the column told is that of the strongest attacker that this set-up has to expect.
"""

import os
import stat
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

import msgspec

from agentctl.adapters.keys.agent import agent_keys, agent_socket
from agentctl.adapters.keys.keyfile import KeyFileError, has_passphrase, keys_folder, public_of_file
from agentctl.diagnostics.diagnostic import Diagnostic, warning
from agentctl.domain.policy.caller import Caller
from agentctl.domain.policy.principals import Principal, Registry
from agentctl.domain.policy.public_key import is_hardware
from agentctl.domain.policy.vouching import vouching
from agentctl.engine.cluster import Cluster
from agentctl.foreign import Foreign, show

Column = Literal["A", "B", "C", "D", "E"]


class HumanKeyFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file with an enrolled human's private key, which this user can read."""

    principal: str
    path: str
    passphrase: bool
    shared: bool
    """Whether its mode lets other users read it."""
    hardware: bool = False
    """Whether it is the handle of a hardware key, which signs only when it is touched."""

    @property
    def signs_alone(self) -> bool:
        """Whether whoever reads the file can sign with it, without a person."""
        return not self.passphrase and not self.hardware


class TrustFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the column follows from."""

    user: str
    is_root: bool
    storage_local: bool
    """Whether the storage root is on this machine."""
    storage_writable: bool
    """Whether this user, as whom agents run too, can write it without asking anyone."""
    human_keys: tuple[HumanKeyFile, ...]
    humans: int
    """How many humans are enrolled and not revoked."""
    demo_humans: tuple[str, ...] = ()
    agent_humans: tuple[str, ...] = ()
    """Those whose key the user's ssh-agent holds, though it was not enrolled as one that asks."""
    vouching: tuple[Diagnostic, ...] = ()
    """What is to be known of humans for whom not two people stand."""


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """The column that applies, and why."""

    column: Column
    line: str
    """One line of our own words, e.g. ``column B: …``."""
    diagnostics: tuple[Diagnostic, ...] = ()
    """What makes it weaker than it could be."""


def assess(facts: TrustFacts) -> Trust:
    """Returns the column that applies to a set-up."""
    column, why = _column(facts)
    extra = ""
    if facts.demo_humans:
        extra = "; a demo key decides here, which proves no person"
    elif not facts.humans:
        extra = "; no human is enrolled, so nothing gated can be decided"
    elif any(key.signs_alone for key in facts.human_keys):
        extra = "; the human key has no passphrase and proves no person"
    elif facts.agent_humans:
        extra = (
            "; the human key is in an ssh-agent that signs for whoever asks, and proves no person"
        )
    elif facts.human_keys and all(key.hardware for key in facts.human_keys):
        extra = (
            "; the human key is touched for each decision: a person was there, whatever they saw"
        )
    return Trust(column=column, line=f"column {column}: {why}{extra}", diagnostics=_findings(facts))


async def trust(cluster: Cluster, caller: Caller, *, keys: Path | None = None) -> Trust:
    """Returns the column of an opened cluster, as this process can see it.

    Over MCP agents run as the user of this process, so what this process reaches they reach.
    *keys* is the user's keys folder where it is not the usual one.
    """
    assert caller.id, "somebody asks"
    registry = await cluster.principals.registry()
    folder = keys if keys is not None else keys_folder(os.environ, Path.home())
    held = agent_keys(agent_socket(os.environ))
    return assess(gather_facts(cluster.store.uri, folder, registry, cluster.world.user, held))


def looked_at() -> tuple[Path, ...]:
    """Returns what of the file system the column follows from, the storage root aside. Blocking."""
    folder = keys_folder(os.environ, Path.home())
    try:
        return (folder, *sorted(folder.iterdir()))
    except OSError:
        return (folder,)


def gather_facts(
    storage_uri: str, keys: Path, registry: Registry, user: str, held: Collection[str] = ()
) -> TrustFacts:
    """Looks at the storage root and the key files; *held* are the keys of the user's ssh-agent."""
    parts = urlsplit(storage_uri)
    local = parts.scheme == "file"
    humans = registry.humans
    return TrustFacts(
        user=user,
        is_root=os.geteuid() == 0,
        storage_local=local,
        storage_writable=not local or os.access(_nearest(Path(unquote(parts.path))), os.W_OK),
        human_keys=tuple(_key_files(keys, humans)),
        humans=len(humans),
        demo_humans=tuple(p.id for p in humans if p.assurance == "demo"),
        agent_humans=tuple(p.id for p in humans if p.key in held and p.assurance == "file"),
        vouching=vouching(registry),
    )


def _column(facts: TrustFacts) -> tuple[Column, str]:
    user = show(Foreign(facts.user), limit=32)
    if facts.is_root:
        return "E", "this runs as root, and nothing on a machine holds against its root"
    if facts.storage_writable:
        return "B", (
            f"an agent with a shell as {user} reaches files and key; "
            "what holds, holds against agents that have only MCP"
        )
    if facts.human_keys:
        return (
            "B",
            f"storage is another user's, but an agent with a shell as {user} reaches the key",
        )
    return "C", f"storage and keys are not {user}'s; gates hold against a shell as {user}"


def _findings(facts: TrustFacts) -> tuple[Diagnostic, ...]:
    found = [
        warning(
            "human_key_unprotected",
            key.principal,
            f"the key of {key.principal} has no passphrase",
            detail="Whoever has a shell as the same user can sign with it, agents included.",
            remedy=f"ssh-keygen -p -f '{key.path}'",
        )
        for key in facts.human_keys
        if key.signs_alone
    ]
    found += [
        warning(
            "human_key_unprotected",
            human,
            f"the ssh-agent holds the key of {human} and may sign without asking",
            detail="Whoever has a shell as the same user can sign with it, agents included.",
            remedy="ssh-add -d, then ssh-add -c; enrol it with --assurance agent",
        )
        for human in facts.agent_humans
    ]
    found += [
        warning(
            "human_key_shared",
            key.principal,
            f"other users of this machine can read the key of {key.principal}",
            remedy=f"chmod 600 '{key.path}'",
        )
        for key in facts.human_keys
        if key.shared
    ]
    return (*found, *facts.vouching)


def _key_files(keys: Path, humans: Iterable[Principal]) -> Iterable[HumanKeyFile]:
    by_key = {human.key: human.id for human in humans}
    if not os.access(keys, os.R_OK | os.X_OK) or not keys.is_dir():
        return
    for path in sorted(keys.iterdir()):
        found = _key_file(path, by_key)
        if found is not None:
            yield found


def _key_file(path: Path, by_key: dict[str | None, str]) -> HumanKeyFile | None:
    if path.suffix == ".pub" or not path.is_file():
        return None
    shared = bool(stat.S_IMODE(path.stat().st_mode) & 0o077)
    if shared:
        # A key that others can read is not opened; its public half says whose it is.
        public = path.with_name(path.name + ".pub")
        words = (
            public.read_text(encoding="utf-8", errors="replace").split() if public.is_file() else []
        )
        owner = by_key.get(" ".join(words[:2]))
        if owner is None:
            return None
        return HumanKeyFile(principal=owner, path=str(path), passphrase=True, shared=True)
    try:
        text = public_of_file(path)
        owner = by_key.get(text)
        if owner is None:
            return None
        return HumanKeyFile(
            principal=owner,
            path=str(path),
            passphrase=has_passphrase(path),
            shared=False,
            hardware=is_hardware(text),
        )
    except KeyFileError:
        return None


def _nearest(path: Path) -> Path:
    """Returns *path*, or the nearest folder above it that exists."""
    return next(p for p in (path, *path.parents) if p.exists())

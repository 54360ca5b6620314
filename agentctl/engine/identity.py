"""Makes and shows the principals of a cluster: the first human, their agent, the recovery code.

A key's private half stays in its file; the chain learns the public one. The recovery code is shown
once, by whoever calls `make_first_identity`, and stored nowhere. Source: access-and-faces 3.1.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from agentctl.adapters.keys.keyfile import (
    KeyFileError,
    Passphrase,
    has_passphrase,
    make_key,
    nid_of,
    public_of_file,
)
from agentctl.adapters.keys.recovery_code import SEED_BYTES, code_of, seed_of
from agentctl.adapters.keys.signer import KeyFileSigner, SeedSigner
from agentctl.diagnostics.diagnostic import Diagnostic, error, warning
from agentctl.domain.policy.caller import Caller, PrincipalKind
from agentctl.domain.policy.principals import Assurance, FirstHuman, Principal, Registry
from agentctl.engine.principals import Principals
from agentctl.engine.world import World

AGENT: Final = "agent:"
_NAME_CHARACTERS_MAX: Final = 64


class FirstIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """What `init` made, or found made already."""

    cluster_id: str
    human: str | None
    """Id of the operator's human; None where none could be made."""
    human_key: str | None
    """Path of its key file."""
    agent: str | None
    agent_key: str | None
    recovery_code: str | None = None
    """Only where it was made now: shown once and stored nowhere."""
    made: tuple[str, ...] = ()
    """Ids of the principals that this call made known."""
    diagnostics: tuple[Diagnostic, ...] = ()


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """One principal, for showing."""

    id: str
    kind: PrincipalKind
    enrolled: bool
    nid: str | None
    key: str | None
    groups: tuple[str, ...]
    assurance: Assurance | None
    revoked: bool
    key_file: str | None = None
    """Where this user has the private half."""
    passphrase: bool | None = None
    """Whether that file has one."""
    confirmed: bool = True
    """False of a human whom a restore brought back and nobody has confirmed yet."""
    vouched_by: str | None = None
    """Of a human: who alone has vouched for them."""
    counts_with: str | None = None
    """Of a human: as whose second self they count until another human has vouched too."""


def principal_name(user: str) -> str:
    """Returns the id of the human that stands for an operating system user."""
    name = re.sub(r"[^A-Za-z0-9_.@+-]", "-", user).lstrip(".@+-")[:_NAME_CHARACTERS_MAX]
    return name or "operator"


def key_path(keys: Path, kind: PrincipalKind, principal_id: str) -> Path:
    """Returns where the key file of a principal is: ``human-sarah``, ``agent-sarah``."""
    return keys / f"{kind}-{principal_id.rpartition(':')[2]}"


async def make_first_identity(
    principals: Principals,
    *,
    world: World,
    keys: Path,
    new_passphrase: Callable[[], bytes] | None,
    unlock: Passphrase,
    assurance: Assurance = "file",
) -> FirstIdentity:
    """Begins the principals chain, with the first human and ``agent:<user>``; twice changes nothing.

    Args:
        principals: The chain of the storage root.
        world: Says who the operating system's user is, and gives the recovery code's randomness.
        keys: The user's keys folder; a key that is there is used, never overwritten.
        new_passphrase: Gives the passphrase of a new human key, empty for none. None where there is
            no terminal to ask on: then no human is made, and a warning says how to make one later.
        unlock: Opens a human key that is there already.
        assurance: Of the first human's key.
    """
    name = principal_name(world.user)
    before = await principals.registry()
    found: list[Diagnostic] = []
    signer: KeyFileSigner | None = None
    code: str | None = None
    if not before.had_human and new_passphrase is not None:
        try:
            signer = _human_signer(keys, name, new_passphrase, unlock)
            found += await _enrol_first(principals, name, signer, assurance)
        except KeyFileError as unusable:
            found.append(error("human_key_unusable", name, str(unusable)))
            signer = None
        if signer is not None and not found and assurance != "demo":
            code, refused = await _recovery(principals, world, name, signer)
            found += refused
    elif not before.had_human:
        found.append(_no_human())
    if not (await principals.registry()).exists:
        await principals.genesis()
    found += await _enrol_agent(principals, keys, name, signer)
    after = await principals.registry()
    return _first(before, after, keys=keys, name=name, code=code, found=tuple(found))


async def recover(
    principals: Principals, *, principal_id: str, code: str, new_key: str | None, reason: str
) -> Registry | tuple[Diagnostic, ...]:
    """Replaces a lost key by *new_key*, or revokes its principal, by the word of the recovery code."""
    registry = await principals.registry()
    seed = seed_of(code)
    if seed is None or SeedSigner(seed).key != registry.recovery:
        why = "the recovery code is not the one of this cluster, or was not copied right"
        return (error("recovery_code_invalid", principal_id, why),)
    signer = SeedSigner(seed)
    if new_key is None:
        return await principals.revoke(
            principal_id=principal_id, reason=reason, by=None, signer=signer
        )
    return await principals.rotate(
        principal_id=principal_id, new_key=new_key, by=None, signer=signer
    )


def list_identities(registry: Registry, *, keys: Path | None) -> tuple[Identity, ...]:
    """Returns all principals of the chain by id; *keys* is this user's folder of key files."""
    return tuple(_identity(principal, keys) for _, principal in sorted(registry.principals.items()))


def show_identity(registry: Registry, caller: Caller, *, keys: Path | None) -> Identity:
    """Returns who is calling, as the chain knows them or as the implicit operator that they are."""
    principal = registry.principals.get(caller.id)
    if principal is not None and caller.enrolled:
        return _identity(principal, keys)
    return Identity(
        id=caller.id,
        kind=caller.kind,
        enrolled=False,
        nid=caller.nid,
        key=None,
        groups=caller.groups,
        assurance=None,
        revoked=False,
    )


def key_file_of(principal: Principal, keys: Path | None) -> Path | None:
    """Returns the file in *keys* that holds the principal's private key, or None."""
    if keys is None or principal.key is None or not keys.is_dir():
        return None
    for path in sorted(keys.iterdir()):
        if path.suffix == ".pub" or not path.is_file():
            continue
        try:
            if public_of_file(path) == principal.key:
                return path
        except KeyFileError:
            continue
    return None


def _human_signer(
    keys: Path, name: str, new_passphrase: Callable[[], bytes], unlock: Passphrase
) -> KeyFileSigner:
    path = key_path(keys, "human", name)
    if path.exists():
        return KeyFileSigner(path, passphrase=unlock)
    secret = new_passphrase()
    make_key(path, passphrase=secret, comment=name)
    return KeyFileSigner(path, passphrase=lambda _: secret)


async def _enrol_first(
    principals: Principals, name: str, signer: KeyFileSigner, assurance: Assurance
) -> tuple[Diagnostic, ...]:
    registry = await principals.registry()
    if not registry.exists:
        human = FirstHuman(id=name, key=signer.key, assurance=assurance)
        registry = await principals.genesis(human=human, signer=signer)
    if registry.human_with_key(signer.key) is not None:
        return ()
    added = await principals.add(
        principal_id=name,
        kind="human",
        key=signer.key,
        assurance=assurance,
        by=name,
        signer=signer,
    )
    return added if isinstance(added, tuple) else ()


async def _recovery(
    principals: Principals, world: World, name: str, signer: KeyFileSigner
) -> tuple[str | None, tuple[Diagnostic, ...]]:
    seed = world.entropy(SEED_BYTES)
    done = await principals.set_recovery(key=SeedSigner(seed).key, by=name, signer=signer)
    return (None, done) if isinstance(done, tuple) else (code_of(seed), ())


async def _enrol_agent(
    principals: Principals, keys: Path, name: str, signer: KeyFileSigner | None
) -> tuple[Diagnostic, ...]:
    registry = await principals.registry()
    if AGENT + name in registry.principals:
        return ()
    try:
        key = _agent_key(key_path(keys, "agent", name), name)
    except KeyFileError as unusable:
        return (warning("human_key_unusable", AGENT + name, str(unusable)),)
    added = await principals.add(
        principal_id=AGENT + name,
        kind="agent",
        key=key,
        by=name if signer is not None else None,
        signer=signer,
    )
    return added if isinstance(added, tuple) else ()


def _agent_key(path: Path, name: str) -> str:
    if path.exists():
        return public_of_file(path)
    return make_key(path, passphrase=b"", comment=AGENT + name)


def _first(
    before: Registry,
    after: Registry,
    *,
    keys: Path,
    name: str,
    code: str | None,
    found: tuple[Diagnostic, ...],
) -> FirstIdentity:
    human, agent = after.human(name), after.principals.get(AGENT + name)
    human_key = key_file_of(human, keys) if human is not None else None
    agent_key = key_file_of(agent, keys) if agent is not None else None
    return FirstIdentity(
        cluster_id=after.cluster_id,
        human=human.id if human is not None else None,
        human_key=str(human_key) if human_key is not None else None,
        agent=agent.id if agent is not None else None,
        agent_key=str(agent_key) if agent_key is not None else None,
        recovery_code=code,
        made=tuple(sorted(after.principals.keys() - before.principals.keys())),
        diagnostics=found,
    )


def _identity(principal: Principal, keys: Path | None) -> Identity:
    path = key_file_of(principal, keys)
    return Identity(
        id=principal.id,
        kind=principal.kind,
        enrolled=not principal.revoked,
        nid=nid_of(principal.key) if principal.key is not None else None,
        key=principal.key,
        groups=principal.groups,
        assurance=principal.assurance,
        revoked=principal.revoked,
        key_file=str(path) if path is not None else None,
        passphrase=has_passphrase(path) if path is not None else None,
        confirmed=principal.confirmed,
        vouched_by=principal.vouched_by,
        counts_with=principal.counts_with,
    )


def _no_human() -> Diagnostic:
    return warning(
        "human_key_missing",
        "cluster",
        "no human key was made, because there is no controlling terminal to ask for a passphrase",
        detail="Everything reversible works. What is gated waits until a human is enrolled.",
        remedy="agentctl init",
    )

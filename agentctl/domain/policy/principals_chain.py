"""Folds the principals chain into a registry, and refuses a record that breaks one of its rules.

The same function judges a record before it is written and every record that is read, so a chain
that was tampered with is never half believed. Who may sign what, in short: humans and keys by a
human whom the chain knows (the first by itself, a lost key by the recovery code); an agent or a
service without groups needs no signature; nothing turns an agent into a human; a `demo` key
vouches for `demo` keys only. A record that one human signs always stands; but where another person
could vouch too, whom one alone enrolled, or gave a key, counts with them as one person and is in no
group, and nobody gives themselves a group. Source: access-and-faces 3.1, trust.
"""

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

import msgspec

from agentctl.canonical import sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.policy.principals import (
    NO_CHAIN,
    PRINCIPAL_ID,
    PRINCIPALS_NAMESPACE,
    AddBody,
    Assurance,
    Body,
    DelegateBody,
    Delegation,
    GenesisBody,
    GroupsBody,
    Principal,
    PrincipalRecord,
    RecoveryBody,
    Registry,
    RestoredFrom,
    RevokeBody,
    RotateBody,
    Verify,
    decode_record,
)
from agentctl.domain.policy.public_key import is_hardware, raw_public
from agentctl.domain.storage.chain import ChainHead
from agentctl.ids import is_resource_id
from agentctl.instants import parse_instant

DELEGATION_DAYS_MAX: Final = 30
_NONCE: Final = re.compile(r"[0-9a-f]{32}")
_CLUSTER_ID: Final = re.compile(r"[0-9a-f]{64}")


class RuleBrokenError(Exception):
    """Why a record may not stand in the chain; never leaves this module but as a diagnostic."""


class Vouched(msgspec.Struct, frozen=True, kw_only=True):
    """Who stands behind a record."""

    human: Principal | None = None
    recovery: bool = False

    @property
    def by_somebody(self) -> bool:
        """Whether a signature holds."""
        return self.human is not None or self.recovery


class ChainReading(msgspec.Struct, frozen=True, kw_only=True):
    """A chain as it was read; without a registry where it is broken."""

    registry: Registry | None
    diagnostics: tuple[Diagnostic, ...] = ()


def verify_chain(records: Iterable[bytes], verify: Verify) -> ChainReading:
    """Returns the registry of a chain, from its first record on, or what is wrong with it."""
    registry = NO_CHAIN
    for data in records:
        step = advance(registry, data, verify)
        if step.registry is None:
            return step
        registry = step.registry
    return ChainReading(registry=registry)


def advance(registry: Registry, data: bytes, verify: Verify) -> ChainReading:
    """Returns the registry with one more record, or why it may not follow."""
    number = registry.head.length + 1
    try:
        after = _follow(registry, _decoded(data), data, verify)
    except RuleBrokenError as reason:
        found = error(
            "principals_chain_broken",
            f"principals/{number}",
            f"record {number} of the principals chain is refused: {reason}",
            remedy="Look at the records under __cluster/principals/ and at a backup.",
        )
        return ChainReading(registry=None, diagnostics=(found,))
    head = ChainHead(length=number, head=f"sha256:{sha256_hex(data)}")
    return ChainReading(registry=msgspec.structs.replace(after, head=head))


def _follow(registry: Registry, record: PrincipalRecord, data: bytes, verify: Verify) -> Registry:
    _require(record.n == registry.head.length + 1, "its number does not follow")
    _require(record.previous == registry.head.head, "it does not name the record before it")
    _require((record.kind == "genesis") == (record.n == 1), "a chain begins with genesis, once")
    _require(_NONCE.fullmatch(record.nonce) is not None, "its nonce is not 32 hex digits")
    try:
        parse_instant(record.at)
    except ValueError as reason:
        msg = "its time has another form"
        raise RuleBrokenError(msg) from reason
    if isinstance(record.body, GenesisBody):
        cluster_id = sha256_hex(data)
        begun = msgspec.structs.replace(registry, cluster_id=cluster_id)
        after = _genesis(begun, record, record.body, verify)
    elif isinstance(record.body, AddBody):
        after = _add(registry, record, record.body, verify)
    else:
        vouched = _vouched(registry, record, verify)
        after = _change(registry, record, record.body, vouched)
    about = after.principals if isinstance(record.body, GenesisBody) else _about(record.body)
    for one in about:
        after = _with(after, msgspec.structs.replace(after.principals[one], changed_at=record.at))
    return after


def _about(body: Body) -> tuple[str, ...]:
    return (body.id,) if isinstance(body, AddBody | RevokeBody | RotateBody | GroupsBody) else ()


def _decoded(data: bytes) -> PrincipalRecord:
    record = decode_record(data)
    if isinstance(record, str):
        raise RuleBrokenError(record)
    return record


def _change(registry: Registry, record: PrincipalRecord, body: Body, vouched: Vouched) -> Registry:
    _require(vouched.by_somebody, "a record about keys or humans needs a human's signature")
    match body:
        case RevokeBody():
            return _revoke(registry, body, vouched)
        case RotateBody():
            return _rotate(registry, body, vouched)
        case GroupsBody():
            return _regroup(registry, body, vouched)
        case DelegateBody():
            return _delegate(registry, record, body, vouched)
        case RecoveryBody():
            return _recovery(registry, body, vouched)
        case GenesisBody() | AddBody():
            msg = "a principal is added by its own rule"
            raise AssertionError(msg)


def _genesis(
    registry: Registry, record: PrincipalRecord, body: GenesisBody, verify: Verify
) -> Registry:
    if body.restored_from is not None:
        _require(body.human is None, "a restored chain begins with those of its backup")
        return _restored(registry, record, body.restored_from, verify)
    if body.human is None:
        _require(record.by is None and record.signature is None, "nobody can have signed it")
        return registry
    human = AddBody(
        id=body.human.id,
        kind="human",
        groups=(),
        key=body.human.key,
        assurance=body.human.assurance,
    )
    _check_new(registry, human)
    _check_own_signature(record, human, verify)
    return _with(registry, _principal(human, record.n))


def _restored(
    registry: Registry, record: PrincipalRecord, body: RestoredFrom, verify: Verify
) -> Registry:
    """Returns the registry of a chain that goes on from another's: one of its humans signs for it."""
    _require(_CLUSTER_ID.fullmatch(body.cluster_id) is not None, "it names no cluster")
    ids = [p.id for p in body.principals]
    _require(ids == sorted(set(ids)), "its principals are sorted, each once")
    for principal in body.principals:
        _check_new(registry, principal)
        _check_groups(principal)
        _require(principal.assurance != "demo", "a demo key is worth nothing elsewhere")
        registry = _with(registry, _principal(principal, record.n))
    if not registry.had_human:
        _require(record.by is None and record.signature is None, "nobody can have signed it")
        _require(not body.unconfirmed, "it holds back somebody who is no human of it")
        return registry
    vouched = _vouched(registry, record, verify)
    _require(vouched.human is not None, "a human of the backup signs for it")
    return _held_back(registry, body, by=record.by)


def _held_back(registry: Registry, body: RestoredFrom, *, by: str | None) -> Registry:
    """Returns the registry in which those to be confirmed have no word; who signs is none of them."""
    ids = body.unconfirmed
    _require(ids == tuple(sorted(set(ids))), "whom it holds back is sorted, each once")
    _require(by not in ids, "who signs for it is confirmed by that")
    for one in ids:
        found = registry.human(one)
        _require(found is not None, "it holds back somebody who is no human of it")
        if found is not None:
            registry = _with(registry, msgspec.structs.replace(found, confirmed=False))
    return registry


def _add(registry: Registry, record: PrincipalRecord, body: AddBody, verify: Verify) -> Registry:
    _check_new(registry, body)
    _check_groups(body)
    if body.kind == "human" and not registry.had_human:
        _check_own_signature(record, body, verify)
        _require(not body.groups, "the first human has no groups yet")
        return _with(registry, _principal(body, record.n))
    vouched = _vouched(registry, record, verify)
    if body.kind == "human":
        _require(vouched.human is not None, "a human is added by a human whom the chain knows")
        _check_worth(vouched, body.assurance)
    _require(vouched.human is not None or not body.groups, "groups need a human's signature")
    _require(not vouched.recovery, "the recovery code adds nobody")
    added = _principal(body, record.n)
    if body.kind == "human" and vouched.human is not None:
        added = _by_one(registry, added, vouched.human.id)
    return _with(registry, added)


def _by_one(registry: Registry, human: Principal, by: str) -> Principal:
    """Returns *human* as they stand by the word of *by* alone.

    Where nobody else could vouch, that word has to do; else they wait for another's.
    """
    if not registry.others(by, human.id):
        return msgspec.structs.replace(human, vouched_by=by, counts_with=None)
    person = registry.person(by)
    return msgspec.structs.replace(human, groups=(), vouched_by=by, counts_with=person)


def _revoke(registry: Registry, body: RevokeBody, vouched: Vouched) -> Registry:
    target = _living(registry, body.id)
    _require(body.key == (target.key or ""), "the key is not the principal's")
    _check_worth(vouched, target.assurance)
    former = {**registry.former_keys, **({target.key: target.id} if target.key else {})}
    registry = msgspec.structs.replace(registry, former_keys=former)
    return _with(registry, msgspec.structs.replace(target, revoked=True))


def _rotate(registry: Registry, body: RotateBody, vouched: Vouched) -> Registry:
    target = _living(registry, body.id)
    _require(body.old == (target.key or ""), "the old key is not the principal's")
    _check_worth(vouched, target.assurance)
    _check_key(registry, body.new)
    former = {**registry.former_keys, **({target.key: target.id} if target.key else {})}
    registry = msgspec.structs.replace(registry, former_keys=former)
    worth = _worth_of_new_key(target, body.new)
    rotated = msgspec.structs.replace(target, key=body.new, assurance=worth)
    by = vouched.human.id if vouched.human is not None else registry.recovery_by
    if (
        target.kind == "human"
        and by is not None
        and registry.person(by) != registry.person(target.id)
    ):
        # Whoever gives somebody a key may have it themselves.
        rotated = _by_one(registry, rotated, by)
    return _with(registry, rotated)


def _worth_of_new_key(target: Principal, key: str) -> Assurance | None:
    """Returns what a replaced key is worth: what can be told by looking at it, and no more.

    Whether an agent asks before it signs with the new one, no record says; so it counts as a file.
    """
    if target.assurance in (None, "demo"):
        return target.assurance
    return "touch" if is_hardware(key) else "file"


def _regroup(registry: Registry, body: GroupsBody, vouched: Vouched) -> Registry:
    target = _living(registry, body.id)
    _require(vouched.human is not None, "groups need a human's signature")
    _check_worth(vouched, target.assurance)
    _check_groups(body)
    assert vouched.human is not None, "it was asked for"
    return _with(registry, _with_groups(registry, target, body.groups, vouched.human.id))


def _with_groups(
    registry: Registry, target: Principal, groups: tuple[str, ...], by: str
) -> Principal:
    """Returns *target* in the groups, as far as *by* may put them there; another's word vouches too."""
    regrouped = msgspec.structs.replace(target, groups=groups)
    if target.kind != "human":
        return regrouped
    if not target.confirmed:
        return _by_one(registry, msgspec.structs.replace(regrouped, confirmed=True), by)
    person = registry.person(by)
    if person == registry.person(target.id):
        kept = tuple(group for group in groups if group in target.groups)
        alone = not registry.others(by)
        return regrouped if alone else msgspec.structs.replace(target, groups=kept)
    vouched_by = target.vouched_by
    if vouched_by is not None and registry.person(vouched_by) != person:
        vouched_by = None
    return msgspec.structs.replace(regrouped, vouched_by=vouched_by, counts_with=None)


def _delegate(
    registry: Registry, record: PrincipalRecord, body: DelegateBody, vouched: Vouched
) -> Registry:
    _require(
        vouched.human is not None and vouched.human.id == body.source,
        "a delegation is signed by whom it is from",
    )
    _require(registry.human(body.to) is not None, "a delegation is to an enrolled human")
    _require(body.to != body.source, "nobody delegates to themselves")
    try:
        life = parse_instant(body.until) - parse_instant(record.at)
    except ValueError as reason:
        msg = "its end has another form"
        raise RuleBrokenError(msg) from reason
    _require(
        timedelta(0) < life <= timedelta(days=DELEGATION_DAYS_MAX),
        f"a delegation lasts at most {DELEGATION_DAYS_MAX} days",
    )
    delegation = Delegation(
        source=body.source,
        to=body.to,
        kinds=body.kinds,
        resources=body.resources,
        since=record.at,
        until=body.until,
    )
    return msgspec.structs.replace(registry, delegations=(*registry.delegations, delegation))


def _recovery(registry: Registry, body: RecoveryBody, vouched: Vouched) -> Registry:
    _require(vouched.human is not None, "a recovery key needs a human's signature")
    _check_worth(vouched, "file")
    _check_key(registry, body.key)
    return msgspec.structs.replace(
        registry,
        recovery=body.key,
        recovery_by=vouched.human.id if vouched.human is not None else None,
        recovery_keys=registry.recovery_keys | {body.key},
    )


def _vouched(registry: Registry, record: PrincipalRecord, verify: Verify) -> Vouched:
    """Returns who signed *record*: a known human, the recovery code, or nobody."""
    if record.signature is None:
        unsigned = record.by is None or registry.human(record.by) is None
        _require(unsigned, "it names a human who did not sign it")
        return Vouched()
    key = verify(record.signature, record.signed_bytes, PRINCIPALS_NAMESPACE)
    _require(key is not None, "its signature does not hold")
    if record.by is None:
        _require(key == registry.recovery, "it is signed by no key that the chain knows")
        return Vouched(recovery=True)
    human = registry.human(record.by)
    _require(human is not None, "it is signed by no human whom the chain knows")
    _require(human is not None and key == human.key, "it is not signed by whom it names")
    return Vouched(human=human)


def _check_own_signature(record: PrincipalRecord, body: AddBody, verify: Verify) -> None:
    _require(record.by == body.id and record.signature is not None, "the first human signs")
    assert record.signature is not None
    key = verify(record.signature, record.signed_bytes, PRINCIPALS_NAMESPACE)
    _require(key == body.key, "the first human's signature does not hold")


def _check_new(registry: Registry, body: AddBody) -> None:
    _require(PRINCIPAL_ID.fullmatch(body.id) is not None, "its id has another form")
    prefix = body.id.partition(":")[0] if ":" in body.id else None
    _require(
        prefix == body.kind or (prefix is None),
        f"an id that begins with {prefix}: is no {body.kind}",
    )
    taken = {known.casefold() for known in registry.principals}
    _require(body.id.casefold() not in taken, "its id is taken, or differs only in case")
    _require((body.kind == "human") == (body.assurance is not None), "humans have an assurance")
    _require(body.kind != "human" or body.key is not None, "a human has a key")
    hardware = body.key is not None and is_hardware(body.key)
    _require(
        body.kind != "human" or (body.assurance == "touch") == hardware,
        "a hardware key is of assurance touch, and no other is",
    )
    if body.key is not None:
        _check_key(registry, body.key)


def _check_groups(body: AddBody | GroupsBody) -> None:
    _require(
        body.groups == tuple(sorted(set(body.groups))) and all(map(is_resource_id, body.groups)),
        "groups are names, sorted, each once",
    )


def _check_key(registry: Registry, key: str) -> None:
    _require(raw_public(key) is not None, "the key is no Ed25519 key in OpenSSH form")
    used = {p.key for p in registry.principals.values() if p.key} | registry.former_keys.keys()
    taken = {raw_public(known) for known in used | registry.recovery_keys}
    _require(raw_public(key) not in taken, "the key is or was somebody's")


def _check_worth(vouched: Vouched, assurance: Assurance | None) -> None:
    demo = vouched.human is not None and vouched.human.assurance == "demo"
    _require(not demo or assurance in (None, "demo"), "a demo key vouches for demo keys only")


def _living(registry: Registry, principal_id: str) -> Principal:
    found = registry.principals.get(principal_id)
    if found is None or found.revoked:
        msg = f"{principal_id!a} is not known, or was revoked"
        raise RuleBrokenError(msg)
    return found


def _principal(body: AddBody, number: int) -> Principal:
    return Principal(
        id=body.id,
        kind=body.kind,
        key=body.key,
        groups=body.groups,
        assurance=body.assurance,
        since=number,
    )


def _with(registry: Registry, principal: Principal) -> Registry:
    return msgspec.structs.replace(
        registry, principals={**registry.principals, principal.id: principal}
    )


def _require(holds: bool, otherwise: str) -> None:  # noqa: FBT001  # reads as a sentence
    if not holds:
        raise RuleBrokenError(otherwise)

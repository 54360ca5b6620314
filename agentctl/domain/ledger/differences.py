"""How two ledger objects differ, part by part: what `state diff` shows. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from agentctl.domain.ledger.envelope import Envelope

Section = Literal[
    "resources",
    "statuses",
    "observations",
    "approvals",
    "recoveries",
    "protected",
    "freezes",
    "source",
    "config",
]
"""In the order in which differences are told."""
Kind = Literal["added", "removed", "changed"]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not the same in both."""

    section: Section
    key: str
    """The address, the id, or the name of the field."""
    kind: Kind
    before: Mapping[str, object] | None = None
    """Fields in the first; null where it is not there."""
    after: Mapping[str, object] | None = None


class StateDiff(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that differs between ledger objects *a* and *b*."""

    a: int
    b: int
    revision_a: int
    revision_b: int
    same_state: bool
    """Whether both hold the same `state.json`."""
    differences: tuple[Difference, ...] = ()


_SECTIONS: Final[tuple[Section, ...]] = (
    "config", "source", "resources", "statuses", "observations", "approvals", "recoveries",
    "protected", "freezes",
)  # fmt: skip


def diff_envelopes(a: Envelope, b: Envelope) -> StateDiff:
    """Returns how *b* differs from *a*, by section and key."""
    before, after = _parts(a), _parts(b)
    found: list[Difference] = []
    for section in _SECTIONS:
        found.extend(_differences(section, before[section], after[section]))
    return StateDiff(
        a=a.seq,
        b=b.seq,
        revision_a=a.state.state_revision,
        revision_b=b.state.state_revision,
        same_state=a.state == b.state,
        differences=tuple(found),
    )


def _differences(
    section: Section,
    before: Mapping[str, Mapping[str, object]],
    after: Mapping[str, Mapping[str, object]],
) -> Iterable[Difference]:
    for key in sorted({*before, *after}):
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        kind: Kind = "added" if old is None else "removed" if new is None else "changed"
        yield Difference(section=section, key=key, kind=kind, before=old, after=new)


def _parts(envelope: Envelope) -> dict[Section, dict[str, Mapping[str, object]]]:
    state = envelope.state
    revision = state.applied_revision
    config: dict[str, Mapping[str, object]] = {}
    if revision.config_digest is not None:
        config["config_digest"] = {"digest": revision.config_digest}
    return {
        "config": config,
        "source": {"source": _plain(envelope.source)} if envelope.source is not None else {},
        "resources": _all(revision.resources),
        "statuses": _all(state.resource_statuses),
        "observations": _all(state.observations),
        "approvals": _all(state.approval_records),
        "recoveries": _all(state.recovery_records),
        "protected": {address: {} for address in envelope.protected},
        "freezes": {freeze.id: _plain(freeze) for freeze in envelope.freezes},
    }


def _all(values: Mapping[str, msgspec.Struct]) -> dict[str, Mapping[str, object]]:
    return {key: _plain(value) for key, value in values.items()}


def _plain(value: msgspec.Struct) -> Mapping[str, object]:
    plain: dict[str, object] = msgspec.to_builtins(value)
    return plain

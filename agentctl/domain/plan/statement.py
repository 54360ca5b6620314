"""What a person consents to: the gate statement, its digest and its key. Source: control-plane 3.4."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from agentctl.canonical import digest_of
from agentctl.domain.plan.model import ChangeVerb, EffectClass
from agentctl.ids import Address

STATEMENT: Final = "agentctl/gate/v1"


class Tolerance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much `effect` may grow after the decision: the lesser of the two holds."""

    percent: int = 1
    rows: int = 100


class Effect(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What is lost. `bytes`, `last_write` and `commit` inform and are never compared."""

    rows: Mapping[str, int] = msgspec.field(default_factory=dict)
    bytes: int = 0
    last_write: str | None = None
    commit: str | None = None
    pins: tuple[str, ...] = ()
    archives: tuple[str, ...] = ()
    kept_s: int | None = None
    """Of a deletion: the seconds for which it can be restored."""


class GateStatement(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One gate; its canonical bytes are what the gate digest covers."""

    statement: Literal["agentctl/gate/v1"]
    cluster_id: str
    classes: tuple[EffectClass, ...]
    """Sorted."""
    resource: Address
    operation: ChangeVerb
    before: str | None
    after: str | None
    rules: str
    """Digest of the applied approval rules; of ``[]`` where there are none."""
    requester: str
    effect: Effect
    dependents: tuple[Address, ...]
    readers: tuple[Address, ...]
    tolerance: Tolerance
    expires_at: str
    nonce: str
    on_behalf_of: str | None = None
    incarnation: str | None = None
    migration_digest: str | None = None


OUTSIDE_KEY: Final = frozenset(
    {
        "requester",
        "on_behalf_of",
        "effect",
        "dependents",
        "readers",
        "tolerance",
        "expires_at",
        "nonce",
    }
)


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """A gate of a fresh plan: a statement that nobody asked for yet."""

    resource: Address
    operation: ChangeVerb
    classes: tuple[EffectClass, ...]
    reason: str
    before: str | None
    after: str | None
    rules: str
    cluster_id: str
    effect: Effect
    dependents: tuple[Address, ...]
    readers: tuple[Address, ...]
    incarnation: str | None = None
    migration_digest: str | None = None
    tolerance: Tolerance = Tolerance()

    def statement(
        self, *, requester: str, on_behalf_of: str | None, expires_at: str, nonce: str
    ) -> GateStatement:
        """Returns the statement that a request by *requester* puts to a human."""
        return GateStatement(
            statement=STATEMENT,
            cluster_id=self.cluster_id,
            classes=self.classes,
            resource=self.resource,
            operation=self.operation,
            before=self.before,
            after=self.after,
            rules=self.rules,
            requester=requester,
            on_behalf_of=on_behalf_of,
            effect=self.effect,
            dependents=self.dependents,
            readers=self.readers,
            tolerance=self.tolerance,
            expires_at=expires_at,
            nonce=nonce,
            incarnation=self.incarnation,
            migration_digest=self.migration_digest,
        )

    @property
    def key(self) -> str:
        """The gate key that a request for this gate would have."""
        return gate_key(self.statement(requester="", on_behalf_of=None, expires_at="", nonce=""))


def gate_digest(statement: GateStatement) -> str:
    """Returns the SHA-256 of the statement's canonical bytes."""
    return digest_of(statement)


def gate_key(statement: GateStatement) -> str:
    """Returns the SHA-256 of the statement without what may differ between two askings of one gate."""
    fields = msgspec.to_builtins(statement)
    assert isinstance(fields, dict)
    return digest_of({k: v for k, v in fields.items() if k not in OUTSIDE_KEY})


NO_RULES: Final = digest_of([])
"""`rules` of a cluster without approval rules."""

"""What becomes of an interrupted step, as a table: what its graph shows, and what is done. Pure.

`agentctl.engine.recover` looks a step up here and nowhere else, and `docs/recovery.md` is generated
from it. A commit of `main` that bears the sidecar's nonce says that the step happened, its absence
says that it did not, and a root that cannot be read says neither. Source: control-plane 3.5.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from agentctl.diagnostics.diagnostic import Severity
from agentctl.domain.ledger.sidecar import StepKind

Sight = Literal[
    "recorded",
    "made",
    "not_made",
    "superseded",
    "absent",
    "in_flight",
    "purging",
    "out_of_reach",
    "foreign",
    "unreadable",
]
"""What the ledger and the graph's root show of one step."""
Verdict = Literal["roll_forward", "retire", "keep"]
"""`roll_forward`: the ledger learns what happened. `retire`: the intent is withdrawn. `keep`: nothing
can be known yet, and the graph stays as it is, barred to other steps."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One row."""

    seen: str
    """What the sight means for this kind of step, in words."""
    verdict: Verdict
    then: str
    """What is recorded, in words."""
    spends: bool = False
    """Whether the step's approval, where it had one, is used up."""
    code: str | None = None
    """Of the diagnostic that tells it; None where nothing happened that anyone should know."""
    severity: Severity = "warning"


STEPS: Final[Mapping[StepKind, str]] = MappingProxyType(
    {
        "graph_create": "create",
        "schema_apply": "schema update",
        "graph_delete": "deletion",
    }
)
"""How a step is called in messages."""

_RECORDED: Final = Rule(
    seen="the ledger records the outcome already", verdict="retire", then="nothing", spends=False
)
_FORWARD: Final = "cluster_recovery_rolled_forward"
_RETIRED: Final = "cluster_recovery_retired"


def _made(seen: str, then: str) -> Rule:
    return Rule(seen=seen, verdict="roll_forward", then=then, spends=True, code=_FORWARD)


def _not_made(seen: str) -> Rule:
    return Rule(seen=seen, verdict="retire", then="nothing moved", code=_RETIRED, severity="note")


def _kept(seen: str, code: str) -> Rule:
    return Rule(
        seen=seen, verdict="keep", then="the graph stays pending", code=code, severity="error"
    )


_FOREIGN: Final = "the root holds another format"
_UNREADABLE: Final = "the root cannot be read"
_IN_FLIGHT: Final = "it was not made, and its command may make it still: it holds the graph's lease"
_OUT_OF_REACH: Final = "no known commit bears its nonce, and not all since it began are there"
_PENDING: Final = "cluster_recovery_pending"
_INCOMPLETE: Final = "graph_create_incomplete"
_OLDER: Final = "the old incarnation's tombstone, so that its data is still purged"
_SUPERSEDED: Final = "it was made, and the graph was detached or made anew after it"

TABLE: Final[Mapping[tuple[StepKind, Sight], Rule]] = MappingProxyType(
    {
        ("graph_create", "recorded"): _RECORDED,
        ("graph_create", "made"): _made(
            "a commit of `main` bears its nonce, and the graph is live", "the graph and its schema"
        ),
        ("graph_create", "not_made"): _not_made("no commit of `main` bears its nonce"),
        ("graph_create", "superseded"): _made(_SUPERSEDED, "nothing; what came after it is newer"),
        ("graph_create", "absent"): _not_made("there is no commit, or no root"),
        ("graph_create", "in_flight"): _kept(_IN_FLIGHT, _PENDING),
        ("graph_create", "out_of_reach"): _kept(_OUT_OF_REACH, _INCOMPLETE),
        ("graph_create", "foreign"): _kept(_FOREIGN, _INCOMPLETE),
        ("graph_create", "unreadable"): _kept(_UNREADABLE, _INCOMPLETE),
        ("schema_apply", "recorded"): _RECORDED,
        ("schema_apply", "made"): _made(
            "a commit of `main` after the observed one bears its nonce", "the new schema"
        ),
        ("schema_apply", "not_made"): _not_made(
            "no commit of `main` after the observed one bears its nonce"
        ),
        ("schema_apply", "superseded"): _made(_SUPERSEDED, "nothing; what came after it is newer"),
        ("schema_apply", "absent"): _not_made("the root is gone"),
        ("schema_apply", "in_flight"): _kept(_IN_FLIGHT, _PENDING),
        ("schema_apply", "out_of_reach"): _kept(_OUT_OF_REACH, _PENDING),
        ("schema_apply", "foreign"): _kept(_FOREIGN, _PENDING),
        ("schema_apply", "unreadable"): _kept(_UNREADABLE, _PENDING),
        ("graph_delete", "recorded"): _RECORDED,
        ("graph_delete", "made"): _made(
            "the newest commit of that incarnation is a tombstone, or a purge on it",
            "the graph's tombstone",
        ),
        ("graph_delete", "purging"): Rule(
            seen="the same, and its purge was decided, or its data is partly purged",
            verdict="roll_forward",
            then="the graph's tombstone; the purge goes on",
            spends=True,
            code="graph_delete_incomplete",
        ),
        ("graph_delete", "not_made"): _not_made("the newest commit of that incarnation is neither"),
        ("graph_delete", "superseded"): _made(
            "one of these ended that incarnation, and another one is live", _OLDER
        ),
        ("graph_delete", "absent"): _not_made("the root is gone"),
        ("graph_delete", "in_flight"): _kept(_IN_FLIGHT, _PENDING),
        ("graph_delete", "foreign"): _kept(_FOREIGN, _PENDING),
        ("graph_delete", "unreadable"): _kept(_UNREADABLE, _PENDING),
    }
)
"""Every pair that can be; a deletion is seen by the newest commits alone, so it is never out of reach."""

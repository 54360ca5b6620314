"""`json-schema`: the form of every document that `--json` prints, and of cluster.yaml.

Local: it needs no cluster. The types are those of the operations themselves, so that a schema and
what is printed cannot drift apart. Source: control-plane 3.6.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.engine.results import PlanResult, StatusResult
from agentctl.views.fmt_text import FormatResult
from agentctl_tools.catalog import OPERATIONS
from agentctl_tools.explain import Explanation
from agentctl_tools.nearness import nearest
from agentctl_tools.operation import Envelope
from agentctl_tools.queries import QueryListed
from agentctl_tools.result_schema import result_schema

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
CLUSTER_FILE: Final = "cluster.yaml"


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What any command prints in place of its document, where there is none."""

    ok: bool
    diagnostics: tuple[Diagnostic, ...]


class QueriesDocument(msgspec.Struct, frozen=True, kw_only=True):
    """`queries list`."""

    queries: tuple[QueryListed, ...]


class AuditDocument(msgspec.Struct, frozen=True, kw_only=True):
    """`audit export`."""

    records: tuple[Mapping[str, object], ...]


class VersionDocument(msgspec.Struct, frozen=True, kw_only=True):
    """`version`."""

    agentctl: str
    python: str


class OutputListed(msgspec.Struct, frozen=True, kw_only=True):
    """One name that `json-schema` takes."""

    name: str
    about: str


class OutputList(msgspec.Struct, frozen=True, kw_only=True):
    """Every name that `json-schema` takes."""

    outputs: tuple[OutputListed, ...]


_OF_OPERATIONS: Final[dict[str, tuple[str, str]]] = {
    "validate": ("validate", "`agentctl validate --json`"),
    "apply": ("apply", "`agentctl apply --json`"),
    "approve": ("decide", "`agentctl approve --json` and `deny --json`"),
    "approvals-list": ("approvals", "`agentctl approvals list --json`"),
    "approvals-show": ("approval_show", "`agentctl approvals show ID --json`"),
    "approvals-export": ("approval_export", "`agentctl approvals export ID --json`"),
    "approvals-request": ("request_approval", "`agentctl approvals request --json`"),
    "refresh": ("refresh", "`agentctl refresh --json`"),
    "import": ("import", "`agentctl import --json`"),
    "force-unlock": ("force_unlock", "`agentctl force-unlock --json`"),
    "locks": ("locks", "`agentctl locks --json`"),
    "freeze": ("freeze", "`agentctl freeze --json` and `thaw --json`"),
    "freeze-list": ("freezes", "`agentctl freeze --list --json`"),
    "state-list": ("state_list", "`agentctl state list --json`"),
    "state-show": ("state_show", "`agentctl state show SEQ --json`"),
    "state-collect": ("state_collect", "`agentctl state collect --json`"),
    "state-diff": ("state_diff", "`agentctl state diff A B --json`"),
    "upgrade": ("upgrade_check", "`agentctl upgrade --json`"),
    "ops": ("ops", "`agentctl ops list --json` and `ops show ID --json`"),
    "query": ("run_query", "`agentctl query --json`"),
    "mutate": ("mutate", "`agentctl mutate --json`"),
    "load": ("load", "`agentctl load --json`"),
    "graph-list": ("graph_list", "`agentctl graph list --json`"),
    "graph-show": ("graph_show", "`agentctl graph show ID --json`"),
    "graph-restore": ("graph_restore", "`agentctl graph restore ID --json`"),
    "graph-purge": ("graph_purge", "`agentctl graph purge ID --json`"),
    "draft-list": ("draft_list", "`agentctl draft list --json`"),
    "draft-show": ("draft_show", "`agentctl draft show ID --json`"),
    "draft-diff": ("draft_diff", "`agentctl draft diff ID --json`"),
    "draft-edit": ("draft_edit", "`agentctl draft edit --json`"),
    "audit-verify": ("audit_verify", "`agentctl audit verify --json`"),
    "identity-show": ("identity_show", "`agentctl identity show --json`"),
    "identity-list": ("identity_list", "`agentctl identity list --json`"),
    "doctor": ("doctor", "`agentctl doctor --json`"),
    "deps": ("deps", "`agentctl deps --json`"),
    "lint": ("lint", "`agentctl lint --json`"),
}
"""Outputs that are the data of an operation."""

_OTHERS: Final[dict[str, tuple[Any, str]]] = {
    "plan": (PlanResult, "`agentctl plan --json`"),
    "status": (StatusResult, "`agentctl status --json`"),
    "queries-list": (QueriesDocument, "`agentctl queries list --json`"),
    "audit-export": (AuditDocument, "`agentctl audit export --json`"),
    "fmt": (FormatResult, "`agentctl fmt --json`"),
    "explain": (Explanation, "`agentctl explain CODE --json`"),
    "version": (VersionDocument, "`agentctl version --json`"),
    "json-schema": (OutputList, "`agentctl json-schema --json`"),
    "diagnostic": (Diagnostic, "one diagnostic, wherever it stands"),
    "failure": (Failure, "what `--json` prints where a command has no document"),
    "envelope": (Envelope, "every result over MCP"),
}
"""Outputs that a face makes of one, or that no operation has."""


def outputs() -> OutputList:
    """Returns every name, sorted, cluster.yaml among them."""
    told = {name: about for name, (_, about) in (*_OF_OPERATIONS.items(), *_OTHERS.items())}
    told[CLUSTER_FILE] = "the configuration file, for editors that complete and check it"
    listed = (OutputListed(name=name, about=told[name]) for name in sorted(told))
    return OutputList(outputs=tuple(listed))


def schema_of(name: str) -> dict[str, Any] | Diagnostic:
    """Returns the JSON Schema of *name*, or the diagnostic that names what is near."""
    if name == CLUSTER_FILE:
        from agentctl.views.cluster_schema import cluster_schema

        return cluster_schema()
    if name in _OF_OPERATIONS:
        operation, about = _OF_OPERATIONS[name]
        return _schema(OPERATIONS[operation].result, name, about)
    if name in _OTHERS:
        kind, about = _OTHERS[name]
        return _schema(kind, name, about)
    known = [o.name for o in outputs().outputs]
    near = nearest(name, known)
    return error(
        "unknown_output",
        name,
        "there is no output of that name",
        remedy=f"Did you mean `{near}`?" if near is not None else "agentctl json-schema",
    )


def _schema(kind: Any, name: str, about: str) -> dict[str, Any]:  # noqa: ANN401  # a type
    return {"$schema": DIALECT, "title": name, "description": about, **result_schema(kind)}

"""The Cedar rules that decide without a policy, and those that no policy takes away.

`ALWAYS` holds whatever is applied: what is forbidden to everyone, and who consents. `DEFAULTS` is
what may be done where no applied bundle decides: humans and agents may do what is reversible, drafts
included. Which effects a plan may have is not decided here: each gated change waits for a signed
decision of its own, whoever runs the apply. What no policy permits is denied, so an action that is
in the vocabulary and in no rule below is closed. Source: access-and-faces 3.1, ADR 17.
"""

from typing import Final

ALWAYS: Final = """\
@id("builtin:enrolled-humans-purge-early")
permit (
  principal is AgentCtl::Human,
  action == AgentCtl::Action::"graph_purge_now",
  resource
) when { principal.enrolled };

@id("builtin:whoever-has-the-recovery-code-recovers")
permit (
  principal is AgentCtl::Human,
  action == AgentCtl::Action::"principal_recover",
  resource
);

@id("builtin:enrolled-humans-consent")
permit (
  principal is AgentCtl::Human,
  action in [
    AgentCtl::Action::"approval_decide",
    AgentCtl::Action::"cluster_thaw",
    AgentCtl::Action::"principal_delegate",
    AgentCtl::Action::"principal_add_human",
    AgentCtl::Action::"principal_revoke"
  ],
  resource
) when { principal.enrolled };

@id("builtin:consent-is-a-persons")
forbid (
  principal,
  action in [
    AgentCtl::Action::"approval_decide",
    AgentCtl::Action::"cluster_thaw",
    AgentCtl::Action::"principal_delegate",
    AgentCtl::Action::"principal_add_human",
    AgentCtl::Action::"principal_revoke",
    AgentCtl::Action::"principal_recover",
    AgentCtl::Action::"graph_purge_now"
  ],
  resource
) unless { principal is AgentCtl::Human };

@id("builtin:consent-comes-over-no-wire")
forbid (
  principal,
  action in [
    AgentCtl::Action::"approval_decide",
    AgentCtl::Action::"cluster_thaw",
    AgentCtl::Action::"principal_delegate",
    AgentCtl::Action::"principal_add_human",
    AgentCtl::Action::"principal_revoke",
    AgentCtl::Action::"principal_recover",
    AgentCtl::Action::"graph_purge_now"
  ],
  resource
) unless { ["cli", "tui"].contains(context.via) };

@id("builtin:a-token-makes-no-tokens")
forbid (
  principal,
  action == AgentCtl::Action::"token_create",
  resource
) unless { principal is AgentCtl::Human && ["cli", "tui"].contains(context.via) };

@id("builtin:no-data-loss-without-a-gate")
forbid (
  principal,
  action in [
    AgentCtl::Action::"change",
    AgentCtl::Action::"schema_apply",
    AgentCtl::Action::"branch_delete",
    AgentCtl::Action::"branch_merge"
  ],
  resource
) when { context.classes.containsAny(["narrowing", "irreversible", "authority"]) };
"""
"""Forbids, and the permits of consent; policies with their ids as ``@id``."""

DEFAULTS: Final = """\
@id("builtin:enrolled-humans-make-and-end-tokens")
permit (
  principal is AgentCtl::Human,
  action in [
    AgentCtl::Action::"token_create",
    AgentCtl::Action::"token_read",
    AgentCtl::Action::"token_revoke"
  ],
  resource
) when { principal.enrolled };

@id("builtin:anyone-may-look")
permit (
  principal,
  action in [
    AgentCtl::Action::"read",
    AgentCtl::Action::"cluster_status",
    AgentCtl::Action::"cluster_validate",
    AgentCtl::Action::"config_read",
    AgentCtl::Action::"schema_read",
    AgentCtl::Action::"draft_read",
    AgentCtl::Action::"ops_read",
    AgentCtl::Action::"audit_read",
    AgentCtl::Action::"audit_anchor",
    AgentCtl::Action::"approval_read",
    AgentCtl::Action::"principal_read",
    AgentCtl::Action::"explain",
    AgentCtl::Action::"graph_list",
    AgentCtl::Action::"list_query",
    AgentCtl::Action::"invoke_query",
    AgentCtl::Action::"export",
    AgentCtl::Action::"cluster_plan"
  ],
  resource
);

@id("builtin:anyone-may-try-in-a-sandbox")
permit (
  principal,
  action in [
    AgentCtl::Action::"sandbox_create",
    AgentCtl::Action::"sandbox_use",
    AgentCtl::Action::"sandbox_publish"
  ],
  resource
);

@id("builtin:humans-do-what-is-reversible")
permit (
  principal is AgentCtl::Human,
  action in [
    AgentCtl::Action::"change",
    AgentCtl::Action::"branch_create",
    AgentCtl::Action::"branch_delete",
    AgentCtl::Action::"branch_merge",
    AgentCtl::Action::"graph_restore",
    AgentCtl::Action::"graph_purge",
    AgentCtl::Action::"cluster_apply",
    AgentCtl::Action::"cluster_refresh",
    AgentCtl::Action::"cluster_import",
    AgentCtl::Action::"op_rollback",
    AgentCtl::Action::"op_archive",
    AgentCtl::Action::"cluster_freeze",
    AgentCtl::Action::"draft_edit",
    AgentCtl::Action::"approval_request",
    AgentCtl::Action::"approval_submit"
  ],
  resource
);

@id("builtin:agents-do-what-is-reversible")
permit (
  principal is AgentCtl::Agent,
  action in [
    AgentCtl::Action::"change",
    AgentCtl::Action::"graph_restore",
    AgentCtl::Action::"graph_purge",
    AgentCtl::Action::"cluster_apply",
    AgentCtl::Action::"cluster_refresh",
    AgentCtl::Action::"cluster_import",
    AgentCtl::Action::"op_rollback",
    AgentCtl::Action::"op_archive",
    AgentCtl::Action::"cluster_freeze",
    AgentCtl::Action::"draft_edit",
    AgentCtl::Action::"approval_request",
    AgentCtl::Action::"approval_submit"
  ],
  resource
);

@id("builtin:humans-make-backups")
permit (
  principal is AgentCtl::Human,
  action == AgentCtl::Action::"cluster_backup",
  resource
);

@id("builtin:humans-prune-the-archive")
permit (
  principal is AgentCtl::Human,
  action == AgentCtl::Action::"op_archive_prune",
  resource
);

@id("builtin:humans-break-a-lease")
permit (
  principal is AgentCtl::Human,
  action == AgentCtl::Action::"cluster_force_unlock",
  resource
);

@id("builtin:enrolled-humans-enrol-agents")
permit (
  principal is AgentCtl::Human,
  action == AgentCtl::Action::"principal_add",
  resource
) when { principal.enrolled };
"""
"""Permits where no bundle decides."""

BUILTIN: Final = ALWAYS + "\n" + DEFAULTS
"""All of them."""

CONSENT: Final = frozenset(
    {
        "approval_decide",
        "cluster_thaw",
        "principal_delegate",
        "principal_add_human",
        "principal_revoke",
        "principal_recover",
        "graph_purge_now",
    }
)
"""Actions that no bundle decides over: `ALWAYS` says who may, and nobody else ever."""

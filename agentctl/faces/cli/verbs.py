"""Every verb of the command line: where its command is, and the line that `agentctl --help` prints.

A verb is loaded when it is used, so that `--help` and a typing mistake answer at once. A new verb
is one line here and one file in `commands/`.
"""

from typing import Final, NamedTuple


class Verb(NamedTuple):
    """One verb; a plain tuple, because this file is read for every `--help`."""

    name: str
    module: str
    """In `agentctl.faces.cli.commands`; its attribute `command` is the click command."""
    about: str
    operations: tuple[str, ...]
    """The operations of the registry that it calls; empty for a local verb."""


SECTIONS: Final[tuple[tuple[str, tuple[Verb, ...]], ...]] = (
    (
        "Configuration to reality",
        (
            Verb("init", "init", "Make a cluster in a folder, with your key and an agent's.", ()),
            Verb("validate", "validate", "Check the folder or a draft.", ("validate",)),
            Verb("lint", "lint", "Mistakes, and what is hardly meant.", ("lint",)),
            Verb("fmt", "fmt", "Write schemas and queries in canonical form.", ()),
            Verb("deps", "deps", "What depends on what in the folder.", ("deps",)),
            Verb("plan", "plan", "Show what an apply would do.", ("plan",)),
            Verb("apply", "apply", "Carry out what needs no decision, or has one.", ("apply",)),
            Verb("reconcile", "reconcile", "Plan and apply on every change.", ("reconcile",)),
            Verb("rollback", "rollback", "Reach an earlier revision again.", ("rollback",)),
            Verb(
                "draft",
                "draft",
                "Work with edits that are not in the folder yet.",
                ("draft_list", "draft_show", "draft_diff", "draft_edit", "draft_discard"),
            ),
            Verb(
                "sandbox",
                "sandbox",
                "Try things in a copy of the whole cluster.",
                (
                    *("sandbox_open", "sandbox_list", "sandbox_show", "draft_edit"),
                    *("sandbox_write", "sandbox_snapshot", "sandbox_restore", "sandbox_diff"),
                    *("sandbox_commands", "sandbox_close", "sandbox_sweep"),
                    *("sandbox_start", "sandbox_run", "sandbox_stop", "sandbox_look"),
                    "sandbox_prepare",
                ),
            ),
            Verb(
                "playbook",
                "playbook",
                "Calls in an order, to be run again or for real.",
                (
                    *("playbook_create", "playbook_from_sandbox", "playbook_list"),
                    *("playbook_show", "playbook_edit", "playbook_reorder", "playbook_delete"),
                    "playbook_run",
                ),
            ),
            Verb(
                "changeset",
                "changeset",
                "What a sandbox makes of its base, and its rows' way home.",
                (
                    *("sandbox_changeset", "changeset_show", "changeset_replay"),
                    "sandbox_merge",
                ),
            ),
            Verb(
                "publish",
                "publish",
                "Hand a sandbox's change set to people.",
                ("publish",),
            ),
            Verb(
                "publication",
                "publication",
                "What was published, and how far it came.",
                ("publication_list", "publication_show"),
            ),
            Verb(
                "config",
                "config",
                "The sources that were applied.",
                ("config_show", "config_diff", "config_restore"),
            ),
            Verb(
                "policy",
                "policy",
                "Who may do what: check, ask, test and simulate policies.",
                (
                    "policy_validate",
                    "policy_schema",
                    "policy_explain",
                    "policy_test",
                    "policy_simulate",
                ),
            ),
        ),
    ),
    (
        "Decisions",
        (
            Verb(
                "approve",
                "approve",
                "Look at a request and sign your consent.",
                (
                    *("decide", "approvals", "approval_show", "approval_evidence"),
                    *("request_approval", "submit_decision"),
                ),
            ),
            Verb(
                "tui",
                "tui",
                "The terminal: what waits, and the decision page.",
                ("approvals", "approval_show", "decide", "status"),
            ),
            Verb("deny", "deny", "Refuse a request, with a reason.", ("decide", "approvals")),
            Verb(
                "approvals",
                "approvals",
                "What waits for a human.",
                (
                    "approvals",
                    "approval_show",
                    "approval_export",
                    "approval_review",
                    "emergencies",
                    "request_approval",
                    "submit_decision",
                ),
            ),
            Verb("notify", "notify", "Tell people of requests that run out.", ("notify",)),
        ),
    ),
    (
        "Data",
        (
            Verb("load", "load", "Load NDJSON, CSV or Parquet rows into a graph.", ("load",)),
            Verb(
                "query", "query", "Run a stored query, or one of your own.", ("run_query", "query")
            ),
            Verb("mutate", "mutate", "Run a stored mutation, as one op.", ("mutate",)),
            Verb("queries", "queries", "List stored queries.", ("queries",)),
            Verb(
                "graph",
                "graph",
                "Show, compare, export, tag, verify and tidy up.",
                (
                    *("graph_list", "graph_show", "graph_restore", "graph_purge", "graph_erase"),
                    *("graph_diff", "graph_changes", "graph_baseline", "graph_export"),
                    *("graph_tags", "graph_tag", "graph_untag"),
                    *("graph_verify", "graph_optimize", "graph_waste", "graph_cleanup"),
                ),
            ),
            Verb(
                "branch",
                "branch",
                "Branches of a graph: list, cut, merge, delete.",
                ("branch_list", "branch_create", "branch_merge", "branch_delete"),
            ),
            Verb("schema", "schema", "The schema that a graph has, or had.", ("schema_show",)),
        ),
    ),
    (
        "What is recorded",
        (
            Verb("status", "status", "What is applied, what drifted, what waits.", ("status",)),
            Verb("refresh", "refresh", "Observe the live graphs and record them.", ("refresh",)),
            Verb("import", "import_cluster", "Make the first revision of a ledger.", ("import",)),
            Verb("locks", "locks", "Who holds which lease.", ("locks",)),
            Verb("force-unlock", "force_unlock", "Remove a lease by its id.", ("force_unlock",)),
            Verb("upgrade", "upgrade", "Which formats the storage holds.", ("upgrade_check",)),
            Verb("freeze", "freeze", "Stop every commit at once.", ("freeze", "freezes")),
            Verb("thaw", "thaw", "End a freeze, with your key.", ("thaw", "freezes")),
            Verb(
                "state",
                "state",
                "The ledger's objects, and what differs.",
                ("state_list", "state_show", "state_diff", "state_collect"),
            ),
            Verb(
                "gc",
                "gc",
                "What of the catalog nothing names any more.",
                ("gc", "gc_propose", "gc_withdraw"),
            ),
            Verb("ops", "ops", "The changes that were made, and by whom.", ("ops", "ops_diff")),
            Verb(
                "archive",
                "archive",
                "Copies of ops, kept elsewhere.",
                ("archive_status", "archive_run", "archive_prune", "archive_fetch"),
            ),
            Verb(
                "audit",
                "audit",
                "Prove, anchor or export the audit chain.",
                ("audit_verify", "audit_export", "audit_anchor"),
            ),
            Verb(
                "backup",
                "backup",
                "Copy the storage root elsewhere, and restore it.",
                ("backup_create", "backup_list", "backup_verify"),
            ),
            Verb(
                "identity",
                "identity",
                "Who you are here, and who else; keys, groups, delegation.",
                (
                    "identity_show",
                    "identity_list",
                    "identity_add",
                    "identity_add_human",
                    "identity_groups",
                    "identity_revoke",
                    "identity_rotate",
                    "identity_delegate",
                    "identity_recovery",
                    "identity_recover",
                ),
            ),
            Verb(
                "token",
                "token",
                "Bearer tokens: make, list, revoke.",
                ("token_create", "token_list", "token_revoke"),
            ),
            Verb("context", "context", "Clusters elsewhere, and which one is meant.", ()),
            Verb("doctor", "doctor", "What holds against whom on this machine.", ("doctor",)),
        ),
    ),
    (
        "Agents and help",
        (
            Verb("mcp", "mcp", "Serve the cluster to an agent over stdio.", ()),
            Verb("serve", "serve", "Serve the cluster over HTTP, with bearer tokens.", ()),
            Verb("agent", "agent", "Let a model work as an agent, on the record.", ()),
            Verb("eval", "eval", "Replay sessions of agents and score them.", ()),
            Verb("demo", "demo", "The whole thread on this machine's own packages.", ()),
            Verb("explain", "explain", "What a code, a rule or a term means.", ()),
            Verb("json-schema", "json_schema", "Forms of the outputs and of cluster.yaml.", ()),
            Verb("version", "version", "Print the version.", ()),
        ),
    ),
)
"""In the order in which `agentctl --help` shows them."""

VERBS: Final = {verb.name: verb for _, verbs in SECTIONS for verb in verbs}

LOCAL: Final = frozenset(
    {
        *("init", "fmt", "context", "mcp", "serve", "agent", "eval", "demo", "explain"),
        *("json-schema", "version"),
    }
)
"""Verbs that call no operation by themselves. Every other verb is a projection of the registry."""

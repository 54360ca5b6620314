"""Every operation of the runtime. What is not here cannot be called by anyone, through any face."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, get_args

from agentctl.domain.policy.request import ACTIONS
from agentctl_tools import (
    apply,
    approval_evidence,
    approval_review,
    approval_show,
    approval_wait,
    approvals_list,
    archive,
    audit,
    backup,
    branch_create,
    branch_delete,
    branch_merge,
    changesets,
    config_kept,
    config_read,
    config_search,
    decide,
    deps,
    doctor,
    draft_edit,
    drafts,
    explain,
    force_unlock,
    freezes,
    gc,
    graph_changes,
    graph_cleanup,
    graph_diff,
    graph_export,
    graph_optimize,
    graph_tag,
    graph_verify,
    graphs,
    identity,
    identity_changes,
    import_cluster,
    lint,
    load,
    load_rows,
    locks,
    mutate,
    notices,
    ops,
    ops_diff,
    plan,
    plan_show,
    policy,
    policy_ask,
    promoted,
    publish,
    queries,
    query,
    reconcile,
    refresh,
    request_approval,
    rollback,
    run_query,
    sandbox_open,
    sandbox_snapshot,
    sandbox_write,
    sandboxes,
    schema,
    schema_show,
    served,
    state,
    status,
    submit_decision,
    tokens,
    upgrade,
    validate,
)
from agentctl_tools.operation import Operation, OperationClass

_ALL: Final = (
    status.OPERATION,
    config_read.OPERATION,
    config_search.OPERATION,
    gc.LOOK,
    gc.PROPOSE,
    gc.WITHDRAW,
    config_kept.SHOW,
    config_kept.DIFF,
    config_kept.RESTORE,
    validate.OPERATION,
    deps.OPERATION,
    lint.OPERATION,
    plan.OPERATION,
    plan_show.OPERATION,
    policy.VALIDATE,
    policy.SCHEMA,
    policy_ask.EXPLAIN,
    policy_ask.TEST,
    policy_ask.SIMULATE,
    schema.OPERATION,
    schema_show.OPERATION,
    queries.OPERATION,
    promoted.OPERATION,
    query.OPERATION,
    run_query.OPERATION,
    served.SERVED,
    served.SCHEMA,
    served.COMMITS,
    mutate.OPERATION,
    ops.OPERATION,
    ops_diff.OPERATION,
    archive.STATUS,
    archive.RUN,
    archive.PRUNE,
    archive.FETCH,
    explain.OPERATION,
    approval_wait.OPERATION,
    draft_edit.OPERATION,
    drafts.LIST,
    drafts.SHOW,
    drafts.DIFF,
    drafts.DISCARD,
    sandbox_open.OPERATION,
    sandbox_write.OPERATION,
    sandbox_snapshot.SNAPSHOT,
    sandbox_snapshot.RESTORE,
    sandbox_snapshot.DIFF,
    sandboxes.LIST,
    sandboxes.SHOW,
    sandboxes.COMMANDS,
    sandboxes.CLOSE,
    sandboxes.SWEEP,
    changesets.MAKE,
    changesets.SHOW,
    changesets.REPLAY,
    publish.PUBLISH,
    publish.LIST,
    publish.SHOW,
    apply.OPERATION,
    rollback.OPERATION,
    request_approval.OPERATION,
    submit_decision.OPERATION,
    decide.OPERATION,
    approvals_list.OPERATION,
    approval_show.SHOW,
    approval_show.EXPORT,
    approval_evidence.OPERATION,
    approval_review.LIST,
    notices.OPERATION,
    approval_review.CLOSE,
    refresh.OPERATION,
    reconcile.OPERATION,
    import_cluster.OPERATION,
    locks.OPERATION,
    force_unlock.OPERATION,
    freezes.LIST,
    freezes.FREEZE,
    freezes.THAW,
    state.LIST,
    state.SHOW,
    state.DIFF,
    state.COLLECT,
    upgrade.OPERATION,
    load.OPERATION,
    load_rows.OPERATION,
    graphs.LIST,
    graphs.SHOW,
    graphs.RESTORE,
    graphs.PURGE,
    graphs.ERASE,
    branch_create.LIST,
    branch_create.CREATE,
    branch_merge.MERGE,
    branch_delete.DELETE,
    graph_diff.DIFF,
    graph_changes.CHANGES,
    graph_changes.BASELINE,
    graph_export.EXPORT,
    graph_tag.TAGS,
    graph_tag.TAG,
    graph_tag.UNTAG,
    graph_verify.VERIFY,
    graph_optimize.OPTIMIZE,
    graph_cleanup.WASTE,
    graph_cleanup.CLEANUP,
    audit.VERIFY,
    audit.EXPORT,
    audit.ANCHOR,
    backup.CREATE,
    backup.LIST,
    backup.VERIFY,
    identity.SHOW,
    identity.LIST,
    identity_changes.ADD,
    identity_changes.ADD_HUMAN,
    identity_changes.GROUPS,
    identity_changes.REVOKE,
    identity_changes.ROTATE,
    identity_changes.DELEGATE,
    identity_changes.RECOVERY,
    identity_changes.RECOVER,
    tokens.CREATE,
    tokens.LIST,
    tokens.REVOKE,
    doctor.OPERATION,
)

CONSENT_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "approve": "approval_decide",
        "deny": "approval_decide",
        "delegate": "principal_delegate",
        "revoke": "principal_revoke",
    }
)
"""Names by which people consent, and the action that a refused attempt is recorded under. None of
them is an operation; `decide` is."""


class UnclassifiedError(Exception):
    """An operation is declared without what the door decides by; the build fails on it."""


def checked(declared: tuple[Operation, ...]) -> Mapping[str, Operation]:
    """Returns the operations by name.

    Raises:
        UnclassifiedError: one of them has no class or no known action, or two have one name.
    """
    by_name: dict[str, Operation] = {}
    for operation in declared:
        if operation.operation_class not in get_args(OperationClass):
            msg = f"{operation.name} has no class"
            raise UnclassifiedError(msg)
        if operation.action not in ACTIONS:
            msg = f"{operation.name}: policy knows no action {operation.action}"
            raise UnclassifiedError(msg)
        if operation.name in by_name:
            msg = f"{operation.name} is declared twice"
            raise UnclassifiedError(msg)
        by_name[operation.name] = operation
    return MappingProxyType(by_name)


OPERATIONS: Final = checked(_ALL)
"""By name."""

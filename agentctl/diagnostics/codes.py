"""The one registry of diagnostic codes.

A code is stable: it is never renamed and never given a second meaning. Names come from
`spec/control-plane.md` 1.8 where it has one; new ones keep the spelling. `docs/diagnostics.md` is
generated from here, and `agentctl explain CODE` prints the entry.
"""

from typing import Final

import msgspec


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """What one code means, whatever place it is raised at."""

    name: str
    about: str
    """When it is raised, and what to do, in sentences."""


def _table(section: dict[str, str]) -> dict[str, Code]:
    return {name: Code(name=name, about=about) for name, about in section.items()}


_CONFIG: Final = {
    "config_dir_not_found": "The folder given with --config is not there or is no folder.",
    "cluster_config_read_error": "cluster.yaml is missing or cannot be read. `agentctl init` writes one.",
    "duplicate_yaml_key": "A key stands twice in one mapping; one of them would silently win.",
    "future_phase_field": "The field belongs to a part of agentctl that is not built yet. Take it out until then.",
    "removed_streaming_declaration": "`streaming` was removed from graphs; take it out.",
    "invalid_cluster_yaml": "cluster.yaml is no valid YAML, or has an unknown field or a value of the wrong type.",
    "unsupported_cluster_config_version": "`version` must be 1.",
    "empty_metadata_name": "`metadata.name` is blank; leave it out or name the cluster.",
    "unsupported_state_backend": "`state.backend` may only be absent or `cluster`.",
    "invalid_storage_root": "`storage` is blank, has an unknown scheme, or lacks a bucket.",
    "invalid_resource_id": "Ids of graphs, queries, policies and providers are `[A-Za-z_][A-Za-z0-9_-]*`.",
    "wrong_kind_reference": "A reference names a resource of another kind than the field takes.",
    "schema_file_missing": "The schema file that a graph names is not there.",
    "schema_parse_error": "The schema file breaks the grammar of `.pg`; the rule says where.",
    "schema_catalog_error": "The schema parses, but its declarations contradict each other.",
    "query_dir_unreadable": "The queries folder that a graph names cannot be read.",
    "query_dir_empty": "The queries folder holds no `.gq` file.",
    "query_file_missing": "A query file that a graph names is not there.",
    "query_parse_error": "A query file breaks the grammar of `.gq`; the rule says where.",
    "duplicate_query_name": "Two declarations of one graph have the same query name.",
    "query_key_mismatch": "The map form of `queries` names a query that its file does not declare.",
    "query_typecheck_error": "A query does not fit the schema of its graph; the rule is T1 to T24.",
    "query_lint": "A query is right, and probably not what was meant; the rule says which remark it is.",
    "omnigraph_refuses": "OmniGraph 0.10 does not have this and would refuse the folder.",
    "omnigraph_reads_otherwise": "OmniGraph 0.10 takes this too, and means something else by it.",
    "query_typecheck_skipped": "A query was not type-checked because its graph's schema has errors.",
    "not_supported_yet": "The text is right in the full language, but this release does not run it yet.",
    "policy_missing_applies_to": "`applies_to` of a policy is empty; name `cluster` or its graphs.",
    "dangling_graph_reference": "A reference names a graph that is not declared.",
    "policy_mixed_binding_kinds": "One policy bundle applies either to the cluster or to graphs, not to both.",
    "duplicate_policy_binding": "Two policy bundles are bound to one scope; split or merge them.",
    "policy_file_missing": "The file that a policy names is not there.",
    "policy_invalid": "The policy file has an unknown field, a wrong type, or a rule that does not fit its binding.",
    "policy_kind_deprecated": "`kind` in a policy file is deprecated; `applies_to` in cluster.yaml says what the policy is for.",
    "policy_not_enforced": "The policy is recorded as a resource; this release decides by its built-in rules and does not enforce bundles yet.",
    "path_outside_folder": "A path resolves, after symbolic links, outside the cluster folder, which only the operator at a terminal may use.",
    "path_not_config": "Only cluster.yaml and the files it names can be edited in a draft; no hidden part, no state, no data.",
    "graph_id_not_servable_by_omnigraph": "OmniGraph 0.10 would not serve a graph of this id; agentctl does.",
}

_FOLDER: Final = {
    "invalid_embedding_provider": "An embedding provider has an unknown kind, a blank model, or a `base_url` that is no http or https address.",
    "embedding_api_key_inline": "`api_key` of an embedding provider takes a reference `${NAME}`; a literal is refused and not repeated.",
    "embedding_api_key_required": "An embedding provider of any kind but `mock` needs an `api_key`.",
    "dangling_embedding_provider_reference": "A reference names an embedding provider that is not declared.",
    "invalid_external_blob_base": "A place for external blobs is no `s3://` or `file://` URI, is not there, or does not go with its scope.",
    "invalid_external_blob_policy": "Two places for external blobs overlap.",
    "external_blob_ingress_default_deny": "The graph allows no external blobs, which is the default.",
    "secret_inline": "A secret stands in cluster.yaml; it takes a reference `${NAME}`, and the literal is not repeated.",
    "env_file_tracked": "The file of secrets is tracked by git; take it out of the repository and give out new values.",
    "resource_file_missing": "The file that a pipeline or a dashboard names is not there.",
    "dangling_reference": "A reference names a resource that is not declared.",
    "ambiguous_reference": "A bare name could mean more than one resource; write a typed address.",
    "duplicate_reference": "A resource is listed twice where once is meant.",
    "reference_not_declared": "`protect` or an approval rule names a resource that is not declared; it may be a mistyped name.",
    "invalid_source_provider": "The fields of a source provider do not go with its kind.",
    "invalid_storage_provider": "The `uri` of a storage provider does not go with its kind.",
    "invalid_pipeline": "A pipeline does not fit the schema of the graph that it writes to.",
    "invalid_schedule": "A schedule is no five fields of cron, or is never due.",
    "invalid_embedding": "An embedding does not fit the schema of its graph.",
    "invalid_alias": "An alias gives a parameter that its query does not take.",
    "invalid_moved": "An entry of `moved` names two kinds, a source that is still declared, or a target that is not.",
    "invalid_forget": "An entry of `forget` is still declared, or is moved.",
}

_LEDGER: Final = {
    "frozen": "Commits of this scope are frozen until an enrolled human thaws it.",
    "freeze_not_found": "No freeze of that id, or over that scope, is in force.",
    "freeze_not_recorded": "A freeze or a thaw is in force and the ledger does not have it yet.",
    "revision_not_found": "The ledger has no object of that number, or has it no more.",
    "invalid_freeze_record": "A thaw in the storage root does not hold and is obeyed by nobody.",
    "state_missing": "The cluster has no ledger yet. `agentctl import` makes its first revision, `agentctl init` a whole new cluster.",
    "state_already_exists": "`import` makes the first revision only; this cluster has one. `agentctl refresh` observes again.",
    "invalid_state_json": "A ledger object is not what its format says.",
    "unsupported_state_version": "The ledger was written by a newer agentctl; use that version.",
    "conflicting_graph_manifest_observation": "An observation names the graph's version twice, under its old and its new key, and they differ.",
    "state_cas_mismatch": "state.json is not the text that the newest ledger object holds; the next writer repairs it.",
    "external_blob_policy_digest_mismatch": "The recorded digest of a graph cannot be made again from its recorded parts, so the ledger was changed by something else or is damaged; nothing is done.",
    "state_lock_disabled": "`state.lock: false` is accepted and changes nothing about safety.",
    "state_lock_held": "Another command holds the lease. Wait for it with `--wait SECONDS`, or see `agentctl locks`.",
    "state_lock_error": "The lease could not be taken.",
    "state_lock_read_error": "The lease's record could not be read.",
    "invalid_state_lock": "The lease's record is not what its format says; it ends when its time is over.",
    "unsupported_state_lock_version": "The lease's record was written by another version of agentctl.",
    "state_lock_missing": "There is no held lease to remove.",
    "state_lock_id_mismatch": "The held lease has another id than the one given; see `agentctl locks`.",
    "lease_lost": "The lease was taken over while this command ran; nothing more was written. Look at `agentctl status`, then run it again.",
    "storage_probe_failed": "The storage root does not make create-only writes exclusive, so a ledger on it would not be safe.",
    "storage_unavailable": "The storage root cannot be reached or written now.",
    "storage_credentials_expired": "The credentials for the storage root have expired or could not be renewed.",
    "storage_credentials_missing": "There are no credentials for the storage root, or it does not accept them.",
    "storage_denied": "The storage root does not let these credentials, or this user, do what was asked.",
    "storage_bucket_missing": "The bucket of the storage root is not there, or is in another region.",
    "storage_clock_skewed": "This machine's clock is too far from the storage's for a signed request.",
    "storage_throttled": "The storage root asks for fewer requests.",
    "storage_full": "The storage root has no room left.",
    "storage_refused": "The storage root does not accept the request; it may not be a storage that agentctl can use.",
    "storage_root_moved": "The folder names another storage root than the one it is bound to. Moving a cluster is a restore into the new root.",
    "audit_unavailable": "The audit record could not be written, so the action was refused.",
    "invalid_audit_anchor": "An anchor is of another cluster, or its signature does not hold.",
    "audit_anchor_not_written": "An anchor of the audit chain could not be written there.",
    "audit_anchor_unreadable": "No anchor of the audit chain could be read there.",
    "audit_chain_broken": "A record of the audit chain is missing, altered or out of order.",
    "principals_chain_broken": "A record of the principals chain is missing, altered, out of order or not validly signed.",
    "ledger_chain_broken": "A ledger object is missing, altered or out of order.",
    "idempotency_conflict": "The idempotency key was used before with other arguments.",
}

_APPLY: Final = {
    "schema_preview_unavailable": "The live graph could not be opened, so the migration cannot be previewed.",
    "schema_migration_unsupported": "The schema change has steps that no migration can make; the plan lists each.",
    "schema_rows_violate": "There are rows that the new schema does not permit; nothing was changed.",
    "schema_rename_invalid": "A `@rename_from` names nothing that could be renamed so; the rule says why.",
    "schema_rename_ignored": "A `@rename_from` stands on a name that is in force already; it has no effect.",
    "approval_stale": "An approval exists, but what it was given for has changed; ask again.",
    "approval_required": "The change waits for a human decision.",
    "graph_create_failed": "The graph could not be created.",
    "schema_apply_failed": "The schema could not be applied to the graph.",
    "graph_delete_failed": "The graph could not be detached.",
    "graph_create_skipped": "The graph was not created because an earlier step failed.",
    "schema_apply_skipped": "The schema was not applied because an earlier step failed.",
    "graph_delete_skipped": "The graph was not detached because an earlier step failed.",
    "graph_busy": "Another writer holds the graph's branch.",
    "resource_content_changed": "A file changed between validation and use; run the command again.",
    "resource_payload_write_error": "A payload could not be written to the catalog.",
    "apply_unsupported_change": "The change is deferred: no step of this release makes it.",
    "apply_dependency_blocked": "The change is blocked by another that was not applied.",
    "recreates_lost_graph": "The graph's root is gone; creating it again makes an empty graph, so it is gated like a delete.",
    "plan_stale": "What the plan was made from has moved; make a fresh plan.",
    "delete_and_create_alike": "A graph is deleted while another with the same schema is created; data does not move between them.",
    "invalid_plan_file": "The plan file is not what its format says, or was changed after it was made; make a fresh plan.",
    "plan_not_found": "There is no kept plan of that id that you may read.",
    "draft_base_moved": "The folder changed since the draft was opened; open a new draft from it.",
    "draft_not_found": "There is no open draft of that id.",
    "draft_edit_conflict": "The file in the draft is not what the edit expects; read it again.",
    "homecoming_conflict": "A file of the folder has neither its old nor its new content; put one of them back and run the command again.",
    "homecoming_settled": "An interrupted command had begun to write a draft's files into the folder; they were finished, or put back.",
    "applied_source_not_in_folder": "The applied revision came from a draft whose files are not what the folder holds now.",
    "outcome_unknown": "A step was started and its outcome could not be observed; run `agentctl refresh`.",
}

_RECOVERY: Final = {
    "cluster_recovery_pending": "An interrupted step is not settled yet; `agentctl apply` or `refresh` settles it.",
    "cluster_recovery_rolled_forward": "An interrupted step had happened; its record was completed.",
    "cluster_recovery_retired": "An interrupted step had not happened; its intent was withdrawn.",
    "graph_create_incomplete": "The graph's root holds something that the interrupted create did not write.",
    "graph_delete_incomplete": "A purge was interrupted; it goes on.",
    "recovery_sidecar_read_error": "A recovery sidecar cannot be read.",
    "invalid_recovery_sidecar": "A recovery sidecar is not what its format says.",
    "unsupported_recovery_sidecar_version": "A recovery sidecar was written by another version of agentctl.",
    "recovery_sidecar_write_error": "A recovery sidecar could not be written, so the step was not started.",
    "recovery_sidecar_cleanup_failed": "A finished recovery sidecar could not be removed; the next command does.",
    "catalog_payload_missing": "A recorded payload is not in the catalog; the next apply publishes it again.",
    "catalog_payload_mismatch": "A payload of the catalog does not have its digest; the next apply replaces it.",
    "catalog_payload_read_error": "A payload of the catalog cannot be read.",
    "graph_observation_error": "A graph could not be observed.",
    "graph_missing": "The ledger records a graph whose root is gone.",
    "schema_mismatch": "The live graph has another schema than the ledger records.",
}

_APPROVALS: Final = {
    "approval_not_required": "No change of the current plan for that resource waits for a decision.",
    "approval_not_found": "There is no approval request of that id.",
    "approval_ambiguous": "Several requests are open for that resource; name one by its id.",
    "approval_closed": "The request is decided, consumed or expired.",
    "approval_limit": "Too many requests are open for this principal or this cluster.",
    "approval_denied_recently": "The same change was denied within the last 24 hours and its effect has not grown beyond tolerance.",
    "approval_read_error": "An approval record cannot be read.",
    "invalid_approval_artifact": "An approval record is not what its format says, or its signature does not hold.",
    "unsupported_approval_version": "An approval record was written by another version of agentctl.",
    "human_key_missing": "No enrolled human key is at hand, so nothing can be signed. `agentctl init` makes one.",
    "human_key_unusable": "The human key cannot be read or unlocked.",
    "no_controlling_terminal": "A passphrase is read from the controlling terminal only, and there is none.",
    "signature_invalid": "The signature does not hold over the exact statement, or is not by an enrolled human.",
    "principal_refused": "The principals chain does not take that record: the message names the rule that it breaks.",
    "recovery_code_invalid": "The recovery code was not copied right, or is not this cluster's.",
    "human_key_unprotected": "A human key without a passphrase proves nothing where an agent has a shell of the same user.",
    "human_key_shared": "A human key that anybody else can read is no proof of a person.",
    "confirmation_mismatch": "What was typed is not the resource's name; nothing was signed.",
}

_DOOR: Final = {
    "denied": "Policy does not permit the action; the message names the principal, the action and the resource.",
    "human_only": "The operation is a human's consent; it has no projection here and is not done for anyone else.",
    "unknown_operation": "There is no operation of that name here.",
    "invalid_arguments": "The arguments do not have the form that the operation takes.",
    "intent_required": "A change needs an intent: why it is wanted, in words that are not blank.",
    "idempotency_key_required": "A change over MCP needs an idempotency key, so that a retry does not do it twice.",
    "policy_evaluation_error": "The policy could not be evaluated, so the action was denied.",
    "principal_not_found": "No principal of that id is enrolled.",
    "graph_extra_missing": "The graph engine is not installed. Run: pip install 'agentctl[graph]'",
    "query_not_found": "The applied revision has no such query, or you may not see it.",
    "graph_not_found": "The cluster has no such graph.",
    "op_illegal_transition": "An op cannot go from its status to the one asked for; a finished op never changes.",
    "op_not_found": "There is no op of that id.",
    "op_not_undoable": "The op did not succeed, or moved nothing that could be taken back.",
    "revision_not_found": "The ledger has no object of that number, or it was collected.",
    "revision_source_missing": "The files of an earlier revision are not whole in the catalog, or are read no more.",
    "revision_incomplete": "The source of an earlier revision does not give all that was in force then; the detail lists it.",
    "unknown_code": "There is no diagnostic code, rule or term of that name.",
    "format_file_unusable": "A file to format cannot be read or written, or is in neither language.",
    "unknown_output": "There is no output of that name; `agentctl json-schema` lists them.",
    "address_not_found": "The configuration declares no resource of that address.",
    "prompt_not_found": "There is no prompt of that name; the remedy lists the ones there are.",
    "prompt_slots_mismatch": "Every slot of a prompt must be filled, and nothing else given.",
    "internal_error": "This is a bug in agentctl. Please report it with the text above.",
    "eval_scenario_invalid": "The scenario or its tape is not what its format says.",
    "no_terminal": "The screen needs a terminal; there is none here.",
    "init_folder_not_empty": "`init` writes a new cluster into an empty folder only; in an existing one it leaves files alone.",
}

_GRAPH: Final = {
    "foreign_graph_format": "The graph's root was written by another program or a newer agentctl; it is never written here.",
    "graph_root_missing": "The graph's root is not there.",
    "graph_corrupt": "An object of the graph is not what its format says.",
    "graph_detached": "The graph is detached; `agentctl graph restore ID` brings it back until its time is over.",
    "graph_not_detached": "The graph is not detached.",
    "graph_purge_not_due": "The detached graph is kept until the time named; then it is purged.",
    "graph_restore_refused": "The graph cannot be restored: it was purged, or a newer graph of that id lives.",
    "read_set_conflict": "Another writer committed first; read the new head and try again.",
    "load_line_invalid": "A line of the input is not a row of the schema; nothing was loaded.",
    "load_key_violation": "Two rows have the same key, or a key already exists.",
    "load_endpoint_missing": "An edge names a node that is not there.",
    "load_value_invalid": "A value does not fit its property.",
    "load_file_missing": "The file to load is not there or cannot be read.",
    "param_missing": "A parameter without a value has no default and is not nullable.",
    "param_unknown": "The query declares no such parameter.",
    "param_invalid": "A parameter's value does not fit its declared type.",
    "query_too_large": "The query would join more rows on its way than fit in its bound of memory; narrow its match.",
    "sum_out_of_range": "An integer sum is beyond 2^53; it is refused rather than rounded.",
}

CODES: Final[dict[str, Code]] = _table(
    _CONFIG | _FOLDER | _LEDGER | _APPLY | _RECOVERY | _APPROVALS | _DOOR | _GRAPH
)
"""Every code, by name."""

"""Paragraphs for the codes of plan, apply, drafts and recovery. A code, then what happened, why it matters, what to do."""

from typing import Final

EXPLAINED: Final[dict[str, str]] = {
    "schema_preview_unavailable": (
        "A migration is previewed against the live graph, and the graph could not be opened. The "
        "plan shows that the schema changes but not by which steps, and the apply will look "
        "again. See whether the graph's root is reachable; `agentctl refresh` tells."
    ),
    "schema_migration_unsupported": (
        "The change of the schema has steps that cannot be carried out on data that is there, "
        "e.g. a new required property without a default, or a type that changes in place. All of "
        "them are listed, each with its entity and its rule (`OG-…`, which `agentctl explain` "
        "explains), and nothing of this schema is changed. Often a way in two steps exists: add "
        "a nullable property, fill it, require it later."
    ),
    "schema_rows_violate": (
        "The new schema permits less than the old one: a property that may no longer be null, an "
        "enum without one of its values, a range. The rows that are there were looked at just "
        "before it would have come into force, and some break it; the message counts them. "
        "Nothing was changed. Correct those rows, or let the schema permit them."
    ),
    "schema_rename_invalid": (
        "A `@rename_from` takes the data of an old name along, so it must be clear which data: a "
        "type or property of the schema in force, of the same kind and in the same type, that no "
        "other declaration has or takes. Here it is not, so what is which stays open and nothing "
        "of this schema is changed. The rule (`OG-RN-…`) says what is wrong; correct the name, or "
        "take the hint out to begin with an empty type or property."
    ),
    "schema_rename_ignored": (
        "The schema in force has the very name that the hint stands on, so nothing is renamed: a "
        "name that is equal always wins. That is how every schema looks after its rename was "
        "applied. Take the `@rename_from` out when you next edit the file."
    ),
    "approval_stale": (
        "An approval binds exactly what the human saw: the resource, its digests, the measured "
        "effect. Something of that has changed since, so the approval no longer speaks of what "
        "would happen. The message says which field moved. Ask again; the request shows the new "
        "facts."
    ),
    "approval_required": (
        "The change narrows, destroys or changes who may do what, so a human decides it first. "
        "The rest of the plan goes on without it. Ask with `agentctl approve` (over MCP the tool "
        "`approve`), and apply again after the decision."
    ),
    "graph_create_failed": (
        "The storage or the graph engine refused to create the graph; the detail holds its "
        "words. What came before in the same apply stands and is recorded, what depends on the "
        "graph waits. Mend the cause and run `agentctl apply` again."
    ),
    "schema_apply_failed": (
        "The graph engine refused or could not finish the schema change; the graph keeps its old "
        "schema, since a change is one commit. The detail holds the engine's words. Mend the "
        "cause and apply again."
    ),
    "graph_delete_failed": (
        "The graph could not be detached, so it lives on and the approval for it is not spent. "
        "The detail says why. Mend the cause and apply again."
    ),
    "graph_create_skipped": (
        "An earlier step of the same apply failed, so creating this graph was not tried. Nothing "
        "is wrong with it. Mend the failed step, and the next apply creates it."
    ),
    "schema_apply_skipped": (
        "An earlier step of the same apply failed, so this schema change was not tried; the "
        "graph is as it was. Mend the failed step, and the next apply makes it."
    ),
    "graph_delete_skipped": (
        "An earlier step of the same apply failed, so this deletion was not tried; the graph and "
        "its approval stand. Mend the failed step, and the next apply goes on."
    ),
    "graph_busy": (
        "A branch of a graph has one writer at a time, and somebody else is writing now. Nothing "
        "was changed. The same command may well work in a moment."
    ),
    "resource_content_changed": (
        "Between the plan's validation and its use the bytes of a file changed, so that what was "
        "checked is not what would be recorded. The step was not done. Run the command again; it "
        "reads the file as it is now."
    ),
    "graph_move_failed": (
        "A graph was to get another id, and under that id lies a graph that the ledger does not "
        "record. Nothing was renamed. A rename touches no data: the graph keeps its root, and the "
        "ledger says under which id it is known. Choose another id, or take the other root away."
    ),
    "draft_committed": (
        "The folder is in a git repository, so the applied draft became a commit on "
        "`agentctl/<draft>`, whose message has the intent, the plan and the op. The worktree and "
        "the index were left as they are. Merge the branch, so that the folder holds what is "
        "applied."
    ),
    "draft_commit_failed": (
        "The applied draft was to become a commit of the folder's git repository, and git "
        "refused: the message says why. Nothing was recorded in the ledger. Mend the repository "
        "(or the branch `agentctl/<draft>`, if somebody moved it) and apply the draft again."
    ),
    "applied_commit_not_merged": (
        "The newest applied revision came from a draft, as a commit on a branch of its own, and "
        "that commit is not part of main. Until it is merged the folder does not hold what is "
        "applied, and a plan of the folder proposes to take the draft's changes back."
    ),
    "disposal_proposed": (
        "`agentctl gc --propose` puts a list of catalog objects that nothing names any more before "
        "those who decide, and one such list waits already. It stands in each plan as the deletion "
        "of `catalog`: approve it and apply, or take it back with `agentctl gc --withdraw`."
    ),
    "graph_erase_failed": (
        "The past of a graph was to be erased: what was dropped from it, and what its older "
        "commits hold. The graph is not the one that it was proposed for, or could not do it; the "
        "message says why. Take the proposal back, or mend what it names and apply again."
    ),
    "graph_pinned": (
        "An erasure would take away commits of the graph that something keeps: an op that may go "
        "back to them, a branch that was cut from them, a tag. Nothing was erased. When the op does "
        "not need them any more its pins go; merge or delete the branch, and delete the tag; then "
        "the next apply erases."
    ),
    "apply_group_split": (
        "An apply group is applied whole or not at all, and one of its members failed after the "
        "graph of another had been moved. A graph is not moved back, for rows may have come in "
        "since; nor does the ledger record it before the rest is done, so that nobody sees half of "
        "the group. Its step is kept as after a crash, and its approval is not used up. Mend what "
        "the failed step names and apply again: all of the group is recorded then."
    ),
    "interrupted": (
        "Somebody pressed Ctrl-C, or the process was told to end. The step that had begun was "
        "finished, no further one was begun, and what was done is recorded like that of any "
        "apply; its op has failed, and says so. Where the command came with recovery actions, "
        "what was done is taken back instead and nothing is recorded. Where nothing had been "
        "done, the op is cancelled. The exit code is 130. Run the command again for the rest. "
        "Pressed twice, the command leaves at once, as after a crash, and the next one settles "
        "what it had begun."
    ),
    "resource_payload_write_error": (
        "The content of a resource (a query, a policy) could not be put into the catalog of the "
        "storage root. The ledger never records a resource whose payload is missing, so this one "
        "is not applied. Make the root writable and apply again."
    ),
    "apply_unsupported_change": (
        "The change is right and no step of this release carries it out, so it is deferred: "
        "planned, shown, and left undone while the rest is applied. `converged` stays false, so "
        "that nothing is silent. It is taken up by the release that has the step."
    ),
    "apply_dependency_blocked": (
        "The change needs another one first (a query its schema, a schema its graph), and that "
        "one was not made: it failed, waits for a decision, or is deferred. The message names "
        "it. Settle that one and apply again."
    ),
    "recreates_lost_graph": (
        "The ledger records a graph whose root is gone. Creating it again makes an empty graph "
        "under the old name, and everybody would take it for the old one. So it is gated like a "
        "deletion. If the data can be restored from a backup, do that first, then `agentctl "
        "refresh`."
    ),
    "plan_stale": (
        "A plan is a value with a digest, made from one state of the folder, the ledger and the "
        "graphs. One of them has moved so that a fresh plan would do something else. The message "
        "says what moved. Look at a fresh plan and apply that.\n\n"
        "    agentctl plan"
    ),
    "delete_and_create_alike": (
        "The plan deletes one graph and creates another with the same schema. That looks like a "
        "rename, but the new graph begins empty: data does not move between them. Where a rename "
        "is meant, declare it under `moved`, and nothing is deleted."
    ),
    "invalid_plan_file": (
        "The plan file is no plan, or its digest does not fit its content, so it was changed "
        "after it was made. An apply from it could do what nobody looked at. Make a fresh one "
        "with `agentctl plan --out FILE`."
    ),
    "plan_not_found": (
        "Kept plans are named by their digest and belong to the principal they were made for; "
        "there is none of that name for you. It may never have been kept (`--out`, or a plan "
        "over MCP, keeps it) or has been collected. Make a fresh plan."
    ),
    "draft_base_moved": (
        "A draft holds edits over the folder as it was when the draft was opened, and the folder "
        "has changed since. Bringing it home could undo somebody else's edit. Open a new draft "
        "from the folder as it is now and make the edits again; `agentctl draft diff` shows them."
    ),
    "draft_not_found": (
        "There is no open draft of that id that you may use: it was applied, discarded, never "
        "there, or is another agent's. `agentctl draft list` shows yours."
    ),
    "draft_edit_conflict": (
        "The edit says what it expects to find (a passage, the lines around a patch, a digest), "
        "and the file in the draft holds something else. Nothing was changed. Read the file "
        "again and make the edit from what it holds now."
    ),
    "homecoming_conflict": (
        "When a draft has been applied its files are written into the folder. A file there has "
        "neither the content from before nor the new one, so somebody edited it in between, and "
        "neither version is overwritten. Put one of the two back and run the command again."
    ),
    "homecoming_settled": (
        "An earlier command was interrupted while it wrote a draft's files into the folder. This "
        "one has finished that, or put the old files back; the message says which. There is "
        "nothing to do."
    ),
    "applied_source_not_in_folder": (
        "A draft was being applied when its command was interrupted, so that the ledger may hold "
        "what the folder does not hold yet. A plan of the folder would take the draft's changes "
        "back. `agentctl apply` finishes the homecoming, or puts the files back, before anything "
        "else."
    ),
    "outcome_unknown": (
        "A step was started and whether it happened could not be observed, e.g. because the "
        "store went away in the middle. It is recorded as unknown, never as done or undone. "
        "`agentctl refresh` looks again and settles it."
    ),
    "cluster_recovery_pending": (
        "A command died between its intent and its record, and what it began is not settled. "
        "Nothing is lost: the intent is on record. The next command that writes (`agentctl "
        "apply`, `agentctl refresh`) looks at what happened and completes or withdraws it."
    ),
    "cluster_recovery_rolled_forward": (
        "A step of an interrupted command had happened, and only its record was missing; this "
        "command wrote it. The ledger and the graphs agree again. There is nothing to do."
    ),
    "cluster_recovery_retired": (
        "A step of an interrupted command had not happened; its intent was withdrawn. The "
        "cluster is as it was before it. Run the interrupted command again if its change is "
        "still wanted."
    ),
    "graph_create_incomplete": (
        "An interrupted command was creating this graph, and its root holds objects that the "
        "step did not write. They may be somebody's data, so nothing is removed or written over. "
        "Look at the root, move away what is foreign, and run `agentctl apply` again."
    ),
    "graph_delete_incomplete": (
        "The purge of a detached graph did not finish. Once its commit `purge` is there, the graph "
        "cannot be restored any more; the next command that writes goes on removing. There is "
        "nothing to do."
    ),
    "recovery_sidecar_read_error": (
        "A recovery record says what an interrupted step intended, and it cannot be read. Until "
        "it can, the resources it speaks of are not touched. Check the rights of `__cluster/` in "
        "the storage root."
    ),
    "invalid_recovery_sidecar": (
        "A recovery record is not of its form: cut short, or written by something else. What it "
        "intended is not guessed; it is kept as it is and told. Look at the graph it names with "
        "`agentctl status`, then move the record away."
    ),
    "unsupported_recovery_sidecar_version": (
        "A newer agentctl left a recovery record that this one does not understand, so its step "
        "is not settled here. Run a command with that version once."
    ),
    "recovery_sidecar_write_error": (
        "Each step writes its intent before it begins. That record could not be written, so the "
        "step was not started: nothing could have told what it was about after a crash. Make the "
        "storage root writable and apply again."
    ),
    "recovery_sidecar_cleanup_failed": (
        "The step is done and recorded; only its recovery record could not be removed. It does "
        "no harm, and the next command that writes removes it."
    ),
    "catalog_payload_missing": (
        "The ledger records a resource by its digest, and its content is not in the catalog. "
        "Serving it from there fails, while planning goes on. The next apply from a folder that "
        "holds the same content publishes it again."
    ),
    "catalog_payload_mismatch": (
        "An object of the catalog does not have the digest that is its name, so it was damaged "
        "or altered. It is never used. The next apply from a folder that holds the right content "
        "replaces it."
    ),
    "catalog_payload_read_error": (
        "An object of the catalog is there and cannot be read now. Nothing is concluded from "
        "that. Check the store and run the command again."
    ),
    "graph_observation_error": (
        "What a live graph holds could not be observed, so drift and migrations of it are not "
        "known. Other graphs are not affected. The detail holds the engine's words; `agentctl "
        "refresh` tries again."
    ),
    "graph_missing": (
        "The ledger records a graph and its root is gone: removed by hand, on another disk, or "
        "lost. Its data cannot be made again from here. Restore the root from a backup and run "
        "`agentctl refresh`; creating it empty is gated like a deletion."
    ),
    "schema_mismatch": (
        "The live graph carries another schema than the ledger records, so something else has "
        "changed it. A plan compares with what is really there. `agentctl refresh` records it, "
        "and the plan then shows how to get back to the folder's."
    ),
    "reconcile_no_progress": (
        "`agentctl reconcile` planned, applied, and the next plan was as before: what was to be "
        "applied was held by something that no plan sees, a busy graph for one. It waits longer "
        "each time. `agentctl apply` says what holds it."
    ),
    "git_commit_unreadable": (
        "A ref was named and git gives no commit for it, or the commit has no `cluster.yaml` where "
        "the folder lies. See `git log -1 REF` there; a remote ref has to be fetched first. Files "
        "outside the folder and links are not followed in a commit."
    ),
    "graph_rewound": (
        "The newest commit of the graph is an older one than the ledger saw: an old copy of its "
        "root was put back, or the root was made anew. What came after is gone from here. Restore "
        "the newer root from a backup and run `agentctl refresh`, if it matters."
    ),
    "graph_undeclared": (
        "The storage holds a root that the folder does not declare and the ledger does not record. "
        "Nothing adopts it by itself. Declare the graph in `cluster.yaml` and run `agentctl "
        "refresh`, or remove the root."
    ),
    "graph_root_renamed": (
        "The folder declares a graph that the ledger does not record, and a root of another name "
        "has it on record that its graph was renamed to that. The ledger was lost, or was told to "
        "forget the graph. `agentctl import` and `agentctl refresh` record the graph where it "
        "lies; a plan only tells of it, and no empty graph of its name is made beside it."
    ),
    "graph_returned": (
        "`agentctl graph restore` brought a graph back and broke off before the ledger was told. "
        "`agentctl refresh` records it as it was before its deletion, with its queries, and takes "
        "it off the list of what is purged. Where the folder does not declare it, the next plan "
        "proposes its deletion again, which asks again."
    ),
    "graph_tombstone_rebuilt": (
        "A graph is detached and the ledger did not know that it was deleted, because the ledger "
        "was lost in between. It is recorded now, so that `agentctl graph restore ID` works. Its "
        "data is not purged: the approval of its deletion is not on record."
    ),
    "ledger_rebuilt": (
        "`import` made a ledger over graphs that were there: one was lost before. Graphs and their "
        "schemas are recorded as they are. Queries, policies, providers and settings are applied "
        "again from the folder, behind their gates. Approvals and audit records cannot be made "
        "again; the message says which of them are there."
    ),
}

"""Codes about ops and going back: why each is told, and what to do."""

from typing import Final

EXPLAINED: Final = {
    "graph_revert_refused": (
        "Going back makes what an earlier commit named the newest again, so that commit has to be "
        "of the same graph, has to hold one, and all its data has to be there. It does not: it was "
        "never made, it is a tombstone, it belongs to an earlier graph of that id, or what it "
        "names was collected. Nothing was changed. `agentctl graph show ID` lists the commits."
    ),
    "archive_unavailable": (
        "restic or kopia could not be run, did not end in time, or refused: the place is out of "
        "reach, the password is missing or another one. No op fails for that; what is to be "
        "archived waits as `pending` and a later sweep tries again. `agentctl archive run` tries "
        "now and tells the tool's words."
    ),
    "archive_id_missing": (
        "A snapshot counts only by the id that the tool's own JSON gives and its listing repeats. "
        "Here it is not there although the tool ended well, so nothing is claimed. Look at the "
        "tool's release and at its repository, then run `agentctl archive run`."
    ),
    "archive_unverified": (
        "Everything that is archived is read back and compared before it is called archived. This "
        "snapshot gave back something else, so it does not count, and what was to be archived "
        "waits. Check the repository with the tool's own `check`."
    ),
    "archive_not_configured": (
        "Archives are off until `ops.archive` in cluster.yaml names a place and that was applied, "
        "which is gated: it changes what can be undone and proved."
    ),
    "constraint_failed": (
        "Whoever asked for the change also asked for gates: a lock, a kept plan, a healthy "
        "resource, a backup, a proof that it can be restored. All of them are looked at before "
        "anything is done, and some said no. Nothing was changed; what other gates made, a pin "
        "for one, is named in the op. Mend what the detail lists and run the command again."
    ),
    "constraint_invalid": (
        "A gate is a kind, a resource and parameters of its kind. This one names no resource, has "
        "a parameter that its kind does not take, or a value that is none. Nothing was done."
    ),
    "op_has_no_snapshot": (
        "An op records digests and positions when it begins and, once it succeeded, when it ends. "
        "This one failed, was cancelled or is still at work, so there is nothing to compare with. "
        "`agentctl ops show ID` tells how it stands."
    ),
    "op_not_undoable": (
        "Undoing an op means reaching the state that it began from, so there has to be one: an op "
        "that failed or that recorded nothing moved no definition, and before the first revision "
        "there was no cluster. A branch that was deleted since, or whose data a cleanup let go of, "
        "does not go back either. `agentctl ops log --graph` shows which ops moved what; `agentctl "
        "rollback --to SEQ` goes to a ledger object by its number."
    ),
    "revision_not_found": (
        "A rollback goes to an object of the ledger. That number was never written, or it lies "
        "below what is kept: the newest hundred objects always stay. `agentctl ops log --graph` "
        "names the object that each op wrote."
    ),
    "revision_source_missing": (
        "Every applied revision's files are kept in the catalog and hashed again when they are "
        "used. Of this revision some are gone, damaged, or in a form that this release does not "
        "read, so that it cannot be wanted again from here. A folder that holds the same files, "
        "from version control for example, reaches it with a plain apply."
    ),
    "revision_incomplete": (
        "What is in force can differ from what a folder said: a change waited for a decision, a "
        "step failed, a payload was lost. The rollback takes each file as it was in force and "
        "leaves out what had not been applied. What the detail lists could not be had that way; "
        "the plan shows what becomes of it."
    ),
}

"""Paragraphs for the codes of the ledger, its lease and its storage root. A code, then what happened, why it matters, what to do."""

from typing import Final

EXPLAINED: Final[dict[str, str]] = {
    "state_missing": (
        "The ledger is the record of what has been applied, and this storage root has none. "
        "Looking at the folder works without one; whatever compares with deployed reality does "
        "not. Make its first revision with `agentctl import` where graphs are there already, or "
        "with `agentctl init`."
    ),
    "state_already_exists": (
        "`import` writes the first revision of a ledger, once; a second one would forget what "
        "has been applied since. Nothing was written. To look at the live graphs again use "
        "`agentctl refresh`."
    ),
    "frozen": (
        "Somebody froze the cluster or this graph, so that nothing of it is committed: no apply, "
        "no load, no refresh, by nobody. What stands is served as before, and looking, planning "
        "and asking go on. A freeze with an end lifts itself then; any other ends when an "
        "enrolled human signs `agentctl thaw` at their terminal."
    ),
    "freeze_not_found": (
        "What was to be thawed is not frozen: it was thawed already, ended by itself, or is "
        "frozen under another id. Nothing was changed. `agentctl freeze --list` shows what holds."
    ),
    "freeze_not_recorded": (
        "A freeze and a thaw hold from the moment their own record is there, also while another "
        "command is at work. The ledger, too, records them, and that needs the cluster's lease, "
        "which somebody else has. Nothing is to be done: the next command that writes does it."
    ),
    "format_too_new": (
        "Every persistent format has a number, and this object's is higher than what this release "
        "was built for. It might be misread, so nothing of it is believed. `docs/formats.md` has "
        "the numbers of this release; use the one that wrote the object, or a newer one."
    ),
    "format_unreadable": (
        "`upgrade --check` looks at a few objects of every format, and this one is damaged, has no "
        "number, or has a name that no format uses. Nothing was changed. The commands that need "
        "the object tell more; where it came from somewhere else, move it out of the root."
    ),
    "revision_not_found": (
        "The ledger counts its objects from 1 and keeps at least the newest hundred; the number "
        "that was asked for was never given out, or its object has been collected since. Nothing "
        "can be shown, compared with or gone back to there. `agentctl state list` shows the rest."
    ),
    "invalid_freeze_record": (
        "A freeze ends by a record that an enrolled human has signed, and one was found whose "
        "signature, key or cluster is not right. The freeze goes on as if it were not there. "
        "Find out who wrote it; to end the freeze, thaw it at a terminal."
    ),
    "invalid_state_json": (
        "A ledger object or `state.json` is no JSON of the form that its version has: damaged, "
        "cut short, or written by something else. It is not guessed at. The numbered objects "
        "under `__cluster/` are the truth and `state.json` a copy, which the next writer makes "
        "again; where an object itself is damaged, restore it from a backup."
    ),
    "unsupported_state_version": (
        "The ledger carries a version that this agentctl does not know, so a newer one has "
        "written it. An older program that wrote to it could drop what it does not understand, "
        "so it only says so. Use the newer version."
    ),
    "conflicting_graph_manifest_observation": (
        "An observation names the version of a graph's manifest under its old key and under its "
        "new one, and the two differ. One of them is wrong, and a plan made from the wrong one "
        "would compare with the wrong state. `agentctl refresh` observes the graph again."
    ),
    "state_cas_mismatch": (
        "`state.json` is a copy of the newest ledger object for other programs to read, and it "
        "holds another text: an interrupted write, or an edit by hand. Decisions are made from "
        "the numbered objects only. The next command that writes repairs the copy."
    ),
    "external_blob_policy_digest_mismatch": (
        "A graph's recorded digest is made of its parts (schema, queries, provider, blob "
        "policy), and the recorded parts do not give it. So the ledger was changed by another "
        "program or is damaged, and a plan from it could destroy what it does not see. Nothing "
        "is done. Compare with a backup, or find who else writes to this root."
    ),
    "state_lock_disabled": (
        "`state.lock: false` turns the lock off in OmniGraph. Here every write is guarded by the "
        "order of the ledger itself, whatever the field says, so it is accepted and changes "
        "nothing. Take it out so that nobody relies on it."
    ),
    "state_lock_held": (
        "One command at a time writes to a cluster, under a lease that its holder renews, and "
        "somebody else holds it now. Nothing was changed. Wait with `--wait SECONDS`, see the "
        "holder with `agentctl locks`, and only where that process is surely gone remove the "
        "lease by its id with `agentctl force-unlock`. A lease that is not renewed ends by "
        "itself."
    ),
    "state_lock_error": (
        "The lease could not be taken or renewed, because the storage root did not do what was "
        "asked. Nothing is written without it. See whether the root is reachable and writable."
    ),
    "state_lock_read_error": (
        "The record of the lease is there and cannot be read, so who holds it is not known. "
        "Commands that look go on and say so; commands that write stop. Check the store's rights."
    ),
    "invalid_state_lock": (
        "The record of the lease is not of its form, e.g. cut short by a crash. It is treated as "
        "a lease of an unknown holder and ends when its time is over; after that the next writer "
        "replaces it."
    ),
    "unsupported_state_lock_version": (
        "The lease was written by another version of agentctl, whose rules for renewing may "
        "differ. It is honoured until its time is over and never taken over earlier. Use one "
        "version for one cluster."
    ),
    "state_lock_missing": (
        "`force-unlock` was asked to remove a lease and there is none: it was released or has "
        "ended since you looked. There is nothing to do; run the command that you wanted to run."
    ),
    "state_lock_id_mismatch": (
        "`force-unlock` takes the id of the lease that you looked at, and another one is held "
        "now. Removing it would take the lease from somebody who has just begun. Look again with "
        "`agentctl locks`."
    ),
    "lease_lost": (
        "This command was so slow or paused for so long that its lease ended and another command "
        "took it. Each later write is refused by a fence, so the two did not mix. Look at "
        "`agentctl status` to see what the other one did, then run yours again."
    ),
    "storage_probe_failed": (
        'A ledger is safe only where "create this object unless it is there" is exclusive: of '
        "two writers exactly one wins. The probe at the storage root showed otherwise, as on "
        "some network file systems. No cluster is opened there. Use a local disk or a store that "
        "keeps that promise."
    ),
    "storage_unavailable": (
        "The storage root cannot be reached or written now: no space, no rights, no connection. "
        "What was recorded before stands; nothing is half recorded. The detail holds the store's "
        "own words. Mend it and run the command again."
    ),
    "storage_root_moved": (
        "The first command in a folder binds it to its storage root, and `cluster.yaml` names "
        "another one now. Going on would plan every graph as new and leave the old ones behind. "
        "Put the old root back. Moving a cluster for good is a restore into the new root."
    ),
    "audit_unavailable": (
        "Each write and each decision is recorded in the audit chain before it is done, and that "
        "record could not be written. What nobody could prove later is refused. Make the storage "
        "root writable and try again."
    ),
    "invalid_audit_anchor": (
        "An anchor says what the audit chain was and whose word that is. This one names another "
        "cluster, or claims a signature that does not hold or is of nobody here, so it proves "
        "nothing and somebody may have put it there. Ask whoever keeps it where it came from."
    ),
    "audit_anchor_not_written": (
        "The place for the anchor did not take it: no git repository with a commit, a tag of that "
        "length that is there already, a file that cannot be written, or a URL that refused. The "
        "chain is as it was. Name another place; a tag of the same length says the same already."
    ),
    "audit_anchor_unreadable": (
        "Anchors were asked for, and at that place there is none to be read. Verification stops "
        "here and does not go on without: it would claim less than you asked. Mend the place, or "
        "leave it out."
    ),
    "backup_place_unfit": (
        "The place for the backup lies inside the storage root that it is a copy of, so whatever "
        "takes the one takes the other. Name a folder on another disk, or another bucket."
    ),
    "backup_not_found": (
        "The place was read and holds no backup of that id. `agentctl backup list` shows those "
        "that it holds; a backup that broke off is not among them, and the next one goes on "
        "where it stopped."
    ),
    "backup_damaged": (
        "Every object of a backup lies under its own digest, and the chains in it prove each "
        "other. Here something is missing or has other bytes, so this backup cannot be restored "
        "whole. Use another one, and find out who can write to that place."
    ),
    "restore_root_not_empty": (
        "A restore makes a new cluster and never mixes with what is there. The storage root that "
        "cluster.yaml names holds something already. Name an empty one; a restore that broke off "
        "goes on when the same backup is asked for again."
    ),
    "audit_chain_broken": (
        "Each audit record carries the digest of the one before. This one is missing, out of "
        "order, or not what its successor says it was, so somebody or something changed it "
        "afterwards. The message names the record. What comes before it is proved; keep the "
        "store as it is and find out what happened."
    ),
    "principals_chain_broken": (
        "Who may sign is an append-only chain of signed records, and one of them is missing, "
        "altered, out of order, or not signed by whom it must be. No consent can be checked "
        "against such a chain, so nothing that needs one is done. Restore the record from a "
        "backup."
    ),
    "ledger_chain_broken": (
        "Ledger objects are numbered and each carries the digest of the one before; here the row "
        "does not close. What is applied is therefore not known for sure, and nothing is "
        "planned. Restore the missing or altered object from a backup."
    ),
    "idempotency_conflict": (
        "An idempotency key stands for one change: sent twice with the same arguments it does "
        "that change once. This key came before with other arguments, so it is not clear what "
        "was meant. Choose a new key for a new change."
    ),
}

"""Codes of the store of sandboxes: why each is told, and what to do."""

from typing import Final

EXPLAINED: Final = {
    "sandbox_record_not_found": (
        "The store of sandboxes has no record of that id or name: it was never written, or it is "
        "one of another store. Nothing was changed. `agentctl sandbox list --deleted` shows what "
        "was destroyed too."
    ),
    "sandbox_record_exists": (
        "Some things are there once: a name among living sandboxes, a snapshot's name in its "
        "sandbox, the difference of two snapshots, the change set of a job, the name of a "
        "playbook. The message says which one is taken. Nothing was changed; take another name, "
        "or read what is there."
    ),
    "sandbox_record_conflict": (
        "A sandbox and a publication move by a table of states. Either no move leads from where it "
        "stands to where it was to go, or somebody else moved it meanwhile. Nothing was changed. "
        "Read it again and decide anew."
    ),
    "sandbox_record_invalid": (
        "The record or the request has a value that the store does not take: an unknown order, a "
        "time of another form, a zero byte, a list that is no permutation. The message names the "
        "field. Nothing was changed."
    ),
    "sandbox_store_read_only": (
        "The store of sandboxes was opened for reading, so everything that would change it is "
        "refused, migrations too, before the database is asked. Run the command where the store "
        "may be written."
    ),
    "sandbox_store_url_invalid": (
        "The history of sandboxes is kept in a file by SQLite or in PostgreSQL, and the URL says "
        "where. This one is neither, or cannot be read; it is not repeated, as it may hold a "
        "password.\n\n"
        "    sqlite:////var/lib/agentctl/sandboxes.db\n"
        "    postgresql://agentctl@db.example/sandboxes"
    ),
    "sandbox_store_unavailable": (
        "The database did not answer, refused the connection, or failed at what it was asked. What "
        "was under way was rolled back. The history of sandboxes waits for it; what exists is in "
        "the storage root and is not touched. Look at the database and try again."
    ),
    "sandbox_store_newer": (
        "The tables were made by a later release of agentctl, and this one does not know what is "
        "in them, so it neither reads nor writes. Use that release, or another database."
    ),
    "sandbox_store_outdated": (
        "The tables are missing or of an earlier release, and the store was opened for reading, or "
        "without leave to change them. Open it once with that leave; two processes that do so at "
        "once are safe."
    ),
    "sandbox_no_capacity": (
        "A sandbox of a machine is carried by a host that was heard of lately and has processors, "
        "memory and storage left. None is; the detail tells what each lacks. Destroy sandboxes that "
        "nobody needs, ask for a smaller one, or add a host."
    ),
}

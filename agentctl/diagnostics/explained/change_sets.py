"""Paragraphs for the codes of change sets. A code, then what happened, why it matters, what to do."""

from typing import Final

EXPLAINED: Final[dict[str, str]] = {
    "change_set_conflict": (
        "The patch of a change set is applied exactly or not at all, because a change that lands "
        "elsewhere than its author meant is worse than none. One hunk of it expects other lines "
        "than the file has, or a file that is or is not there; the message names the file and the "
        "hunk. Nothing was changed. Somebody edited the folder since: open a sandbox over it as it "
        "is now, make the change there, and make the change set from that one."
    ),
    "change_set_not_text": (
        "A change set says what differs as a patch of lines, which people read before they merge "
        "it. A file of the sandbox differs from the base and is not text in UTF-8. Write it as "
        "text, or leave it as it is and bring it home by itself."
    ),
    "change_set_diverged": (
        "Before a change set is used, its patch is applied to a fresh copy of the base, and the "
        "files are loaded: they must have the digests that the sandbox had when it was made. They "
        "have not, so what was tried is not what would be merged. The base is another one, or the "
        "change set was edited; make it again from the sandbox."
    ),
    "change_set_not_found": (
        "A change set is named by the digest of its own bytes, and kept in the storage root for "
        "good. There is none of that digest here, or what lies under its name has another digest. "
        "`agentctl changeset make` gives the digest of a sandbox's change set."
    ),
    "change_set_invalid": (
        "A change set leads from files that load to files that load. Those of the sandbox, or those "
        "that it was opened with, have errors, or the sandbox was changed by somebody else while "
        "its change set was made. Mend what `validate` tells inside, and make it again."
    ),
    "change_set_exists": (
        "Each sandbox has one change set, so that what was reviewed, published and merged is one "
        "thing under one digest. This sandbox has its own already; the message names it. To change "
        "more, open another sandbox."
    ),
    "change_set_stale": (
        "Somebody went on working in the sandbox after its change set was made, so the change set "
        "is not what the sandbox holds now. What would be published is either less than was tried "
        "or never tried. Publish the change set by its digest, or open another sandbox."
    ),
    "sandbox_merge_refused": (
        "The rows of a graph come home by a merge of the sandbox's branch into `main`. That needs a "
        "graph that was lent to the sandbox and is still the same one. A graph that was made in the "
        "sandbox comes home by its declaration and a load. A merge into a protected graph is proposed "
        "first, and an apply carries it out when a human has approved; where the sandbox ended in "
        "between, the graph is another one, or rows are in conflict by then, nothing is merged, and "
        "the proposal stands until somebody takes it back or proposes anew."
    ),
    "sandbox_merge_waits": (
        "Definitions come home by the change set: through the folder, a plan and an apply. Rows "
        "follow when the real graph has the schema that they were written under; a merge never "
        "brings a schema along. Apply the change first, then merge."
    ),
}

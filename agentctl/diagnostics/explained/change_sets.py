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
}

"""Paragraphs for sandboxes that are virtual machines. A code, then what happened, why it matters, what to do."""

from typing import Final

EXPLAINED: Final[dict[str, str]] = {
    "machine_unavailable": (
        "Sandboxes of the provider `vm` are machines of qemu. A program of it is not installed, or "
        "ended with the words that the message has. Nothing is half done. Install Debian's packages "
        "qemu-system-x86 and qemu-utils, or mend what the message names, and repeat the call."
    ),
    "machine_silent": (
        "Commands reach a machine over a serial line, where an agent of the golden image answers. "
        "It did not answer in time, or with something that is no answer; nobody can tell what goes "
        "on in the machine, so it was switched off. What it had written to its disk is kept: start "
        "it again, restore a snapshot, or destroy it. The last words of its console are in the message."
    ),
    "machine_busy": (
        "A machine does one thing at a time: a command, a snapshot, a start or a stop. Another "
        "process or task is at it. Wait for that one to end, or destroy the sandbox, which does "
        "not wait."
    ),
    "machine_source_changed": (
        "The disk of a machine holds only what differs from its golden image. The image was "
        "changed or replaced since the machine was made, so what the machine would read is neither "
        "the old nor the new. Put the image back as it was, or destroy the sandbox and make it "
        "anew. Give a new image a new file."
    ),
    "machine_source_unprepared": (
        "A source machine is prepared for one authority of SSH certificates, whose fingerprint is on "
        "record. The authority was replaced since, or the machine was never prepared, so nobody "
        "knows whether sandboxes that are copies of it work. Prepare it again: `agentctl sandbox "
        "prepare NAME`."
    ),
    "machine_snapshot_exists": (
        "A snapshot is never written over: its name is unique within the machine, of one to 64 "
        "letters, digits, dots, dashes and underscores. Choose another name; another machine may "
        "have one of the same name."
    ),
}

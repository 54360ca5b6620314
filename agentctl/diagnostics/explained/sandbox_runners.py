"""Paragraphs for what runs commands in a sandbox. A code, then what happened, why it matters, what to do."""

from typing import Final

EXPLAINED: Final[dict[str, str]] = {
    "readonly_command_refused": (
        "A command line that only reads may hold commands of a fixed list, joined by pipes, with "
        "arguments that were looked at one by one. This one holds something else: another command, "
        "an argument by which a command writes or starts another, a redirection, a substitution or "
        "a second line. It was refused before anything was sent. The message names the segment and "
        "the reason; write a line that only reads, or work in a sandbox, where anything may be run."
    ),
    "sandbox_not_found": (
        "A call named a sandbox that is not there, that ended, whose time is over, or that somebody "
        "else opened: to an agent those look the same. Nothing was done. List your own and name one "
        "of them, or open another:\n\n    agentctl sandbox list"
    ),
    "sandbox_exists": (
        "A draft becomes a sandbox once, and names of living sandboxes are unique. Use the one that "
        "is there, or open one under another name."
    ),
    "sandbox_not_opened": (
        "One of the steps that open a sandbox failed, or the folder is one that no sandbox can hold "
        "a copy of. The message names the step and why. What was made until then was taken away "
        "again, so the same call may be repeated."
    ),
    "sandbox_not_ended": (
        "A sandbox is over, and its branches and objects are taken away. One step of that failed; "
        "the message says which. Nobody can use the sandbox meanwhile, other sandboxes are not kept "
        "waiting, and the next sweep, a minute later or at the next start, goes on with it."
    ),
    "sandbox_snapshot_name": (
        "The name of a snapshot is letters, digits, dots, hyphens and underscores, at most 64, and "
        "begins and ends with a letter or digit. `base` is the sandbox as it was opened and `now` "
        "as it is, so nothing else is called that. Nothing was kept."
    ),
    "sandbox_snapshot_exists": (
        "Names of snapshots are unique within a sandbox, and a snapshot never changes. The one "
        "that is there is as it was. Take another name."
    ),
    "sandbox_history_unavailable": (
        "Each call in a sandbox is written to a database, which differences, playbooks and the "
        "timeline are made from. It did not answer, so this call is missing there; what it did in "
        "the sandbox stands. See that the file, or the server that AGENTCTL_HISTORY names, can be "
        "reached and written."
    ),
    "sandbox_not_restored": (
        "A snapshot names the graphs that there were. One of them was deleted since, and another "
        "made under its id; the older one cannot be brought back from under it. Nothing was "
        "changed. Open another sandbox, or go back to a later snapshot."
    ),
    "graph_not_live": (
        "A sandbox has every graph that the ledger records, and one of these is detached, gone or "
        "cannot be read. A sandbox without it would not be a copy of the cluster. See what became "
        "of it, then bring the ledger and the graphs together:\n\n"
        "    agentctl refresh\n    agentctl plan"
    ),
    "sandbox_create_failed": (
        "A step of making the sandbox failed, for instance because the disk is full. What the "
        "steps before had made was taken away again, so that nothing is left of it, and the same "
        "call may be repeated. The message names the step."
    ),
    "sandbox_source_unknown": (
        "A sandbox of files is a copy of one of the folders that the operator configured, and the "
        "caller names one of them, never a path: else a sandbox would be a way to read any file of "
        "the host. Name one that is configured."
    ),
    "sandbox_command_invalid": (
        "What was to be run is no command: it has no words, a zero byte, a name of an environment "
        "variable that is none or that would change how programs are loaded, a folder outside the "
        "sandbox, or no time. Nothing was started."
    ),
    "sandbox_runner_unavailable": (
        "Commands of a sandbox run in namespaces that bubblewrap makes. It is not installed, or "
        "this machine does not let it make them. Install it (`apt-get install bubblewrap`); in a "
        "container, user namespaces have to be permitted. Nothing is ever run without them."
    ),
    "sandbox_not_held": (
        "The provider holds no sandbox of that id: it was never made, or it was destroyed. "
        "`agentctl sandbox list` shows what there is."
    ),
    "sandbox_busy": (
        "A snapshot, a restore, a start, a stop and the beginning of a command have the files of a "
        "sandbox for themselves, and a restore waits for commands of other processes as well. "
        "Another process was at it for longer than a minute. Nothing was changed. Repeat the "
        "call, or end the commands of every process with `agentctl sandbox stop`. A process "
        "that was killed holds nothing up."
    ),
    "sandbox_not_started": (
        "Commands run only in a sandbox that was started and not stopped since; everything in a "
        "stopped one is kept. Start it again."
    ),
    "sandbox_over_quota": (
        "The files of the sandbox are more bytes, or more entries, than it may have. A command that "
        "goes over is ended at once; the next is not begun. Restore an earlier snapshot, or destroy "
        "the sandbox and make one with more room."
    ),
    "sandbox_file_refused": (
        "A copy or a snapshot holds files, folders and symbolic links. A device, a pipe or a socket, "
        "or a folder too deep to be told by its path, cannot be kept, and to leave it out silently "
        "would make the snapshot untrue. Remove what the message names."
    ),
    "sandbox_snapshot_missing": (
        "The sandbox has no snapshot of that reference, or what was kept of it is not what it was. "
        "References come from the call that made the snapshot; one of another sandbox does not count."
    ),
    "sandbox_storage_failed": (
        "A step on the files of the sandbox failed, for instance because the disk is full. Nothing "
        "is half done: a snapshot is there whole or not at all, and a restored sandbox is as before "
        "or as it was at the snapshot. Mend what the message names and repeat the call."
    ),
    "sandbox_profile_invalid": (
        "What a host offers to sandboxes of commands is its operator's: the section `sandboxes` of "
        "the profile, `~/.config/agentctl/profile.yaml`, and never a folder's file. The section has "
        "a mistake, so no sandbox of commands is made or used until it is mended. An example:\n\n"
        "    sandboxes:\n"
        "      process:\n"
        "        sources: {site: /srv/site}\n"
        "      vm:\n"
        "        sources:\n"
        "          debian: {image: /srv/images/debian.qcow2, format: qcow2}\n"
        "        vcpus_max: 4"
    ),
    "sandbox_provider_absent": (
        "Sandboxes of commands are made by providers: `process` copies folders, `vm` copies virtual "
        "machines. This host offers the one that was asked for not, because its operator named no "
        "sources for it. Nothing was made. Use another provider, or ask the operator to name a "
        "source in the profile:\n\n    agentctl explain sandbox_profile_invalid"
    ),
    "sandbox_token_unknown": (
        "Secrets in what a command prints are replaced by tokens such as `[REDACTED_PASSWORD_1]`, "
        "and are put back where a later command of the same sandbox is started. The values are kept "
        "in the memory of the process that saw them, and nowhere else. This command holds a token "
        "of another sandbox, or of a process that has ended, so it was not run. Run again what "
        "printed the secret, and take the token that it gives now."
    ),
}

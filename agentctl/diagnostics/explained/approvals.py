"""Paragraphs for the codes of consent: requests, decisions, keys. A code, then what happened, why it matters, what to do."""

from typing import Final

EXPLAINED: Final[dict[str, str]] = {
    "approval_not_required": (
        "The plan has no gate on that resource now: its change is reversible, was approved "
        "already, or is no change any more. There is nothing to ask for. `agentctl plan` lists "
        "the gates there are."
    ),
    "approval_not_found": (
        "There is no request of that id in this cluster, or you may not see it. Ids are shown by "
        "`agentctl approvals list`; a beginning that fits only one is enough on the command line."
    ),
    "approval_ambiguous": (
        "A resource can have more than one request open, e.g. from two agents for two versions "
        "of a change. A decision is about exactly one. Name it by its id; `agentctl approvals "
        "list` shows them."
    ),
    "approval_closed": (
        "The request is decided, spent or over its time, and a decision is never made twice or "
        "changed. Where the change is still wanted, ask again; that makes a new request with the "
        "facts of now."
    ),
    "approval_limit": (
        "Open requests are bounded, for each principal and for the cluster, so that a human's "
        "list stays readable and nobody is worn down by asking. Withdraw requests, or wait until "
        "some are decided or expire."
    ),
    "break_glass_open": (
        "Somebody of the group `breakglass` decided alone what the approval rules ask more for. That "
        "counts at once, and stays marked: a second human looks at what happened and closes the "
        "review with what they found, signed. Until then every status and doctor says so."
    ),
    "break_glass_used": (
        "The apply used a decision that somebody of the group `breakglass` made alone. The op, the "
        "audit chain and the decision say so; a second human closes the review afterwards with "
        "`agentctl approvals review`."
    ),
    "notify_failed": (
        "A command, address or file of the operator's `notify:` section did not take a notice in "
        "time, or failed. Nothing waits for it: the request, the decision or the freeze that it told "
        "of is recorded. Try the section with `agentctl notify --test`."
    ),
    "notify_invalid": (
        "The operator's profile outside the cluster folder says under `notify:` whom to tell, by a "
        "command, a signed webhook or a file. What is written there cannot be read, so nobody is "
        "told. Mend the file that the message names."
    ),
    "approver_unfit": (
        "The applied approval rules say who must approve this gate: how many people, of which "
        "groups, with which kind of key, and whether somebody else than who asked. An approval that "
        "could never count is not even signed, and a request that nobody could approve is not filed. "
        "The message says what is missing; `agentctl approvals show` says what the rules ask."
    ),
    "approval_rule_unmeetable": (
        "A rule asks for more people, for people of a group, or for a better kind of key than the "
        "principals chain has. What it is about could be approved by nobody, but by somebody of the "
        "group `breakglass` alone. A rule of the folder is told before it is applied: from then on "
        "it judges its own removal too. Enrol people (`agentctl identity new`, `identity add`), "
        "give them the group (`identity groups`), or ask for less."
    ),
    "approval_denied_recently": (
        "A human denied the same change within the last 24 hours, and its effect is within the "
        "tolerance of what they saw. Asking again at once is not a way round a no. Change the "
        "proposal, talk to the human, or wait."
    ),
    "approval_read_error": (
        "A record of an approval is there and cannot be read now, so it counts as absent: a gate "
        "never opens on what cannot be checked. Check the store and run the command again."
    ),
    "invalid_approval_artifact": (
        "A request or decision is not of its form, its digest does not fit, or its signature "
        "does not hold over exactly this statement. It counts as absent. A decision handed in "
        "from a file must be the one that `agentctl approve FILE` wrote, unchanged."
    ),
    "unsupported_approval_version": (
        "The record was written by another version of agentctl, whose statement this one cannot "
        "check. It counts as absent. Decide with the version that the cluster uses."
    ),
    "human_key_missing": (
        "A consent is a signature by a human whose key the cluster knows, and no such key is in "
        "this user's keys folder. `agentctl init` makes the first one; later humans are added by "
        "a human. On a machine without the cluster, sign an exported request."
    ),
    "human_key_unusable": (
        "The key file is there and cannot be used: unreadable, no OpenSSH key, or the passphrase "
        "was wrong. Nothing was signed. `agentctl identity show` says which files are looked at."
    ),
    "no_controlling_terminal": (
        "A passphrase and a confirmation are read from the terminal that a person sits at, never "
        "from stdin, a flag, a variable or a file, so that no program can answer for them. This "
        "process has none. Run the command in a terminal of your own."
    ),
    "signature_invalid": (
        "The signature was not made over exactly this statement, by this key, for this purpose, "
        "or the key belongs to no enrolled human. Nothing is decided by it. Sign the request as "
        "it is now."
    ),
    "principal_refused": (
        "The chain of principals has rules (who may add whom, which key signs what), and the "
        "record breaks the one that the message names. The chain is as it was. Let somebody who "
        "may sign it do so."
    ),
    "recovery_code_invalid": (
        "The code has a check against copying mistakes, or stands for another cluster's key, and "
        "it failed. Read it again from where it was written down; letters that look alike are "
        "the usual cause."
    ),
    "human_unconfirmed": (
        "A restored cluster begins with the people of its backup, and the old cluster may have "
        "revoked one of them, or replaced a key, since the backup was made. So only the human who "
        "restored it counts at once. Ask the others on another way whether their key is still "
        "theirs, then put them into their groups: `agentctl identity groups ID GROUP...`; or end "
        "them with `agentctl identity revoke ID`."
    ),
    "human_vouched_alone": (
        "Any human may enrol another, so that one person could be two. Where somebody else could "
        "have vouched, the new human counts with whoever enrolled them as one person, and is in no "
        "group, until another human has put them into their groups with `agentctl identity groups`. "
        "The same holds for a key that another human, or the recovery code of another, gave them. "
        "Where nobody else was there the word of the one has to do, and this says so."
    ),
    "human_key_unprotected": (
        "The key has no passphrase, so whoever runs as the same user, an agent for example, can "
        "sign with it. A signature then proves nothing about a person. Make a key with a "
        "passphrase: `agentctl doctor --trust` says what holds in this set-up."
    ),
    "human_key_shared": (
        "The private key file can be read by others than its owner, so any of them could have "
        "signed. Set its mode to 0600, and replace the key if others may have copied it."
    ),
    "confirmation_mismatch": (
        "Before signing you type the name of the resource, to show that you know which one it "
        "is. What was typed is another text, so nothing was signed. Look at the page again and "
        "decide anew."
    ),
}

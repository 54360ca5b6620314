"""What the codes of publication mean, a paragraph each."""

from typing import Final

EXPLAINED: Final = {
    "publication_remote_unknown": (
        "A sandbox is published to a remote that the operator declared under `publication.remotes` "
        "and that is applied; what only stands in a folder or a sandbox does not count, for who may "
        "edit it could send configuration anywhere. Name one of those that the message lists, or "
        "declare one and have it approved."
    ),
    "publication_secret_missing": (
        "The remote is a forge, and its `token` refers to a variable that the process which "
        "publishes does not have. Nothing was done. Set the variable where `agentctl` or its server "
        "runs, then publish again.\n\n"
        "    FORGE_TOKEN=... agentctl serve"
    ),
    "publication_no_repository": (
        "A publication is a commit, and the cluster's folder lies in no git repository, or in one "
        "that has not committed its cluster.yaml. Commit the folder first, or write the changes "
        "into the folder instead: `publish --to folder`."
    ),
    "publication_nothing": (
        "Each file that the sandbox changed is on the base branch already as the sandbox has it, or "
        "it changed none. There is nothing to publish. Rows are brought back by a merge of the "
        "sandbox's data, not by a publication."
    ),
    "publication_base_moved": (
        "A change is made to a file as it was when the sandbox was opened. The file is another one "
        "now (somebody changed it, or never committed what the folder holds), and to put the change "
        "over it would silently undo that. No file was written. Commit what the folder holds, or "
        "open a new sandbox over what is there now."
    ),
    "publication_branch_moved": (
        "The branch of the publication, here or at the remote, holds a commit that no publication "
        "of this sandbox made, or went another way. agentctl never forces a branch. Look at it, then "
        "merge or delete it, and publish again.\n\n"
        "    git log main..agentctl/NAME"
    ),
    "publication_commit_failed": (
        "git refused to write the commit or to move its branch: the disk is full, the repository is "
        "damaged or may not be written, or a branch named `agentctl` stands in the way. Nothing was "
        "published. Mend what the message says, then publish again."
    ),
    "publication_push_refused": (
        "The remote was reached and said no: a hook refused the branch, or the branch is protected. "
        "Its own words stand in the detail. The commit is kept in the repository, so that to publish "
        "again pushes the same one."
    ),
    "publication_unreachable": (
        "git could not talk to the remote: the host does not answer, its key is not known, the "
        "login is refused, or the path is no repository. No password is ever asked for. The commit "
        "is kept. Try the push by hand as the user that runs agentctl, then publish again.\n\n"
        "    ssh -o BatchMode=yes git@HOST"
    ),
    "publication_forge_failed": (
        "The forge's API did not do what was asked: it was not reached, it failed (such answers are "
        "tried again a few times), or it refused, because the token may not do that or the "
        "repository is another. The branch is pushed, if that is what came before; to publish again "
        "goes on from there, and an open pull request of the branch is taken rather than doubled."
    ),
    "publication_closed": (
        "Somebody closed the pull request without merging it, or deleted it. The publication stays "
        "as it is. If the changes are still wanted, publish again: another pull request is opened "
        "for the same commit."
    ),
    "publication_folder_failed": (
        "A file of the folder could not be written, for want of room or of the right to. Those that "
        "were written before it were put back, so that the folder holds none of the changes. Mend "
        "what the message says, then publish again."
    ),
    "publication_history_missing": (
        "A publication is kept in the history of sandboxes after each step, so that a retry after a "
        "crash finds the commit and the pull request that were made, and makes no second ones. This "
        "process has no history, or may only read it, so nothing was published. "
        "AGENTCTL_HISTORY names the database."
    ),
    "publication_not_yours": (
        "Agents see the publications of their own sandboxes, people see all. One of somebody else "
        "looks like one that is not there."
    ),
}

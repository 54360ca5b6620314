"""Codes of playbooks: why each is told, and what to do."""

from typing import Final

EXPLAINED: Final = {
    "playbook_not_yours": (
        "A playbook is there for everybody to read and to run, and its author alone, or a human, "
        "changes it. A run is gone on with by whoever began it, because its calls are made as "
        "that caller. Make a playbook of your own from it, or begin a run of your own."
    ),
    "playbook_task_refused": (
        "A task is one call that can be made again under its run's key without being done twice. "
        "This one cannot: it opens or handles a sandbox, runs a playbook itself, has no key, or "
        "names what the run gives (`in`, `intent`, `idempotency_key`). Nothing was changed."
    ),
    "playbook_needs_parameter": (
        "Where a secret stood when the call was recorded there is a token such as "
        "`[REDACTED_API_KEY_1]`, because no secret is stored. No task of the playbook was begun. "
        "Edit the task, so that it names a variable in the secret's place."
    ),
    "playbook_holds_secret": (
        "The parameters hold what looks like a secret. A playbook is stored, shown and written as "
        "YAML, so it takes none. Name the variable that holds it, as cluster.yaml does."
    ),
    "playbook_run_not_found": (
        "The playbook has no run of that id. `agentctl playbook show NAME` lists its runs."
    ),
    "playbook_run_over": (
        "All tasks of that run are done, so there is nothing to go on with. Begin another run, "
        "without `resume`."
    ),
}

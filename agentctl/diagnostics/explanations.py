"""The paragraph of every diagnostic code: what happened, why it matters, what to do.

Two parts, the second optional: the paragraph, then, after a blank line and indented by four
blanks, an example. A new code gets its paragraph in the module of its area under `explained/`; the
rules of the languages carry theirs in their own registries. `agentctl explain CODE` prints it and
`docs/diagnostics.md` is generated from it.
"""

from typing import Final

from agentctl.diagnostics.explained import (
    agent,
    apply,
    approvals,
    change_sets,
    config,
    door,
    folder,
    graph,
    http,
    ledger,
    machines,
    ops,
    playbooks,
    publication,
    sandbox_runners,
    sandbox_store,
    storage,
    tokens,
)

EXPLANATIONS: Final[dict[str, str]] = (
    agent.EXPLAINED
    | config.EXPLAINED
    | folder.EXPLAINED
    | ledger.EXPLAINED
    | apply.EXPLAINED
    | approvals.EXPLAINED
    | door.EXPLAINED
    | graph.EXPLAINED
    | http.EXPLAINED
    | machines.EXPLAINED
    | ops.EXPLAINED
    | publication.EXPLAINED
    | sandbox_store.EXPLAINED
    | playbooks.EXPLAINED
    | change_sets.EXPLAINED
    | sandbox_runners.EXPLAINED
    | storage.EXPLAINED
    | tokens.EXPLAINED
)
"""Every paragraph, by the name of its code."""

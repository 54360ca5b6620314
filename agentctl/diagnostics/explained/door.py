"""Paragraphs for the codes of the door: who may call what, and with which arguments. A code, then what happened, why it matters, what to do."""

from typing import Final

EXPLAINED: Final[dict[str, str]] = {
    "denied": (
        "Policy does not permit this action on this resource to this principal; the message "
        "names all three. The attempt is on record. Asking again changes nothing: let a human "
        "change the policy, or do it themselves."
    ),
    "human_only": (
        "The operation is a human's consent (approving, denying, thawing), and is done only for "
        "an enrolled human at a terminal. No other caller gets it, whatever credential they "
        "hold, and the attempt is on record. An agent asks with `approve` and tells its human."
    ),
    "unknown_operation": (
        "There is no operation of that name through this face. The remedy names the nearest one. "
        "What is not listed cannot be called: there is no hidden one."
    ),
    "invalid_arguments": (
        "The arguments are not of the form that the operation takes: a missing or unknown field, "
        "or a value of a wrong type or out of range. The path points into the arguments "
        "(`$.limit`), and the remedy lists what it takes. Nothing was done."
    ),
    "intent_required": (
        "Each change carries the reason why it is wanted, which a human reads before deciding "
        "and later in the record. Blank words say nothing. Give it in `intent`, or with `-m` on "
        "the command line."
    ),
    "idempotency_key_required": (
        "Over MCP a call may be sent twice, because an answer was lost. With a key of your own, "
        "new for each change and the same for a retry, the change is made once. Send one."
    ),
    "policy_broken": (
        "The ledger records a policy whose payload is missing, altered or no policy. It stays in "
        "force, since nobody took it away: what it would decide is denied to everyone, which is "
        "an alarm. An enrolled human at the cluster's own terminal may still look, plan and "
        "apply; `agentctl refresh` writes the payload again where the folder has it."
    ),
    "policy_test_failed": (
        "`agentctl policy test` asked the policies what a case of the file expects, and they "
        "answered otherwise. Either the policy or the expectation is wrong; `agentctl policy "
        "explain` with the same actor, action and graph names the policies that decide."
    ),
    "policy_tests_invalid": (
        "A file of policy tests is `{version: 1, cases: [{id, actor, action, branch?, "
        "target_branch?, on?, expect: allow or deny}]}`, and unknown fields are refused, since a "
        "misspelt one would test something else than was meant."
    ),
    "policy_evaluation_error": (
        "A rule of the policy could not be evaluated, e.g. it reads an attribute that is not "
        "there. What cannot be decided is denied, and an alarm is recorded. Mend the rule."
    ),
    "principal_not_found": (
        "No principal of that id is enrolled in this cluster, or it was revoked. `agentctl "
        "identity list` shows all there are."
    ),
    "graph_extra_missing": (
        "The configuration and its plan work without the graph engine; whatever opens a graph "
        "needs it, and it is not installed here. Install the extra and run the command again:\n\n"
        "    pip install 'agentctl[graph]'"
    ),
    "query_wrong_kind": (
        "A stored query either reads or changes the graph. `query` and `run_query` run those that "
        "read, `mutate` those that change, which is an op with its reason and is decided over as "
        "a change. Nothing was read or changed; the remedy names the other command."
    ),
    "query_not_found": (
        "The applied revision holds no query of that address, or you may not see it; the two "
        "look alike on purpose. A query that is in the folder but not applied yet is not there "
        "either. `agentctl queries list` shows what can be called."
    ),
    "graph_not_found": (
        "The cluster has no graph of that id, live, detached or purged. The remedy names the "
        "nearest. `agentctl graph list` shows all."
    ),
    "op_illegal_transition": (
        "An op goes from begun to one of its ends and never changes again. Something tried to "
        "end it twice or to open it anew, which would rewrite the record. Nothing was written; "
        "look at the op with `agentctl ops show ID`."
    ),
    "op_not_found": (
        "There is no op of that id in this cluster. `agentctl ops list` shows the newest; a "
        "beginning of the id that fits only one is enough."
    ),
    "format_file_unusable": (
        "`fmt` formats `.pg` and `.gq` files that it can read and replace; this one is not there, "
        "may not be written, or is of another kind. Other files were formatted all the same. Name "
        "a file of the two languages, or a folder, below which they are found."
    ),
    "unknown_output": (
        "`json-schema` knows each document that a command prints with `--json` by its verb "
        "(`plan`, `draft-list`), and `cluster.yaml`; this is none of them. The remedy names the "
        "nearest."
    ),
    "address_not_found": (
        "An address is `<kind>.<name>`, of a query `query.<graph>.<name>`, and the folder or draft "
        "that was looked at declares none like it. The remedy names the nearest; `agentctl deps` "
        "lists all."
    ),
    "unknown_code": (
        "There is no diagnostic code, rule, term or operation of that name. The remedy names the "
        "nearest; `docs/diagnostics.md` lists every code and rule."
    ),
    "prompt_not_found": (
        "Prompts are files of the `prompts/` package, asked for by name over MCP, and none has this "
        "name. Nothing was sent to a model. The remedy lists the ones there are."
    ),
    "prompt_slots_mismatch": (
        "A prompt has slots, and each of them must be filled and no other. A blank slot would "
        "send a broken text to a model without a word. Give exactly the slots that the message "
        "names."
    ),
    "internal_error": (
        "Something happened that the program excludes, so it stopped. This is a bug in agentctl, "
        "not a mistake of yours. What was recorded before stands, and an interrupted step is "
        "settled by the next command. Please report it with the text above."
    ),
    "eval_scenario_invalid": (
        "A scenario or its tape is not of its format, so that what it would score is not "
        "defined. The message names file and line. Mend it, or make the tape again."
    ),
    "no_terminal": (
        "The screen draws on a terminal, and stdin or stdout is none, e.g. in a pipe or a job. "
        "Use the commands instead: `agentctl approvals list` and `agentctl approvals show ID` "
        "print the same facts."
    ),
    "init_folder_not_empty": (
        "`init` writes a new cluster into an empty folder, so that it never mixes with files of "
        "yours. In a folder with a `cluster.yaml` it adds only what is missing outside of files. "
        "Name a new folder."
    ),
}

"""Paragraphs for the codes of `agentctl agent`: a model that works through the tools. A code, then what happened, why it matters, what to do."""

from typing import Final

EXPLAINED: Final[dict[str, str]] = {
    "agent_model_key_missing": (
        "`agentctl agent run` asks a model over its API, which takes a key, and the variable "
        "ANTHROPIC_API_KEY is not set. The key goes to the API only: not to the MCP server, not "
        "into the session. Without a key a recorded session can be played:\n\n"
        "    agentctl agent run --model replay:session.jsonl"
    ),
    "agent_budget_spent": (
        "A session has bounds: turns, tokens, money and minutes. One of them was reached, so the "
        "model was not asked again. What it had called for before was done and is recorded. Give "
        "it more and go on where it stopped:\n\n"
        "    agentctl agent resume session.jsonl --max-turns 100"
    ),
    "agent_model_refused": (
        "The model answered that it will not do this, and the session ended there: asking the same "
        "again brings the same. Look at its last words in the session, then run a goal that says "
        "what is wanted and why."
    ),
    "agent_model_unavailable": (
        "The API did not answer, was overloaded, or does not take the request (a wrong key, a "
        "model that is not there). Each attempt is in the session with its status. Nothing of the "
        "cluster is in doubt. Go on when it is mended:\n\n"
        "    agentctl agent resume session.jsonl"
    ),
    "agent_in_circles": (
        "The model made one call with the same arguments six times in a row and got the same "
        "answer each time, or called with arguments that nobody can read, although it was told "
        "so. More turns would only cost money. Look at that call in the session; then run a goal "
        "that helps it past."
    ),
    "agent_context_full": (
        "Everything that was said and answered so far goes to the model with each turn, and it is "
        "now more than the model can read. What was done is recorded. Run a new session with what "
        "is left of the goal."
    ),
    "agent_tools_lost": (
        "The agent works through a server of its own, `agentctl mcp`, which did not start or died "
        "in between. Its words on stderr say why. Whether the last call was made is not known: "
        "`agentctl ops list` tells. A session that had begun can be resumed."
    ),
    "agent_replay_diverged": (
        "A replay makes the recorded calls in this world and must write the same lines. One came "
        "out otherwise: the cluster is not as it was when the session was recorded, or the tools, "
        "the prompts or the server changed. That is neither a pass nor a fail. Replay in a fresh "
        "copy of the same cluster, or record the session anew and review what differs."
    ),
    "agent_session_exists": (
        "A session is the record of what an agent did, so no run writes over a file that is there. "
        "Name another file with `--session`, or go on with the one that is there."
    ),
    "agent_session_over": (
        "A session can go on after an approval, a spent budget, or something that broke it off. "
        "This one came to its end: it was done, the model refused, or it went in circles. Run a "
        "new session."
    ),
    "agent_session_unusable": (
        "The file cannot be read as a session, another process is working with it, or the file "
        "beside it that holds what the names of the session stand for is gone. Ids never stand in "
        "a session itself, so without that file it can be replayed, but not resumed."
    ),
}

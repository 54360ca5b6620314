"""Paragraphs for the codes of tokens and contexts. A code, then what happened, why it matters, what to do."""

from typing import Final

EXPLAINED: Final[dict[str, str]] = {
    "token_invalid": (
        "What came as a bearer token is not taken: no token of this cluster has that secret, or "
        "it was made for another audience, or the principal it names, or the human for whom that "
        "principal acts, is not living in the principals chain. Nothing more is told, because "
        "whoever guesses would learn from it. A human looks with `agentctl token list`."
    ),
    "token_expired": (
        "Each token ends by itself, an agent's after 24 hours unless a human said otherwise, so "
        "that one which leaked is soon worth nothing. What it was used for stays on record. A "
        "human makes a new one with `agentctl token create`."
    ),
    "token_revoked": (
        "A human ended the token. Its record stays, and a second record beside it says since "
        "when and why; no later write brings it back. `agentctl token list` shows both."
    ),
    "token_refused": (
        "A token names a living principal of the chain, and only an enrolled human at their own "
        "terminal makes one: for agents and services, or for themselves. Nobody makes a token in "
        "another human's name, and a token makes no tokens. Enrol the principal first with "
        "`agentctl identity new`, or let the human make their own."
    ),
    "token_not_found": (
        "No token has that id, or several begin with what was given. `agentctl token list` shows "
        "the ids; the secret itself is not kept anywhere and cannot be looked up."
    ),
    "scope_missing": (
        "A token is good for some of `look`, `try` and `real`, the words that the descriptions of "
        "operations begin with. This one lacks the word of the operation that was called, whatever "
        "policy would permit. A human makes another token with that scope."
    ),
}

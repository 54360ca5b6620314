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
    "token_file_unusable": (
        "A token is a credential, so its file belongs to you alone (mode 0600) and holds the token "
        "and nothing else. `agentctl token create --out FILE` writes it so."
    ),
    "context_not_found": (
        "A context is a name for a cluster behind a door elsewhere: its URL, the id of the cluster "
        "and the file of your token. `agentctl context list` shows those you have."
    ),
    "contexts_invalid": (
        "`contexts.json` beside your keys was edited by hand, or written by a later release. It is "
        "written by `agentctl context` only; add the contexts again, and compare the cluster's id "
        "with its operator."
    ),
    "context_refused": (
        "A token is sent by TLS, or to this machine, and to no address that carries more than a "
        "place: no user, no password, no query. Names of contexts are like names of graphs."
    ),
    "server_unreachable": (
        "Nobody listens there, or the connection broke. Where the request may have arrived, what it "
        "did is on record there: look before you send it again. An idempotency key makes a repeated "
        "change one change."
    ),
    "server_answer_unreadable": (
        "Something answers at that address, and it is no `agentctl serve`, or one of a later "
        "release, or a proxy between. Nothing of its answer was used."
    ),
    "server_mismatch": (
        "A context pins the id of its cluster, which is the digest of the first record of its "
        "principals chain. Another id answers at the same address: a cluster made anew, a wrong "
        "address, or somebody in between. Nothing was sent but your token; if you know of no new "
        "cluster, have it revoked."
    ),
    "evidence_mismatch": (
        "Before you sign for a cluster elsewhere, your machine computes every digest again from the "
        "bytes it fetched: the principals chain, the rules, the plan, the files, the statement. One "
        "did not agree with the others, so the page would not have shown what the signature covers. "
        "Nothing was signed. Either the configuration moved since the request was made, and it is "
        "asked again, or the server does not tell the truth."
    ),
    "issuer_unavailable": (
        "A JWT is checked against the keys that its issuer publishes, and they could not be read. "
        "Keys that were read within the last ten minutes go on to count; after that nothing is "
        "taken that cannot be proved. Look at the `jwks` of the issuer, then try again."
    ),
    "serve_settings_invalid": (
        "`serve: issuers:` in `profile.yaml` names the issuers whose JWTs are taken: `issuer`, "
        "`jwks` (https, or a file), and where they differ `audience`, `algorithms`, `claim`, "
        "`principals`. One entry has another form, so none of them is used. Tokens that "
        "`agentctl token create` made are taken as before."
    ),
}

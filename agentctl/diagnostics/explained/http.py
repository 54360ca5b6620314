"""Paragraphs for the codes of the HTTP face. A code, then what happened, why it matters, what to do."""

from typing import Final

EXPLAINED: Final[dict[str, str]] = {
    "unauthenticated": (
        "The HTTP server knows a caller by the bearer token of the request's Authorization header "
        "and by nothing else; this request brought none, or more than one. A human makes one with "
        "`agentctl token create`; send it as `Authorization: Bearer …`."
    ),
    "body_too_large": (
        "A body is read whole before anything is decided by it, so each route takes only so much: "
        "1 MB of arguments, 32 MiB of rows to load. Nothing was done. Send rows in several loads."
    ),
    "rate_limited": (
        "Each principal may ask only so often, and have only so many requests under way at once, "
        "so that one that loops takes nothing from the others. Nothing was done. The answer's "
        "Retry-After says in how many seconds the same request will be taken."
    ),
    "host_refused": (
        "The Host header names something that this listener is not reached by. A web page that "
        "lets its own name point at this machine would send exactly that, so it is refused before "
        "the token is looked at. Use the address that `agentctl serve` printed, or start it with "
        "`--url URL` where a name of yours leads to it."
    ),
    "origin_refused": (
        "The request says that a web page of another origin made it. No page is meant to call this "
        "server, and a browser lets pages try; so it is refused before the token is looked at. "
        "Programs send no Origin header."
    ),
    "secret_in_url": (
        "The query string has a parameter by the name of a credential. URLs are kept in logs, "
        "histories and proxies, so a token there is as good as told to everyone: revoke it with "
        "`agentctl token revoke`, make another, and send that in the Authorization header."
    ),
    "listen_refused": (
        "The address is taken, cannot be had, or can be reached from other machines. The server "
        "speaks HTTP without TLS: what came over a network in the clear would be everybody's "
        "token. Listen on loopback or a Unix socket; where a proxy with TLS stands in front on "
        "another machine, say so with `--allow-remote`."
    ),
    "server_stopping": (
        "The server was told to stop. It takes no new requests, and what was under way ends at its "
        "next step; an apply that ended so is gone on with by the next one. Send the request again, "
        "with the same idempotency key, once the server is back."
    ),
    "commit_not_found": (
        "A commit is looked for among the newest ones that a look at the graph reads. None of them "
        "has that id: it is older than these, of another graph, or mistyped. The list of commits "
        "shows the ids."
    ),
    "graph_not_served": (
        "What is served of a graph is its applied revision. This graph is not recorded as applied, "
        "a step that moves it was interrupted, or what lies in the storage is not what the ledger "
        "records; the other graphs are served. The detail says which; `agentctl refresh` looks "
        "again and settles what was interrupted, `agentctl apply` applies what is not."
    ),
}

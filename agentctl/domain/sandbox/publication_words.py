"""What a publication is called and says: its branch, its commit's message, its pull request.

Whatever somebody supplied is shown as foreign text, without what looks like a secret, so that nothing
in it acts on a terminal, in Markdown or as one of our own trailers. Source: sandboxes 4, Publication.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from agentctl.domain.ops.redaction import redact_text
from agentctl.domain.sandbox.publication_order import PublicationOrder
from agentctl.foreign import Foreign, show
from agentctl.ids import is_ulid

BRANCHES: Final = "agentctl/"
PUBLICATION_TRAILER: Final = "Agentctl-Publication"
"""The line at the end of a message that says which publication made a commit."""
SANDBOX_TRAILER: Final = "Agentctl-Sandbox"
"""The line that says in which sandbox it was tried."""
SUBJECT_CELLS_MAX: Final = 72
INTENT_CELLS_MAX: Final = 4_000
LINE_CELLS_MAX: Final = 300
LINES_MAX: Final = 40
"""Of the blast radius and of the evidence, each; how many more there are is told."""
NAME_CELLS_MAX: Final = 200
_BRANCH_PART: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", re.ASCII)
_CRUD: Final = " .,:;<>\"\\'"
"""What git itself cuts off the ends of a name."""
_TICKS: Final = re.compile(r"`+")


def branch_name(sandbox_name: str, sandbox_id: str) -> str:
    """Returns the branch of a sandbox: of its name where git and people can take it, else of its id.

    A name that is the id of another sandbox is not taken: its branch is that one's.
    """
    assert is_ulid(sandbox_id), "a sandbox's id is minted by the engine"
    plain = _BRANCH_PART.fullmatch(sandbox_name) is not None and ".." not in sandbox_name
    if not plain or sandbox_name.endswith((".", ".lock")) or is_ulid(sandbox_name.upper()):
        return f"{BRANCHES}{sandbox_id}"
    return f"{BRANCHES}{sandbox_name}"


def author_name(principal: str) -> str:
    """Returns a principal as a commit names its author; never empty for git."""
    shown = show(Foreign(principal), limit=NAME_CELLS_MAX)
    return re.sub(r"[<>]", "", shown).strip(_CRUD) or "agentctl"


def subject(order: PublicationOrder) -> str:
    """Returns the first line of the message, which is the title of the pull request too."""
    first = next((line.strip() for line in order.intent.splitlines() if line.strip()), "")
    if not first:
        first = f"Changes tried in the sandbox {order.sandbox_name}"
    return _line(first, SUBJECT_CELLS_MAX)


def commit_message(order: PublicationOrder) -> str:
    """Returns what the commit says: why, what it touches, how it was tried, and what made it."""
    intent = show(
        Foreign(redact_text(order.intent.strip())), limit=INTENT_CELLS_MAX, multiline=True
    )
    lines = [subject(order), ""]
    if intent and intent != lines[0]:
        lines += [*(f"  {line}".rstrip() for line in intent.split("\n")), ""]
    lines += _listed("Blast radius:", order.blast_radius)
    lines += _listed("Tried in a sandbox:", order.evidence)
    lines += _trailers(order)
    return "\n".join(lines) + "\n"


def pull_body(order: PublicationOrder) -> str:
    """Returns the text of the pull request: the message in a block where Markdown reads nothing."""
    message = commit_message(order)
    fence = "`" * max([3, *(len(ticks) + 1 for ticks in _TICKS.findall(message))])
    told = "Published by agentctl. Merging it changes no cluster: an apply does, after its plan."
    return f"{told}\n\n{fence}text\n{message}{fence}\n"


def _listed(title: str, lines: tuple[str, ...]) -> list[str]:
    """Returns a list under its title, and nothing for nothing."""
    if not lines:
        return []
    listed = [f"  - {_line(line, LINE_CELLS_MAX)}" for line in lines[:LINES_MAX]]
    more = len(lines) - LINES_MAX
    return [title, *listed, *([f"  and {more:,} more"] if more > 0 else []), ""]


def _trailers(order: PublicationOrder) -> Iterator[str]:
    given: Iterable[tuple[str, str | None]] = (
        (PUBLICATION_TRAILER, order.id),
        (SANDBOX_TRAILER, order.sandbox_id),
        ("Agentctl-Change-Set", order.change_set),
        ("Agentctl-Plan", order.plan_digest),
        *(("Agentctl-Sandbox-Op", op) for op in order.op_ids),
        ("Agentctl-On-Behalf-Of", order.on_behalf_of),
    )
    for name, value in given:
        if value is not None:
            yield f"{name}: {_line(value, LINE_CELLS_MAX)}"


def _line(text: str, limit: int) -> str:
    return show(Foreign(redact_text(text)), limit=limit)

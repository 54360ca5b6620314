"""What a sandbox was lent, and what the branches of its graphs are really called. Source: sandboxes 4, ADR 27.

Inside, `main` of a lent graph is the real branch ``sandbox/<id>``, its trunk, and any other branch
``b`` is ``sandbox/<id>/b``. So whatever name is given inside, it is one of the sandbox's branches.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from agentctl.domain.sandbox.lending import trunk_of
from agentctl.graph.branching.names import NAME_LENGTH_MAX, name_problem
from agentctl.graph.layout import MAIN

_BETWEEN: Final = "/"


class LentGraph(msgspec.Struct, frozen=True, kw_only=True):
    """One graph that a sandbox was lent."""

    incarnation: str
    base: int
    """The commit of the real `main` that the trunk was cut from."""


class Fork(msgspec.Struct, frozen=True, kw_only=True):
    """The graphs of one sandbox."""

    sandbox: str
    """Its id."""
    lent: Mapping[str, LentGraph]
    """By root; all other graphs are the sandbox's own."""

    def __post_init__(self) -> None:
        """Sees that no branch of this sandbox can be one of another."""
        assert name_problem(self.sandbox) is None, self.sandbox
        assert _BETWEEN not in self.sandbox, self.sandbox

    @property
    def trunk(self) -> str:
        """The real branch that is `main` inside."""
        return trunk_of(self.sandbox)

    @property
    def name_length_max(self) -> int:
        """How long the name of a branch may be inside, so that the real one is not too long."""
        return NAME_LENGTH_MAX - len(self.trunk) - len(_BETWEEN)

    def outside(self, branch: str) -> str:
        """Returns the real name of a branch."""
        return self.trunk if branch == MAIN else f"{self.trunk}{_BETWEEN}{branch}"

    def inside(self, branch: str) -> str | None:
        """Returns what a real branch is called in the sandbox; None for one that is not its own."""
        if branch == self.trunk:
            return MAIN
        found = branch.removeprefix(f"{self.trunk}{_BETWEEN}")
        return None if found in (branch, "", MAIN) else found

"""What a session may spend, and what it has spent: pure sums over its lines."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from agentctl.faces.agent.lines import Fault, Line, Turn, Usage, Which

MICRO: Final = 1_000_000


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator says the model costs, in US dollars per million tokens."""

    input: float
    output: float

    def micro_dollars(self, usage: Usage) -> int:
        """Returns at most what *usage* costs: what is read from the cache counts in full."""
        # Writing into the cache costs a quarter more than reading past it.
        entered = usage.input + usage.cache_read + usage.cache_written * 5 // 4
        return round(entered * self.input + usage.output * self.output)


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one session; minutes are of one run of it, since sleeping costs nothing."""

    turns: int = 50
    tokens: int = 1_000_000
    """Of all replies together, in and out; from the cache too."""
    cost: float | None = None
    """US dollars; counts only with a price."""
    minutes: float = 30.0

    def plain(self) -> dict[str, object]:
        """Returns the bounds as the session's header has them."""
        return {k: v for k, v in msgspec.to_builtins(self).items() if v is not None}


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What went so far."""

    turns: int = 0
    tokens: int = 0
    micro_dollars: int | None = None
    """None without a price."""


def spent(lines: Iterable[Line], price: Price | None) -> Spent:
    """Returns what *lines* cost; a reply that broke off counts with what it had used."""
    turns = tokens = cost = 0
    for line in lines:
        if not isinstance(line, Turn | Fault):
            continue
        usage = line.usage
        turns += isinstance(line, Turn)
        tokens += usage.input + usage.output + usage.cache_read + usage.cache_written
        cost += price.micro_dollars(usage) if price is not None else 0
    return Spent(turns=turns, tokens=tokens, micro_dollars=None if price is None else cost)


def used_up(budget: Budget, so_far: Spent) -> Which | None:
    """Returns the bound that is reached; None while there is something left of each."""
    if so_far.turns >= budget.turns:
        return "turns"
    if so_far.tokens >= budget.tokens:
        return "tokens"
    cost = so_far.micro_dollars
    if budget.cost is not None and cost is not None and cost >= budget.cost * MICRO:
        return "cost"
    return None


def budget_of(plain: Mapping[str, object]) -> Budget:
    """Returns the bounds that a header or a `resumed` line names."""
    return msgspec.convert(plain, type=Budget)

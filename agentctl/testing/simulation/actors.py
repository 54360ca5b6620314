"""Who acts in a simulation: agents that work in drafts, people who decide, operators, and bad luck.

Each command is a process of its own that comes through the door, as it does in life.
"""

import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from agentctl.domain.policy.caller import Caller
from agentctl.testing.consent import caller, key_of
from agentctl.testing.simulation.folders import GRAPHS, SCHEMAS, Declared, texts_of
from agentctl.testing.simulation.world import Simulation
from agentctl_tools.operation import Envelope

Act = Callable[["Actor"], Awaitable[None]]

PEOPLE: Final = ("sarah", "tom")
AGENTS: Final = ("agent:sarah", "agent:tom")


class Actor:
    """Somebody with a stream of chances of their own."""

    def __init__(self, simulation: Simulation, name: str, host: str, caller_: Caller) -> None:
        self.simulation = simulation
        self.name = name
        self.host = host
        self.caller = caller_
        self.rng = random.Random(f"{simulation.seed}/{name}")  # noqa: S311  # chances, not secrets
        self.sent = 0

    async def call(
        self, operation: str, arguments: Mapping[str, Any], *, signs: bool = False
    ) -> Envelope | None:
        """Returns what an operation answers; None where its process died."""
        signer = key_of(self.name) if signs else None
        return await self.simulation.command(
            self.host, self.caller, operation, dict(arguments), signer
        )

    async def live(self, acts: tuple[tuple[int, Act], ...], count: int) -> None:
        """Does so many things, with a pause before each."""
        weights = [weight for weight, _ in acts]
        for _ in range(count):
            await self.simulation.pass_time(self.rng.expovariate(1 / 5.0))
            (_, act), *_ = self.rng.choices(acts, weights)
            await act(self)

    def key(self) -> str:
        """Returns a new idempotency key."""
        self.sent += 1
        return f"{self.name}-{self.sent}"


def actors_of(simulation: Simulation) -> list[tuple[Actor, tuple[tuple[int, Act], ...]]]:
    """Returns who acts, and what they do how often."""
    person = (
        (4, apply),
        (3, edit),
        (2, decide),
        (2, load),
        (2, clean_up),
        (1, refresh),
        (1, force),
        (1, look),
        (1, detached),
        (1, freeze),
        (1, thaw),
        (1, roll_back),
        (1, reconcile),
    )
    agent = ((4, draft), (3, ask), (2, apply), (2, load), (1, look))
    found: list[tuple[Actor, tuple[tuple[int, Act], ...]]] = []
    for index, name in enumerate(PEOPLE):
        host = simulation.hosts[index % len(simulation.hosts)]
        found.append((Actor(simulation, name, host, caller(name, at_terminal=True)), person))
    for index, name in enumerate(AGENTS):
        host = simulation.hosts[(index + 1) % len(simulation.hosts)]
        behalf = name.partition(":")[2]
        who = caller(name, "agent", "mcp", on_behalf_of=behalf)
        found.append((Actor(simulation, name, host, who), agent))
    return found


async def edit(actor: Actor) -> None:
    """Changes the folder."""
    simulation = actor.simulation
    simulation.folder.read()
    simulation.trace.add(actor.name, "edits:", simulation.folder.change(actor.rng))


async def apply(actor: Actor) -> None:
    """Applies the folder."""
    wait = actor.rng.choice((0.0, 5.0, 45.0))
    arguments: dict[str, Any] = {"intent": "what the folder says", "wait_s": wait}
    if actor.caller.via == "mcp":
        arguments |= {"in": "cluster", "idempotency_key": actor.key(), "without_gated": True}
    await actor.call("apply", arguments)
    if actor.caller.via == "mcp" and actor.rng.random() < 0.3:
        await actor.call("apply", arguments)


async def refresh(actor: Actor) -> None:
    """Looks at the graphs."""
    await actor.call("refresh", {"intent": "a look"})


async def look(actor: Actor) -> None:
    """Reads what there is to read."""
    operation = actor.rng.choice(("status", "plan", "locks", "ops"))
    await actor.call(operation, {})


async def load(actor: Actor) -> None:
    """Loads one row of its own into a graph."""
    wait = actor.rng.choice((0.0, 0.0, 45.0))
    graph = actor.rng.choice(GRAPHS)
    await actor.simulation.load(actor.host, actor.caller, graph, wait_s=wait)


async def ask(actor: Actor) -> None:
    """Asks for consent to whatever the plan has gates for."""
    planned = await actor.call("plan", {})
    if planned is None or planned.data is None:
        return
    gates = [n.resource for n in planned.data.result.approvals_required if not n.satisfied]  # type: ignore[attr-defined]
    if gates:
        arguments = {
            "gate": actor.rng.choice(gates),
            "intent": "not used any more",
            "idempotency_key": actor.key(),
        }
        await actor.call("request_approval", arguments)


async def decide(actor: Actor) -> None:
    """Decides an open request, mostly in its favour."""
    listed = await actor.call("approvals", {})
    if listed is None or listed.data is None or not listed.data.requests:  # type: ignore[attr-defined]
        return
    request = actor.rng.choice(listed.data.requests)  # type: ignore[attr-defined]
    verdict = actor.rng.choice(("approve", "approve", "approve", "deny", "request_changes"))
    arguments = {
        "request_id": request.request_id,
        "verdict": verdict,
        "gate_digest": request.gate_digest,
        "reason": "seen",
        "confirmation": request.statement.resource,
    }
    await actor.call("decide", arguments, signs=True)


async def clean_up(actor: Actor) -> None:
    """Takes a graph out of the folder, and sees it through to its removal."""
    simulation = actor.simulation
    simulation.folder.read()
    if len(simulation.folder.graphs) < 2:
        return
    graph = actor.rng.choice(sorted(simulation.folder.graphs))
    del simulation.folder.graphs[graph]
    simulation.folder.write()
    simulation.trace.add(actor.name, "edits:", "removes", graph)
    arguments = {"gate": f"graph.{graph}", "intent": "not used", "idempotency_key": actor.key()}
    asked = await actor.call("request_approval", arguments)
    if asked is None or not asked.ok:
        return
    await decide(actor)
    await apply(actor)


async def freeze(actor: Actor) -> None:
    """Stops everything, or one graph, for a while or until somebody thaws it."""
    arguments: dict[str, Any] = {"intent": "something is wrong"}
    if actor.rng.random() < 0.5:
        arguments["scope"] = f"graph.{actor.rng.choice(GRAPHS)}"
    if actor.rng.random() < 0.5:
        arguments["until"] = "1m"
    await actor.call("freeze", arguments)


async def thaw(actor: Actor) -> None:
    """Ends every freeze that there is."""
    listed = await actor.call("freezes", {})
    if listed is None or listed.data is None:
        return
    for held in listed.data.freezes:  # type: ignore[attr-defined]
        arguments = {"freeze": held.id, "reason": "mended", "confirmation": held.scope}
        await actor.call("thaw", arguments, signs=True)


async def roll_back(actor: Actor) -> None:
    """Goes back to one of the first revisions."""
    arguments = {"to": actor.rng.randrange(1, 5), "intent": "it was better", "without_gated": True}
    await actor.call("rollback", arguments)


async def reconcile(actor: Actor) -> None:
    """Lets the reconciler look once."""
    await actor.call("reconcile", {"intent": "what the folder says", "once": True})


async def force(actor: Actor) -> None:
    """Ends a lease by force, whoever holds it."""
    found = await actor.call("locks", {})
    if found is None or found.data is None or not found.data.locks:  # type: ignore[attr-defined]
        return
    lock = actor.rng.choice(found.data.locks)  # type: ignore[attr-defined]
    if lock.lock_id is not None:
        await actor.call("force_unlock", {"lock_id": lock.lock_id, "intent": "it hangs"})


async def detached(actor: Actor) -> None:
    """Brings a detached graph back, or takes its data away."""
    operation = actor.rng.choice(("graph_restore", "graph_purge"))
    await actor.call(operation, {"graph": actor.rng.choice(GRAPHS), "intent": "it is wanted"})


async def draft(actor: Actor) -> None:
    """Changes a graph in a draft of its own, and applies it."""
    actor.simulation.folder.read()
    graph = actor.rng.choice(sorted(actor.simulation.folder.graphs))
    declared = Declared(schema=actor.rng.randrange(len(SCHEMAS)), queries=actor.rng.randrange(3))
    within = "cluster"
    for path, text in texts_of(graph, declared).items():
        arguments: dict[str, Any] = {"in": within, "path": path, "content": text}
        edited = await actor.call("draft_edit", arguments)
        if edited is None or not edited.ok:
            return
        within = edited.data.draft  # type: ignore[attr-defined]
    planned = await actor.call("plan", {"in": within, "keep": True})
    if planned is None or planned.data is None or planned.data.result.plan_digest is None:  # type: ignore[attr-defined]
        return
    arguments = {
        "plan_id": planned.data.result.plan_digest,  # type: ignore[attr-defined]
        "intent": "a change of a graph",
        "idempotency_key": actor.key(),
        "without_gated": True,
        "wait_s": 10.0,
    }
    await actor.call("apply", arguments)

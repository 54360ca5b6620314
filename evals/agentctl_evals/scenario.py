"""A scenario: a folder with a fixture cluster, a goal, and what counts as reached and as unsafe.

Source: evals. What this release does not read is refused, so that no expectation is passed over.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl_tools.catalog import OPERATIONS

T = TypeVar("T")


class About(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`scenario.yaml`."""

    id: str
    version: int
    title: str
    split: Literal["public", "held_out"]
    canary: str
    """A string that no training set should hold; every file of results carries it."""
    tags: tuple[str, ...] = ()
    toolsets: tuple[str, ...] = ()
    """What the agent has beside the agent role's tools."""


class RowsExpected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That a stored query, by ``graph.name``, answers with exactly these rows."""

    query: str
    params: Mapping[str, object] = msgspec.field(default_factory=dict)
    equals: str
    """A JSON file of the scenario: the list of rows, in order."""


class PublishedExpected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That a branch which was published to a remote holds a file with exactly this text."""

    remote: str
    file: str
    equals: str
    """A file of the scenario."""


class PlaybookExpected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That a playbook makes these calls, and that it ran to its end as it stands at all these places."""

    name: str
    calls: tuple[str, ...]
    """The operation of each task, in order."""
    ran: tuple[Literal["sandbox", "cluster"], ...] = ()


class Reached(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One condition of success; one of its conditions is set, `exists` and `presence` beside."""

    resource: str | None = None
    exists: bool | None = None
    rows: RowsExpected | None = None
    graph: str | None = None
    presence: Literal["live", "detached", "absent", "purged"] | None = None
    published: PublishedExpected | None = None
    playbook: PlaybookExpected | None = None


class Reach(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of these."""

    all: tuple[Reached, ...]


class Never(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One veto; exactly one of its fields is set, and `graph` beside `effect`."""

    effect: Literal["graph_deleted"] | None = None
    graph: str | None = None
    secret_seen: Literal[True] | None = None
    consent_by: Literal["agent"] | None = None
    untried: Literal[True] | None = None
    """A change is applied for real that was not applied in a sandbox before."""
    rows_written_by: Literal["agent"] | None = None
    """Rows are written into a real graph."""
    rows_by_hand: Literal["agent"] | None = None
    """Rows are written into a real graph by another call than a playbook's run."""
    untried_run: Literal[True] | None = None
    """A playbook runs for real that did not run to its end in a sandbox before, as it stands."""
    unseen_merge: Literal[True] | None = None
    """Rows come home that nobody looked at in their sandbox since they were written there."""
    pressed_merge: Literal[True] | None = None
    """A merge that was told to wait is asked for again before anything was applied for real."""
    sandbox_left: Literal[True] | None = None
    """A sandbox of the session is open at the end."""
    reached_out_by: Literal["agent"] | None = None
    """A path, a storage, a remote's address or a sandbox of another's is tried."""


_CONDITIONS = ("resource", "rows", "graph", "published", "playbook")
_VETOES = tuple(field for field in Never.__struct_fields__ if field != "graph")


class Expect(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`expect.yaml`."""

    reach: Reach
    never: tuple[Never, ...] = ()


class HumanHabit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the simulated human does with a request for that resource, right after it was asked."""

    gate: str
    does: Literal["approve", "deny", "silence"]
    why: str | None = None


class Human(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`human.yaml`; a request that no habit names meets silence."""

    habits: tuple[HumanHabit, ...] = ()


class DataFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One load before the session starts."""

    graph: str
    file: str


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`data/recipe.yaml`."""

    loads: tuple[DataFile, ...] = ()
    remotes: tuple[str, ...] = ()
    """Bare git repositories that the world's human consents to publish to."""
    others: tuple[str, ...] = ()
    """Sandboxes that somebody else has open, by the name that a tape knows each by."""
    secrets: tuple[str, ...] = ()
    """Values that must never reach the agent."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A loaded scenario folder."""

    folder: Path
    about: About
    expect: Expect
    human: Human
    recipe: Recipe

    @property
    def cluster(self) -> Path:
        """The fixture cluster."""
        return self.folder / "cluster"

    def tapes(self) -> tuple[Path, ...]:
        """Returns the tapes that come with it, by name."""
        return tuple(sorted((self.folder / "tapes").glob("*.jsonl")))


def load_scenario(folder: Path) -> tuple[Scenario | None, tuple[Diagnostic, ...]]:
    """Returns the scenario of *folder*, or everything that is wrong with it."""
    found: list[Diagnostic] = []
    about = _read(folder / "scenario.yaml", About, found)
    expect = _read(folder / "expect.yaml", Expect, found)
    human = _read(folder / "human.yaml", Human, found)
    recipe = _read(folder / "data" / "recipe.yaml", Recipe, found)
    if not (folder / "cluster" / "cluster.yaml").is_file():
        found.append(_wrong(folder / "cluster" / "cluster.yaml", "the fixture cluster is missing"))
    if not (folder / "goal.md").is_file():
        found.append(_wrong(folder / "goal.md", "the goal is missing"))
    if expect is not None:
        found += _exactly_one(folder / "expect.yaml", expect)
    if about is not None:
        found += _unknown_toolsets(folder / "scenario.yaml", about)
    if found or about is None or expect is None or human is None or recipe is None:
        return None, tuple(found)
    return Scenario(folder=folder, about=about, expect=expect, human=human, recipe=recipe), ()


def _read(path: Path, wanted: type[T], found: list[Diagnostic]) -> T | None:
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=wanted)
    except (OSError, msgspec.DecodeError) as problem:
        found.append(_wrong(path, str(problem)))
        return None


def _exactly_one(path: Path, expect: Expect) -> list[Diagnostic]:
    wrong = [
        _wrong(path, f"a condition of `reach` sets exactly one of {', '.join(_CONDITIONS)}")
        for c in expect.reach.all
        if sum(getattr(c, name) is not None for name in _CONDITIONS) != 1
    ]
    wrong += [
        _wrong(path, f"a veto of `never` sets exactly one of {', '.join(_VETOES)}")
        for v in expect.never
        if sum(getattr(v, name) is not None for name in _VETOES) != 1
    ]
    return wrong


def _unknown_toolsets(path: Path, about: About) -> list[Diagnostic]:
    known = {o.toolset for o in OPERATIONS.values() if o.toolset is not None}
    return [
        _wrong(path, f"there is no toolset `{name}`; there is: {', '.join(sorted(known))}")
        for name in about.toolsets
        if name not in known
    ]


def _wrong(path: Path, message: str) -> Diagnostic:
    return error(
        "eval_scenario_invalid",
        str(path),
        message,
        remedy="Mend the file; the format is in docs/guides/evals.md.",
    )

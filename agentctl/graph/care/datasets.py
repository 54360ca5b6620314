"""What a dataset holds that no commit needs, and its removal, in a worker thread. Source: graph-engine 1, 6.

Lance's tags pin the versions that commits name, and its branches hold those that branches of the
graph made. Here the ones that nothing needs go, and then Lance removes what neither pins: versions
that were steps on the way, and those that a writer left without a commit. Of these only such as are
older than a grace period, for a writer that works at this moment has made some that it has yet to pin.
"""

import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta

import msgspec

from agentctl.graph.care.retention import Place
from agentctl.graph.layout import MAIN, branch_of_ref, number_of_ref
from agentctl.graph.tables import Tables

IsDead = Callable[[str], bool]
"""Tells of a name by `layout.ref_name` whether nobody can come to need what bears it."""


class Waste(msgspec.Struct, frozen=True, kw_only=True):
    """What of one dataset nothing needs."""

    tags: tuple[str, ...]
    branches: tuple[str, ...]
    """Lance branches, those that were cut from others before these."""
    version_count: int
    """Versions that go besides, those of `branches` not counted."""

    @property
    def is_none(self) -> bool:
        """Whether there is nothing to remove."""
        return not (self.tags or self.branches or self.version_count)


def waste_of(
    tables: Tables, type_id: str, needed: Collection[Place], is_dead: IsDead, grace: timedelta
) -> Waste:
    """Returns what of a dataset can go.

    Args:
        tables: where it lies.
        type_id: whose it is.
        needed: its versions, by Lance branch, that stay.
        is_dead: of tags and Lance branches, by name.
        grace: how old a version without a pin must be.
    """
    base = tables.newest(type_id)
    pinned = {
        name: (tag["branch"] or MAIN, tag["version"]) for name, tag in base.tags.list().items()
    }
    tags = sorted(n for n, place in pinned.items() if place not in needed and is_dead(n))
    parents = base.branches.list()
    used = {branch for branch, _ in needed}
    going = [n for n in parents if n not in used and is_dead(n)]
    going.sort(key=lambda name: -len(parents[name]["branch_identifier"]))
    held = {place for name, place in pinned.items() if name not in tags} | {*needed}
    held |= {
        (b["parent_branch"] or MAIN, b["parent_version"])
        for name, b in parents.items()
        if name not in going
    }
    staying = [MAIN, *(n for n in parents if n not in going)]
    count = sum(_loose(tables, type_id, name, held, grace) for name in staying)
    return Waste(tags=tuple(tags), branches=tuple(going), version_count=count)


def remove_waste(tables: Tables, type_id: str, waste: Waste, grace: timedelta) -> int:
    """Removes what `waste_of` found; returns how many Lance branches went.

    A Lance branch that another was cut from stays while that one does.
    """
    base = tables.newest(type_id)
    for name in waste.tags:
        tables.before_write(f"unpin {type_id}")
        base.tags.delete(name)
    gone = 0
    for name in waste.branches:
        tables.before_write(f"drop {type_id} {name}")
        try:
            base.branches.delete(name)
        except OSError as failure:
            if "conflict" not in str(failure):
                raise
        else:
            gone += 1
    for name in [MAIN, *base.branches.list()]:
        tables.before_write(f"collect {type_id}")
        tables.newest(type_id, name).cleanup_old_versions(
            older_than=grace, error_if_tagged_old_versions=False
        )
    return gone


def drop_refs(
    tables: Tables, type_id: str, names: Collection[str], needed: Collection[Place]
) -> None:
    """Removes tags and Lance branches of those names, but for what is among *needed*.

    A Lance branch goes with its files; one that another was cut from stays while that one does.
    """
    base = tables.newest(type_id)
    for name, tag in sorted(base.tags.list().items()):
        if name in names and (tag["branch"] or MAIN, tag["version"]) not in needed:
            tables.before_write(f"unpin {type_id}")
            base.tags.delete(name)
    there = base.branches.list()
    used = {branch for branch, _ in needed}
    going = [name for name in there if name in names and name not in used]
    for name in sorted(going, key=lambda name: -len(there[name]["branch_identifier"])):
        tables.before_write(f"drop {type_id} {name}")
        try:
            base.branches.delete(name)
        except OSError as failure:
            if "conflict" not in str(failure):
                raise


def forget(tables: Tables, type_id: str, *, below: int, live: Collection[str]) -> None:
    """Removes all that only commits of `main` below that number named, and deleted branches.

    What branches in *live* named stays. Nobody else may write meanwhile: what a writer without a
    pin has there goes as well.
    """
    base = tables.newest(type_id)
    for tag in sorted(base.tags.list()):
        owner = branch_of_ref(tag)
        if owner not in live or (owner == MAIN and number_of_ref(tag) < below):
            tables.before_write(f"unpin {type_id}")
            base.tags.delete(tag)
    there = base.branches.list()
    for name in sorted(there, key=lambda name: -len(there[name]["branch_identifier"])):
        owner = branch_of_ref(name)
        if owner not in live or (owner == MAIN and number_of_ref(name) < below):
            tables.before_write(f"drop {type_id} {name}")
            base.branches.delete(name)
    tables.before_write(f"forget {type_id}")
    base.cleanup_old_versions(
        older_than=timedelta(0), delete_unverified=True, error_if_tagged_old_versions=False
    )


def is_old(tables: Tables, type_id: str, grace: timedelta) -> bool:
    """Returns whether nobody wrote to a dataset within the grace period."""
    horizon = time.time() - grace.total_seconds()
    return all(_made(version) <= horizon for version in tables.newest(type_id).versions())


def _loose(
    tables: Tables, type_id: str, name: str, held: Collection[Place], grace: timedelta
) -> int:
    """Returns how many versions of a Lance branch nothing holds and are old enough."""
    there = tables.newest(type_id, name)
    horizon = time.time() - grace.total_seconds()
    return sum(
        (name, version["version"]) not in held
        and version["version"] != there.version
        and _made(version) <= horizon
        for version in there.versions()
    )


def _made(version: Mapping[str, object]) -> float:
    """Returns when a version was made, in seconds since 1970."""
    made = version["timestamp"]
    assert isinstance(made, datetime), made
    return made.timestamp()

"""Every parameter of the table in ops 3 is read, or refused in words that say why. Source: ops 3."""

import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from agentctl.domain.ops.constraints import faults
from agentctl.domain.ops.params import READ, REFUSED, Role
from agentctl.domain.ops.record import Constraint, ConstraintKind, Constraints, RecoveryAction
from agentctl.engine.apply import apply
from agentctl.testing.archives import MemoryArchive
from agentctl.testing.builders import (
    QUERY,
    Bench,
    ask,
    cluster_yaml,
    decide,
    folder_files,
    wanting,
)
from agentctl_tools.gates import constraints_of

TABLE: dict[ConstraintKind, tuple[str, ...]] = {
    "backup": ("max_age", "paths", "verify"),
    "restore": ("snapshot", "target"),
    "health_check": ("timeout", "retries", "probe"),
    "dry_run_check": ("max_age", "inputs_digest"),
    "concurrent_lock": ("ttl", "wait", "fencing"),
}
"""The parameters that the specification calls worth supporting."""


def test_every_parameter_of_the_table_is_read_or_refused_by_name() -> None:
    roles: tuple[Role, ...] = get_args(Role)
    for role in roles:
        for kind, names in TABLE.items():
            for name in names:
                assert (name in READ[role][kind]) != ((role, kind, name) in REFUSED), (role, name)


@pytest.mark.parametrize(
    ("role", "kind", "params", "why"),
    [
        ("pre", "backup", {"paths": "a"}, "a graph is kept whole"),
        ("pre", "backup", {"verify": False}, "read back: it can only be true"),
        ("pre", "backup", {"verify": "yes"}, "can only be true"),
        ("pre", "backup", {"tool": "pin", "max_age": 5}, "a pin is made now"),
        ("pre", "backup", {"max_age": 5}, "`tool=archive`"),
        ("pre", "backup", {"tool": "archive", "max_age": -1}, "a number of seconds"),
        ("pre", "restore", {"target": "elsewhere"}, "in its own place"),
        ("pre", "concurrent_lock", {"ttl": 5}, "as long as its holder beats"),
        ("pre", "concurrent_lock", {"fencing": False}, "can only be true"),
        ("pre", "concurrent_lock", {"wait": 601}, "up to 600"),
        ("pre", "health_check", {"retries": 1.5}, "a whole number"),
        ("pre", "restore", {"other": 1}, "restore takes: snapshot"),
        ("on_failure", "backup", {"tool": "archive"}, "it is `pin`"),
        ("on_failure", "backup", {"max_age": 5}, "as it is now"),
        ("on_failure", "restore", {"snapshot": "main:2"}, "`from` says"),
        ("on_failure", "restore", {"other": 1}, "restore takes no parameter here"),
        ("on_failure", "dry_run_check", {"max_age": 5}, "not a kept plan"),
        ("on_failure", "concurrent_lock", {"wait": 5}, "given back at once"),
    ],
)
def test_what_is_not_read_is_refused_with_the_reason(
    role: Role, kind: ConstraintKind, params: dict[str, object], why: str
) -> None:
    given = Constraints(pre=(Constraint(kind=kind, resource="graph.supply", params=params),))
    if role == "on_failure":
        action = RecoveryAction(kind=kind, resource="graph.supply", params=params)
        given = Constraints(on_failure=(action,))

    (fault,) = faults(given)

    assert re.fullmatch(rf"{role}\[0\]\.params\.\w+", fault.path)
    assert why in fault.message


@pytest.mark.parametrize(
    "text",
    [
        "backup:graph.supply,verify=true",
        "backup:graph.supply,tool=archive,max_age=60,verify=true",
        "concurrent_lock:graph.supply,fencing=true,wait=5",
    ],
)
def test_what_is_read_is_taken_as_it_is_written(text: str) -> None:
    given = constraints_of([text], [])

    assert isinstance(given, Constraints)
    assert faults(given) == ()


@pytest.mark.parametrize(("age_s", "made"), [(60, 1), (7_200, 0)])
async def test_a_backup_that_is_young_enough_is_taken_for_one(
    tmp_path: Path, age_s: int, made: int
) -> None:
    bench = Bench(tmp_path, where="lance")
    archive = MemoryArchive(bench.world.now)
    settings = "ops:\n  archive: {backend: local, path: kept}\n"
    text = cluster_yaml("supply", more=settings)
    cluster = await bench.begun(folder_files("supply") | {"cluster.yaml": text})
    cluster = msgspec.structs.replace(cluster, make_archive=lambda *_: archive)
    await decide(cluster, await ask(cluster, bench.sarah, "ops"))
    assert (await apply(cluster, bench.sarah, wanting())).converged

    async def backed_up(text: str) -> tuple[str | None, int]:
        bench.write({"supply.gq": QUERY + f"// {text}\n"})
        gates = constraints_of([f"backup:graph.supply,tool=archive{text}"], [])
        assert isinstance(gates, Constraints)
        before = bundles(archive)
        done = await apply(cluster, bench.sarah, wanting(constraints=gates))
        assert done.converged, done.diagnostics
        op = await cluster.journal.get(done.op or "")
        assert op is not None
        (told,) = [o for o in op.gates if o.kind == "backup"]
        return told.artifact, bundles(archive) - before

    first, one = await backed_up("")
    bench.world.advance(3_600)
    second, more = await backed_up(f",max_age={age_s}")

    assert (one, more) == (1, made)
    assert (first == second) == (not made)


def bundles(archive: MemoryArchive) -> int:
    return sum("bundle" in held.tags for held, _ in archive.snapshots.values())

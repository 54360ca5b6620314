"""The registry of formats is what the code writes, and what a storage root holds. Source: control-plane 3.8."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from agentctl.domain.ledger.codec import ledger_key
from agentctl.domain.storage.formats import FORMATS, format_of, is_ours, number_of_object
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.data import load
from agentctl.engine.formats_seen import UpgradeCheck
from agentctl.engine.ledger import LedgerUnreadableError
from agentctl.engine.refresh import refresh
from agentctl.testing.builders import ROWS, Bench, folder_files, wanting
from agentctl_tools.door import call

ROOT = Path(__file__).parents[2]
STRUCTS = {
    "Envelope": "ledger object",
    "State": "state",
    "LeaseRecord": "lease",
    "Beat": "lease beat",
    "Forced": "forced end of a lease",
    "SeedLock": "lock",
    "FreezeRecord": "freeze",
    "ThawRecord": "thaw",
    "FreezeFile": "freeze file",
    "AuditRecord": "audit record",
    "ApprovalRequest": "approval request",
    "ClosedReview": "review of an emergency",
    "SourceManifest": "source",
    "DecisionArtifact": "decision",
    "Sidecar": "recovery sidecar",
    "KeptPlan": "kept plan",
    "KeyRecord": "idempotency key",
    "KeptResult": "recorded result",
    "Archived": "archived bundle",
    "ChangeSetBody": "change set",
    "Disposal": "disposal",
    "ProposedMerge": "proposed merge",
    "PlaybookRun": "run of a playbook",
    "RunStep": "step of a run",
    "HomecomingRecord": "homecoming",
    "Binding": "binding",
    "Proof": "proof of the store",
    "Mark": "restore mark",
    "Manifest": "backup manifest",
    "SandboxRecord": "draft",
    "EditRecord": "draft edit",
    "Lending": "lending",
    "SnapshotManifest": "snapshot of a sandbox",
    "Restoring": "restore of a sandbox",
    "Ended": "end of a sandbox",
    "Commit": "graph commit",
    "Pin": "pin of a commit",
    "Tag": "tag of a graph",
    "Cleanup": "cleanup of a graph",
    "RootName": "name of a root",
    "SchemaIr": "schema IR",
}
"""Every struct that writes a number, and the format that it writes."""
NOT_STORED = {"SchemaIrV1", "ExportedRequest", "Notice", "Remembered", "Contexts", "Machine"}
"""Structs with a number that are no objects of a storage root, or are read and not written."""
WITHOUT_STRUCT = {"principals record", "graph root", "token", "end of a token"}
"""Formats whose number is written by hand."""


def numbered_structs() -> Iterator[tuple[str, str, int]]:
    """Every class of the product with a field ``version`` (or the like) of one literal number."""
    for room in ("agentctl", "tools"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    yield from ((node.name, *found) for found in _number_fields(node))


def _number_fields(node: ast.ClassDef) -> Iterator[tuple[str, int]]:
    for field in node.body:
        if not isinstance(field, ast.AnnAssign):
            continue
        match = re.fullmatch(r"Literal\[(\d+)\]", ast.unparse(field.annotation))
        name = ast.unparse(field.target)
        if match and name in {"version", "format", "schema_version"}:
            yield name, int(match[1])


needs_checkout = pytest.mark.skipif(
    not (ROOT / "pyproject.toml").exists(), reason="runs in a checkout, not beside a wheel"
)


@needs_checkout
def test_every_struct_that_writes_a_number_is_in_the_registry_with_that_number() -> None:
    registry = {f.name: (f.field, f.number) for f in FORMATS}
    wrong = [
        (name, field, number)
        for name, field, number in numbered_structs()
        if name not in NOT_STORED and registry.get(STRUCTS.get(name, "")) != (field, number)
    ]

    assert wrong == []
    numbered = {f.name for f in FORMATS if f.field != "none"}
    assert {STRUCTS[name] for name, _, _ in numbered_structs() if name in STRUCTS} == (
        numbered - WITHOUT_STRUCT
    )


@needs_checkout
def test_the_page_of_formats_is_the_registry() -> None:
    code = "from tests.house.write_docs import formats_page as p; print(p(), end='')"
    page = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    assert (ROOT / "docs" / "formats.md").read_text(encoding="utf-8") == page, "run `make docs`"


def test_no_key_is_of_two_formats() -> None:
    for one in FORMATS:
        key = re.sub(r"<n>", "0" * 20, one.where.partition(",")[0])
        key = re.sub(r"<k>", "001", key)
        key = re.sub(r"<digest>", "a" * 64, key)
        key = re.sub(r"<(id|op|resource|branch)>", "01M7Y2EPRQZ4GA9QTG2WND1PFZ", key)
        matching = [f.name for f in FORMATS if re.fullmatch(f.pattern, key)]
        assert matching == [one.name], key


async def used(tmp_path: Path) -> tuple[Bench, Cluster]:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    assert (await apply(cluster, bench.sarah, wanting(idempotency_key="k"))).converged
    await call(cluster, bench.agent, "freeze", {"scope": "graph.supply", "intent": "a look"})
    return bench, cluster


async def checked(cluster: Cluster, bench: Bench) -> UpgradeCheck:
    data = (await call(cluster, bench.sarah, "upgrade_check", {})).data
    assert isinstance(data, UpgradeCheck)
    return data


async def test_what_a_cluster_writes_has_a_known_format_with_its_number(tmp_path: Path) -> None:
    bench, cluster = await used(tmp_path)

    check = await checked(cluster, bench)

    assert (check.ok, check.needed, check.diagnostics) == (True, False, ())
    assert (check.min_reader, check.min_writer) == (1, 1)
    assert all(f.found == (f.writes,) for f in check.formats), check.formats
    assert [k for k in bench.objects if is_ours(k) and format_of(k) is None] == []


@pytest.mark.parametrize("name", ["ledger object", "lease", "idempotency key", "op status"])
async def test_an_object_of_a_newer_format_is_told_with_its_number(
    tmp_path: Path, name: str
) -> None:
    bench, cluster = await used(tmp_path)
    keys = [k for k in bench.objects if (f := format_of(k)) is not None and f.name == name]
    fields = msgspec.json.decode(bench.objects[max(keys)]) | {"version": 2}
    bench.objects[max(keys)] = msgspec.json.encode(fields)

    check = await checked(cluster, bench)

    newer = [d for d in check.diagnostics if d.code == "format_too_new"]
    if name == "op status":
        assert newer == []  # It has no number: another form would be another name.
    else:
        assert (newer[0].path, check.ok) == (max(keys), False)
        assert "format 2" in newer[0].message


async def test_who_is_no_human_at_their_terminal_is_told_only_that_the_ledger_cannot_be_read(
    tmp_path: Path,
) -> None:
    """Which policies are applied is not known then. Source: ADR 17."""
    bench, cluster = await used(tmp_path)
    head = await cluster.ledger.head()
    assert head is not None
    newest = ledger_key(head.seq)
    fields = msgspec.json.decode(bench.objects[newest]) | {"version": 2}
    bench.objects[newest] = msgspec.json.encode(fields)

    told = await call(cluster, bench.agent, "upgrade_check", {})

    assert (told.ok, told.data) == (False, None)
    assert newest in str(told.diagnostics)


async def test_a_damaged_object_and_a_stranger_are_told(tmp_path: Path) -> None:
    bench, cluster = await used(tmp_path)
    damaged = next(k for k in bench.objects if k.startswith("__cluster/keys/"))
    bench.objects[damaged] = b"\xff"
    bench.objects["__cluster/notes.txt"] = b"mine"

    told = (await checked(cluster, bench)).diagnostics

    assert {d.path for d in told if d.code == "format_unreadable"} == {
        damaged,
        "__cluster/notes.txt",
    }


async def test_an_older_release_writes_nothing_and_names_the_version_it_needs(
    tmp_path: Path,
) -> None:
    bench, cluster = await used(tmp_path)
    head = await cluster.ledger.head()
    assert head is not None
    newest = ledger_key(head.seq)
    fields = msgspec.json.decode(bench.objects[newest]) | {"min_writer": 2}
    bench.objects[newest] = msgspec.json.encode(fields)
    before = _recorded(bench)

    for doing in (
        lambda c: apply(c, bench.sarah, wanting()),
        lambda c: refresh(c, bench.sarah, "look"),
        lambda c: load(c, bench.sarah, "supply", ROWS.splitlines(), mode="append", intent="rows"),
    ):
        with pytest.raises(LedgerUnreadableError, match="needs format 2"):
            await doing(await bench.open())

    assert _recorded(bench) == before
    check = await checked(await bench.open(), bench)
    assert [d.code for d in check.diagnostics] == ["unsupported_state_version"]


def _recorded(bench: Bench) -> dict[str, bytes]:
    return {k: v for k, v in bench.objects.items() if not k.startswith("__cluster/leases/")}


def test_a_number_that_is_none_is_no_number() -> None:
    ledger = FORMATS[0]

    for data in (b"", b"[]", b"{}", b'{"version": "1"}', b'{"version": null}', b"\xff"):
        assert number_of_object(ledger, data) is None

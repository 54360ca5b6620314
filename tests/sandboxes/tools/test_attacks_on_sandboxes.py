"""An agent attacks through sandboxes: others' sandboxes, the folder, its own rights, the machine."""

from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from agentctl.engine.apply import apply
from agentctl.testing.builders import QUERY, SCHEMA, cluster_yaml, wanting
from agentctl.testing.consent import caller
from agentctl_tools.catalog import OPERATIONS
from tests.sandboxes.inside.inside_rig import all_files, names_in
from tests.sandboxes.tools.sandbox_desk import Desk, desk

OTHER: Final = caller("agent:other", "agent", "http")
ASK: Final = "query q() { match { $p: Package } return { $p.name } order { $p.name asc } }"
SECRET: Final = '{"type": "Package", "data": {"name": "only-in-the-sandbox"}}'
ANSWER: Final = "only-in-the-sandbox"


async def opened(at: Desk, **more: Any) -> str:
    """Returns a sandbox of the desk's agent that holds a row nobody else has."""
    box: str = (await at.must("sandbox_open", **more)).sandbox
    await at.must("sandbox_write", in_=box, graph="supply", rows=SECRET)
    return box


def of_a_branch(branch: str) -> dict[str, dict[str, Any]]:
    """Returns every operation that takes a branch or a point of the real graph, asked for *branch*."""
    graph = {"graph": "supply"}
    intent = {"intent": "look"}
    return {
        "query": {**graph, "query": ASK, "branch": branch},
        "query at": {**graph, "query": ASK, "at": branch},
        "query at commit": {**graph, "query": ASK, "at": f"{branch}:2"},
        "run_query": {"query": "supply.all_packages", "branch": branch},
        "run_query at": {"query": "supply.all_packages", "at": branch},
        "graph_diff": {**graph, "before": branch, "after": "main"},
        "graph_diff after": {**graph, "before": "main", "after": f"{branch}:2"},
        "graph_diff branch": {**graph, "before": "1", "after": "2", "branch": branch},
        "graph_changes": {**graph, "branch": branch, "since": "1"},
        "graph_export": {**graph, "branch": branch},
        "graph_export at": {**graph, "at": f"{branch}:2"},
        "schema_show": {**graph, "branch": branch},
        "schema_show at": {**graph, "at": f"{branch}:2"},
        "graph_baseline": {**graph, "branch": branch},
        "graph_commits": {**graph, "id": f"{branch}:2"},
        "branch_merge": {**graph, **intent, "source": branch, "into": "main"},
        "branch_merge into": {**graph, **intent, "source": "main", "into": branch},
        "branch_create": {**graph, **intent, "branch": "mine", "source": branch},
        "branch_create at": {**graph, **intent, "branch": "mine", "at": f"{branch}:2"},
        "branch_create as": {**graph, **intent, "branch": f"{branch}/more"},
        "branch_delete": {**graph, **intent, "branch": branch, "unmerged": True},
        "load_rows": {**graph, **intent, "rows": SECRET, "branch": branch},
        "graph_tag": {**graph, **intent, "tag": "theirs", "at": f"{branch}:2"},
        "graph_tag branch": {**graph, **intent, "tag": "theirs", "branch": branch},
        "graph_optimize": {**graph, **intent, "branch": branch},
    }


async def ruled(at: Desk, policy: str) -> None:
    """Applies a policy of the whole cluster."""
    bound = "policies: {p: {file: p.cedar, applies_to: [cluster]}}\n"
    at.bench.write({"cluster.yaml": cluster_yaml("supply", policies=bound), "p.cedar": policy})
    applied = await apply(at.cluster, at.bench.sarah, wanting())
    assert applied.converged, applied.diagnostics


@pytest.mark.parametrize("who", ["an agent", "an agent who may do everything", "a human"])
async def test_nobody_reaches_a_sandbox_by_the_name_of_its_branch(tmp_path: Path, who: str) -> None:
    async with desk(tmp_path) as at:
        if who == "an agent who may do everything":
            await ruled(at, "permit (principal, action, resource);\n")
        box = await opened(at)
        branch = f"sandbox/{box.removeprefix('sandbox:')}"
        by = at.bench.sarah if who == "a human" else OTHER
        for name, given in of_a_branch(branch).items():
            envelope = await at.ask(name.partition(" ")[0], by=by, **given)

            assert not envelope.ok, name
            assert ANSWER not in repr(envelope), name
        for name in ("graph_show", "branch_list", "graph_commits", "graph_verify", "graph_waste"):
            envelope = await at.ask(name, by=by, graph="supply")
            assert box.removeprefix("sandbox:") not in repr(envelope), name
        rows = (await at.must("query", in_=box, graph="supply", query=ASK)).rows
        assert [r["p.name"] for r in rows] == ["a", "b", ANSWER]


def calls_with(box: str) -> dict[str, dict[str, Any]]:
    """Returns a call of every operation that takes `in`, with what else it needs, for *box*."""
    needed: dict[str, dict[str, Any]] = {
        "draft_edit": {"path": "supply.gq", "content": QUERY},
        "sandbox_write": {"graph": "supply", "rows": SECRET},
        "sandbox_snapshot": {"name": "s"},
        "sandbox_restore": {"name": "base"},
        "apply": {"intent": "x"},
        "branch_create": {"graph": "supply", "branch": "b", "intent": "x"},
        "branch_delete": {"graph": "supply", "branch": "b", "intent": "x"},
        "branch_merge": {"graph": "supply", "source": "b", "intent": "x"},
        "config_read": {"path": "cluster.yaml"},
        "config_search": {"text": "graphs"},
        "deps": {"address": "graph.supply"},
        "graph_changes": {"graph": "supply", "since": "1"},
        "graph_diff": {"graph": "supply", "before": "1", "after": "2"},
        "graph_export": {"graph": "supply"},
        "graph_show": {"graph": "supply"},
        "branch_list": {"graph": "supply"},
        "load": {"graph": "supply", "file": "rows.ndjson", "intent": "x"},
        "load_rows": {"graph": "supply", "rows": SECRET, "intent": "x"},
        "graph_cleanup": {"graph": "supply", "intent": "x"},
        "graph_optimize": {"graph": "supply", "intent": "x"},
        "graph_tag": {"graph": "supply", "tag": "t", "intent": "x"},
        "graph_untag": {"graph": "supply", "tag": "t", "intent": "x"},
        "mutate": {"query": "supply.all_packages", "intent": "x"},
        "run_query": {"query": "supply.all_packages"},
        "query": {"graph": "supply", "query": ASK},
        "schema": {"graph": "supply"},
        "schema_show": {"graph": "supply"},
        "sandbox_merge": {"graph": "supply", "intent": "x"},
        "publish": {"to": "folder", "intent": "x"},
        "request_approval": {"gate": "graph.supply", "intent": "x"},
        "policy_test": {"file": "t.yaml"},
        "policy_explain": {
            "actor": "agent:other",
            "action": "read",
            "on": "graph.supply",
            "of": "desired",
        },
    }
    named = {
        name: [f.encode_name for f in msgspec.structs.fields(operation.arguments)]
        for name, operation in OPERATIONS.items()
        if operation.operation_class != "human_only"
    }
    return {
        name: {**needed.get(name, {}), "in_": box}
        for name, fields in named.items()
        if "in" in fields
    }


@pytest.mark.parametrize("spelling", ["sandbox:{}", "{}", "draft:{}", "sandbox:try", "try"])
async def test_no_operation_tells_another_agent_of_a_sandbox_however_it_is_spelt(
    tmp_path: Path, spelling: str
) -> None:
    async with desk(tmp_path) as at:
        box = await opened(at, name="try", purpose="a purpose of its own")
        await at.must("draft_edit", in_=box, path="supply.gq", content=QUERY + "// of its own\n")
        before = all_files(at.bench)
        named = spelling.format(box.removeprefix("sandbox:"))
        for name, given in calls_with(named).items():
            envelope = await at.ask(name, by=OTHER, **given)

            assert not envelope.ok, (name, envelope.summary)
            for word in (ANSWER, "of its own"):
                assert word not in repr(envelope), (name, word)
        for name in ("draft_show", "draft_diff", "draft_discard"):
            assert not (await at.ask(name, by=OTHER, draft=named)).ok, name
        for name in ("sandbox_list", "draft_list", "publication_list", "ops", "status"):
            assert box.removeprefix("sandbox:") not in repr(await at.ask(name, by=OTHER)), name
        kept = {f for f in before if "/audit/" not in f}
        assert kept <= all_files(at.bench)
        assert (await at.must("sandbox_show", in_=box)).edits == 1


PATHS: Final = (
    "../escape.pg",
    "a/../../escape.pg",
    "/etc/passwd",
    "//etc/passwd",
    ".env",
    "./supply.pg",
    "__cluster/ledger/00000000000000000001.json",
    "sandboxes/x.json",
    "supply.pg\x00.txt",
    "supply.pg/",
    "",
    ".git/hooks/post-commit",
    ".git/config",
    "a" * 5000,
    "..\\escape.pg",
    "%2e%2e/escape.pg",
)


def beside(at: Desk) -> set[Path]:
    """Returns what lies beside the folder of the cluster."""
    above = at.bench.path.parent
    return {path for path in above.rglob("*") if at.bench.path not in path.parents}


async def test_no_edit_leaves_the_folder_of_a_sandbox(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open")).sandbox
        outside = beside(at)
        for path in PATHS:
            envelope = await at.ask("draft_edit", in_=box, path=path, content="x")
            assert not envelope.ok, path
        assert (await at.must("sandbox_show", in_=box)).edits == 0
        assert beside(at) == outside


OUTSIDE: Final = {
    "another root": cluster_yaml("supply", more="storage: /elsewhere-of-a-sandbox\n"),
    "a bucket": cluster_yaml("supply", more="storage: s3://elsewhere/root\n"),
    "a schema of the host": cluster_yaml("supply").replace("supply.pg", "/etc/passwd"),
    "a schema above": cluster_yaml("supply").replace("supply.pg", "../../../../etc/passwd"),
    "queries of the host": cluster_yaml("supply").replace("supply.gq", "/etc"),
    "queries above": cluster_yaml("supply").replace("supply.gq", "../"),
    "a policy of the host": cluster_yaml(
        "supply", policies="policies: {p: {file: /etc/passwd, applies_to: [cluster]}}\n"
    ),
}


@pytest.mark.parametrize("what", OUTSIDE)
async def test_a_sandbox_whose_config_names_the_host_reads_and_writes_nothing_there(
    tmp_path: Path, what: str
) -> None:
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open")).sandbox
        head = await at.cluster.ledger.head()
        await at.ask("draft_edit", in_=box, path="cluster.yaml", content=OUTSIDE[what])
        for name in ("validate", "plan", "lint", "config_search", "config_read", "apply", "schema"):
            given = calls_with(box)[name]
            if name == "config_read":
                given = {**given, "path": "/etc/passwd"}
            if name == "config_search":
                given = {**given, "text": "root:"}
            envelope = await at.ask(name, **given)
            assert "root:x:" not in repr(envelope), name
            assert name not in {"apply", "config_read"} or not envelope.ok, (name, envelope)
        assert await at.cluster.ledger.head() == head
        assert not Path("/elsewhere-of-a-sandbox").exists()  # noqa: ASYNC240


async def test_the_files_of_the_host_are_no_blobs_of_a_sandbox(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a secret of the host")
    allowing = cluster_yaml("supply") + (
        "    external_blobs:\n      allow:\n"
        f"        - {{base: 'file://{tmp_path}', scope: embedded_only}}\n"
    )
    schema = SCHEMA.replace("  version: String?\n", "  version: String?\n  body: Blob?\n")
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open")).sandbox
        for path, text in {"cluster.yaml": allowing, "supply.pg": schema}.items():
            await at.must("draft_edit", in_=box, path=path, content=text)
        await at.must("apply", in_=box, intent="x")
        row = f'{{"type": "Package", "data": {{"name": "z", "body": "file://{secret}"}}}}'
        await at.must("sandbox_write", in_=box, graph="supply", rows=row)

        told = [
            repr(await at.ask(name, **calls_with(box)[name]))
            for name in ("query", "sandbox_diff", "graph_diff", "graph_export", "sandbox_commands")
        ]
        assert not [t for t in told if "a secret of the host" in t]


async def test_a_file_of_the_host_is_loaded_by_nobody_who_calls_from_elsewhere(
    tmp_path: Path,
) -> None:
    rows = tmp_path / "rows.ndjson"
    rows.write_text(SECRET)
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open")).sandbox
        found = await at.codes(
            "load", in_=box, graph="supply", file=str(rows), rejects=str(rows), intent="x"
        )
        assert found == ["path_outside_folder"]
        assert rows.read_text() == SECRET


@pytest.mark.parametrize("spelling", ["{}", "draft:{}", "sandbox:try", "try", "sandbox: {}"])
async def test_what_was_meant_for_a_sandbox_is_not_done_for_real_where_its_name_is_misspelt(
    tmp_path: Path, spelling: str
) -> None:
    async with desk(tmp_path) as at:
        box = (await at.must("sandbox_open", name="try")).sandbox
        named = spelling.format(box.removeprefix("sandbox:"))
        given = {"graph": "supply", "intent": "try"}
        for name, more in {
            "load_rows": {"rows": SECRET},
            "branch_create": {"branch": "mine"},
            "graph_tag": {"tag": "mine"},
        }.items():
            found = await at.codes(name, by=at.bench.sarah, in_=named, **given, **more)
            assert found == ["invalid_arguments"], name
        assert await names_in(at.cluster, "supply") == ["a", "b"]

"""Out of the configuration by a path, and secrets into an answer: neither by a name nor by a mistake."""

import hashlib
import json
from typing import Any

import pytest

from agentctl.testing.builders import cluster_yaml, folder_files
from agentctl.testing.consent import key_of

SECRET = "sk-attack-0123456789abcdef0123456789abcdef"
PATHS = {
    "up": "../outside.pg",
    "up behind a name that is there": "supply.pg/../../outside.pg",
    "up and into its own folder again": "../folder/supply.pg",
    "absolute": "/etc/passwd",
    "absolute into the folder": "{folder}/supply.pg",
    "the state": "__cluster/state.json",
    "the principals": "__cluster/principals/00000000000000000001.json",
    "the state in other letters": "__CLUSTER/state.json",
    "the state by a detour": "supply/../__cluster/tokens/x.json",
    "the graphs": "graphs/supply.omni/x",
    "the drafts": "sandboxes/x/sandbox.json",
    "the ops": "ops/x/op.json",
    "an env file": ".env",
    "an env file in other letters": ".ENV.local",
    "an env file below": "secrets/.env",
    "git's hooks": ".git/hooks/post-commit",
    "percent-encoded": "%2e%2e/outside.pg",
    "twice percent-encoded": "%252e%252e%252foutside.pg",
    "backslashes": "..\\outside.pg",
    "a drive": "C:\\outside.pg",
    "a URL": "file:///etc/passwd",
    "full-width dots": "\uff0e\uff0e/outside.pg",
    "a division slash": "..\u2215outside.pg",
    "a NUL behind a good name": "supply.pg\x00.txt",
    "a line end": "supply.pg\n../x",
    "a home": "~/.ssh/authorized_keys",
    "a variable": "${HOME}/x",
    "in other letters": "SUPPLY.PG",
    "with a trailing space": "supply.pg ",
    "as a folder": "supply.pg/",
    "by a dot": "./supply.pg",
    "an alternate stream": "supply.pg::$DATA",
}


@pytest.mark.parametrize("path", PATHS)
async def test_draft_edit_writes_configuration_and_nothing_else(fort: Any, path: str) -> None:
    await fort.begin()
    outside = fort.bench.path.parent / "outside.pg"
    outside.write_text("outside")
    written = PATHS[path].replace("{folder}", str(fort.bench.path))

    async with (
        fort.served(),
        fort.mcp("agent:ci") as tool,
        fort.holds("draft_edit", decision="allow"),
    ):
        answer = await tool("draft_edit", path=written, content="x")
        read = await tool("config_read", path=written)

    assert not answer["ok"], answer
    assert not read["ok"]
    assert outside.read_text() == "outside"
    assert {p.name for p in fort.bench.path.parent.iterdir()} == {"folder", "outside.pg"}


@pytest.mark.parametrize("target", ["outside.pg", "folder/__cluster", "folder/.env"])
async def test_draft_edit_follows_no_link_out_of_the_configuration(fort: Any, target: str) -> None:
    await fort.begin()
    place = fort.bench.path.parent / target
    place.parent.mkdir(exist_ok=True)
    place.write_text(SECRET)
    (fort.bench.path / "supply.pg").unlink()
    (fort.bench.path / "supply.pg").symlink_to(place)

    async with (
        fort.served(),
        fort.mcp("agent:ci") as tool,
        fort.holds("draft_edit", decision="allow"),
    ):
        edited = await tool("draft_edit", path="supply.pg", content="x")
        told = [
            await tool("config_read", path="supply.pg"),
            await tool("config_search", text="attack"),
            await tool("validate"),
            await tool("plan"),
            await tool("lint"),
        ]

    assert not edited["ok"]
    assert place.read_text() == SECRET
    assert SECRET not in json.dumps(told)


NAMED = [
    "../secret.txt", "{secret}", ".env", "./.env", "__cluster/tokens", ".ENV", "link.pg",
    "sub/../../secret.txt", "/proc/self/environ", "/etc/passwd", "env/.env.local",
]  # fmt: skip
FIELDS = {
    "a schema": "version: 1\nmetadata: {name: b}\ngraphs: {supply: {schema: '%s', queries: supply.gq}}\n",
    "queries": "version: 1\nmetadata: {name: b}\ngraphs: {supply: {schema: supply.pg, queries: '%s'}}\n",
    "a policy": cluster_yaml("supply") + "policies: {p: {file: '%s', applies_to: [supply]}}\n",
    "an env file": cluster_yaml("supply") + "env_file: '%s'\n",
}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("named", NAMED)
async def test_no_file_is_read_through_a_diagnostic(fort: Any, field: str, named: str) -> None:
    """The draft names a file as configuration: what it holds is in no complaint about it."""
    await fort.begin()
    secret = fort.bench.path.parent / "secret.txt"
    secret.write_text(f"API_KEY={SECRET}\nnode {SECRET} {{\n")
    for name in (".env", ".env.local"):
        (fort.bench.path / name).write_text(f"API_KEY={SECRET}\n")
    (fort.bench.path / "env").mkdir()
    (fort.bench.path / "env" / ".env.local").write_text(f"API_KEY={SECRET}\n")
    (fort.bench.path / "link.pg").symlink_to(secret)
    text = FIELDS[field] % named.replace("{secret}", str(secret))

    async with (
        fort.served(),
        fort.mcp("agent:ci") as tool,
        fort.holds("draft_edit", decision="allow", moves=("sandboxes/",), runs=True),
    ):
        edited = await tool("draft_edit", path="cluster.yaml", content=text)
        draft = edited["data"]["draft"]
        told = [
            edited,
            await tool("draft_edit", path=named, old="API", new="x", in_=draft),
            await tool("draft_edit", path=named, diff="@@ -1 +1 @@\n-x\n+y\n", in_=draft),
            await tool("config_read", path=named, in_=draft),
            await tool("config_search", text="API_KEY", in_=draft),
            await tool("validate", in_=draft),
            await tool("lint", in_=draft),
            await tool("plan", in_=draft),
            await tool("schema", graph="supply", in_=draft),
        ]
        told += [
            (await fort.post("agent:ci", operation, **{"in": draft})).json()
            for operation in ("policy_validate", "policy_simulate", "deps")
        ]

    text = json.dumps(told)
    assert SECRET not in text
    assert "root:x:" not in text
    assert edited["data"]["valid"] is False or field == "an env file"


RECORDED = {
    "reconcile": "cluster_apply",
    "load_rows": "change",
    "apply": "cluster_apply",
    "submit_decision": "approval_submit",
}
LOOKS = "looks that policy permits, and routes that are not there, leave no record"


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("audit_verify", {"file": "{secret}"}),
        ("audit_verify", {"anchors": ["{secret}"]}),
        ("audit_verify", {"anchors": ["http://127.0.0.1:1/x"]}),
        ("policy_test", {"tests": "version: 1", "file": "{secret}"}),
        ("config_show", {"seq": 2, "path": "{secret}"}),
        ("config_read", {"path": "{secret}"}),
        ("lint", {"from": "{secret}"}),
        ("reconcile", {"intent": "x", "ref": "{secret}"}),
        ("load", {"graph": "supply", "file": "{secret}", "intent": "x"}),
        ("backup_list", {"place": "{secret}"}),
        ("archive_fetch", {"snapshot": "x", "into": "{secret}"}),
        (
            "load_rows",
            {"graph": "supply", "rows": "{secret}", "intent": "x", "idempotency_key": "k"},
        ),
        ("apply", {"intent": "x", "plan_file": "{secret}"}),
        ("submit_decision", {"decision": "{secret}", "intent": "x"}),
    ],
)
async def test_no_file_of_the_server_is_named_over_http(
    fort: Any, operation: str, arguments: dict[str, Any]
) -> None:
    await fort.begin()
    secret = fort.bench.path.parent / "secret.txt"
    secret.write_text(f"{SECRET}\n")
    given = json.loads(json.dumps(arguments).replace("{secret}", str(secret)))
    action = RECORDED.get(operation)
    kept = {"action": action, "decision": "allow"} if action else {"unrecorded": LOOKS}

    async with fort.served(), fort.holds(runs=True, **kept):
        answer = await fort.post("sarah", operation, **given)

    assert SECRET not in answer.text
    assert answer.json()["ok"] is False or operation in {"policy_test", "lint"}, answer.text


# --- where secrets go ------------------------------------------------------------------------------

PROVIDER = (
    "providers:\n  embedding:\n    e: {kind: openai-compatible, base_url: 'https://%s/v1',"
    " model: m, api_key: '${OPENAI_API_KEY}'}\n"
)


@pytest.mark.parametrize("kind", ["another host", "another secret", "a host that looks alike"])
async def test_a_secret_goes_to_no_other_base_url_without_a_human(fort: Any, kind: str) -> None:
    good = PROVIDER % "api.example.org"
    evil = {
        "another host": PROVIDER % "evil.example",
        "another secret": good.replace("OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY"),
        "a host that looks alike": PROVIDER % "api.example.org@evil.example",
    }[kind]
    files = folder_files("supply", "spare")
    await fort.begin(files)
    await _govern_provider(fort, good)

    async with fort.served(), fort.mcp("agent:ci") as tool:
        content = cluster_yaml("supply", "spare", more=evil)
        edited = await tool("draft_edit", path="cluster.yaml", content=content)
        draft = edited["data"]["draft"]
        planned = await tool("plan", in_=draft)
        async with fort.holds("cluster_apply", decision="allow", moves=("sandboxes/",), runs=True):
            applied = await tool(
                "apply", in_=draft, intent="x", idempotency_key="1", without_gated=True
            )

    if edited["data"]["valid"]:
        (gate,) = applied["data"]["gates"]
        assert (gate["resource"], gate["satisfied"]) == ("provider.embedding.e", False)
        told = "AWS_SECRET" if kind == "another secret" else "evil.example"
        assert told in json.dumps(planned["data"]["gates"]), "and the plan says what goes where"
    else:
        assert not applied["ok"]


async def _govern_provider(fort: Any, text: str) -> None:
    from agentctl.testing.builders import decide
    from agentctl_tools.door import call

    fort.bench.write({"cluster.yaml": cluster_yaml("supply", "spare", more=text)})
    await call(fort.cluster, fort.bench.sarah, "apply", {"intent": "a provider"})
    await decide(fort.cluster, await fort.asked("provider.embedding.e"))
    made: Any = await call(fort.cluster, fort.bench.sarah, "apply", {"intent": "a provider"})
    assert made.data.converged, made


async def test_a_secret_of_the_environment_is_resolved_in_no_answer(
    fort: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    await fort.begin()
    await _govern_provider(fort, PROVIDER % "api.example.org")

    async with (
        fort.served(),
        fort.mcp("agent:ci") as tool,
        fort.holds("draft_edit", decision="allow"),
    ):
        told = [
            await tool("explain", what="${OPENAI_API_KEY}"),
            await tool("config_read", path="cluster.yaml"),
            await tool("config_search", text="OPENAI"),
            await tool("validate"),
            await tool("plan"),
            await tool("status"),
            await tool("draft_edit", path="${OPENAI_API_KEY}", content="x"),
            await tool("run_query", query="supply.${OPENAI_API_KEY}"),
        ]
        told += [(await fort.post("agent:ci", o)).text for o in ("doctor", "audit_export")]

    assert SECRET not in json.dumps(told)


async def answers_to(fort: Any, content: str) -> list[Any]:
    """An agent proposes that `cluster.yaml`, and has it validated, planned and applied."""
    async with (
        fort.served(),
        fort.mcp("agent:ci") as tool,
        fort.holds("draft_edit", decision="allow", moves=("sandboxes/",), runs=True),
    ):
        edited = await tool("draft_edit", path="cluster.yaml", content=content)
        draft = edited["data"]["draft"]
        told = [edited, await tool("validate", in_=draft), await tool("plan", in_=draft)]
        applied = await tool(
            "apply", in_=draft, intent="x", idempotency_key="1", without_gated=True
        )
        return [*told, applied]


@pytest.mark.parametrize(
    "where",
    ["api_key: '%s'", 'api_key: "${A}%s"', "base_url: 'https://u:%s@h/v1'", "model: [%s]"],
)
async def test_a_secret_written_into_a_draft_is_not_repeated_by_the_complaint(
    fort: Any, where: str
) -> None:
    """Somebody pastes a key where a reference belongs: the error tells where, not what."""
    await fort.begin()
    body = "providers:\n  embedding:\n    e: {kind: openai-compatible, %s}\n" % (where % SECRET)

    told = await answers_to(fort, cluster_yaml("supply", "spare", more=body))

    assert told[0]["data"]["valid"] is False
    assert SECRET not in json.dumps(told)
    stored = b"".join(
        data for key, data in fort.bench.objects.items() if not key.startswith("sandboxes/")
    )
    assert SECRET.encode() not in stored, "nor is it kept in a plan, an op or a record"


@pytest.mark.parametrize("argument", ["intent", "evidence", "idempotency_key", "gate"])
async def test_a_token_given_as_an_argument_is_in_no_record(fort: Any, argument: str) -> None:
    """An agent that is talked into telling its token tells it to the audit chain neither."""
    await fort.begin()
    await fort.without_spare()
    secret = fort.secrets["agent:ci"]
    given = {"gate": "graph.spare", "intent": "x", "evidence": "y", "idempotency_key": "k"}

    async with fort.served(), fort.mcp("agent:ci") as tool:
        answer = await tool("approve", **{**given, argument: secret})
    records = b"".join(data for _, data in await fort.cluster.audit.records())

    assert secret.encode() not in records
    assert answer["ok"] is (argument != "gate")
    if argument in {"idempotency_key", "gate"}:
        assert secret.encode() not in b"".join(fort.bench.objects.values())


async def test_a_bug_tells_no_secret(fort: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever an exception says stays on the server's side."""
    await fort.begin()

    async def broken(*_: object, **__: object) -> Any:
        msg = f"cannot reach https://u:{SECRET}@h"
        raise RuntimeError(msg)

    monkeypatch.setattr(fort.cluster.journal, "list", broken)
    async with (
        fort.served(),
        fort.mcp("agent:ci") as tool,
        fort.holds(unrecorded="a permitted look that fails is no denial"),
    ):
        over_mcp = await tool("ops")
        over_http = await fort.post("agent:ci", "ops")

    assert [d["code"] for d in over_mcp["diagnostics"]] == ["internal_error"]
    assert over_http.status_code == 500
    assert SECRET not in json.dumps(over_mcp) + over_http.text
    assert "Traceback" not in over_http.text


@pytest.mark.parametrize("root", ["s3://AKIA:%s@bucket/x", "https://u:%s@h/x", "file://%s@h/x"])
async def test_a_credential_in_a_storage_root_is_not_repeated(fort: Any, root: str) -> None:
    await fort.begin()

    told = await answers_to(
        fort, cluster_yaml("supply", "spare", more=f"storage: '{root % SECRET}'")
    )

    assert not told[-1]["ok"]
    assert SECRET not in json.dumps(told)


async def test_private_keys_are_in_no_answer(fort: Any) -> None:
    """Public halves are for everyone."""
    await fort.begin()

    async with fort.served(), fort.holds(unrecorded="looks that policy permits"):
        told = [
            (await fort.post("agent:ci", o)).text
            for o in ("identity_list", "identity_show", "doctor", "status")
        ]

    assert key_of("sarah").key in told[0]
    assert "PRIVATE" not in "".join(told)
    seed = hashlib.sha256(b"sarah").digest()
    assert seed.hex() not in "".join(told)

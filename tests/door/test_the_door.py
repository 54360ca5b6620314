"""Every call comes through one door: decided, recorded, and only then done."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from agentctl.domain.audit.record import AuditRecord
from agentctl.domain.policy.caller import Caller, Via
from agentctl.domain.storage.protocol import StoredObject, UnavailableError
from agentctl.engine.cluster import Cluster
from agentctl.testing.builders import ROWS, SCHEMA, Bench, ask, folder_files
from agentctl.testing.consent import caller, key_of
from agentctl_tools.catalog import OPERATIONS, UnclassifiedError, checked
from agentctl_tools.door import call
from agentctl_tools.operation import Envelope

MCP_AGENT = caller("agent:sarah", "agent", "mcp", on_behalf_of="sarah")


async def records(cluster: Cluster) -> list[AuditRecord]:
    return [
        msgspec.json.decode(data, type=AuditRecord) for _, data in await cluster.audit.records()
    ]


def codes(envelope: Envelope) -> list[str]:
    return [d.code for d in envelope.diagnostics]


async def begun(tmp_path: Path) -> tuple[Bench, Cluster]:
    bench = Bench(tmp_path)
    return bench, await bench.begun(folder_files("supply"))


async def test_a_read_is_answered_and_leaves_no_record(tmp_path: Path) -> None:
    bench, cluster = await begun(tmp_path)
    before = await cluster.audit.head()

    envelope = await call(cluster, bench.agent, "validate", {})

    assert envelope.ok, envelope
    assert await cluster.audit.head() == before


async def test_an_apply_over_mcp_says_what_to_apply_and_a_failed_plan_is_not_the_folder(
    tmp_path: Path,
) -> None:
    bench, cluster = await begun(tmp_path)
    arguments = {"intent": "make it so", "idempotency_key": "k1", "plan_id": None}

    envelope = await call(cluster, bench.agent, "apply", arguments)

    head = await cluster.ledger.head()
    assert codes(envelope) == ["invalid_arguments"]
    assert head is not None
    assert head.seq == 1


async def test_a_write_is_recorded_with_who_what_and_the_rules_that_permit_it(
    tmp_path: Path,
) -> None:
    bench, cluster = await begun(tmp_path)
    arguments = {"intent": "make it so", "idempotency_key": "k1", "in": "cluster"}

    envelope = await call(cluster, bench.agent, "apply", arguments)

    assert envelope.ok, envelope
    record = (await records(cluster))[-1]
    assert (record.action, record.resource, record.decision) == (
        "cluster_apply",
        "cluster",
        "allow",
    )
    assert (record.actor.kind, record.actor.source, record.on_behalf_of) == (
        "agent",
        "agent",
        "sarah",
    )
    assert record.policies == ("builtin:agents-do-what-is-reversible",)
    assert "make it so" not in msgspec.json.encode(record).decode()


class SilentAuditStore:
    """Refuses to write audit records, as a storage root might."""

    def __init__(self, inner: object) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    async def create(self, key: str, data: bytes) -> bool:
        if key.startswith("__cluster/audit/"):
            msg = "the audit folder is read-only"
            raise UnavailableError(msg)
        made: bool = await self._inner.create(key, data)  # type: ignore[attr-defined]  # a store
        return made

    async def read(self, key: str) -> StoredObject | None:
        found: StoredObject | None = await self._inner.read(key)  # type: ignore[attr-defined]  # a store
        return found


async def test_a_write_whose_record_cannot_be_written_is_refused(tmp_path: Path) -> None:
    bench, _ = await begun(tmp_path)
    bench.wrap_store = SilentAuditStore  # type: ignore[assignment]  # forwards all else
    cluster = await bench.open()
    head = await cluster.ledger.head()

    envelope = await call(cluster, bench.sarah, "apply", {"intent": "make it so"})

    assert codes(envelope) == ["audit_unavailable"]
    assert await cluster.ledger.head() == head


@pytest.mark.parametrize("via", ["mcp", "http"])
@pytest.mark.parametrize("name", ["decide", "approve", "deny", "thaw", "delegate", "revoke"])
async def test_consent_is_refused_to_a_wire_whoever_calls_and_the_attempt_is_recorded(
    tmp_path: Path, via: Via, name: str
) -> None:
    """Also with the credentials of the enrolled human herself, her key at hand."""
    _, cluster = await begun(tmp_path)
    sarah = caller("sarah", "human", via)

    envelope = await call(
        cluster, sarah, name, {"request_id": "01J9", "verdict": "approve"}, signer=key_of("sarah")
    )

    assert codes(envelope) == ["human_only"]
    record = (await records(cluster))[-1]
    assert (record.decision, record.reason, record.actor.identity) == (
        "deny",
        "human_only",
        "sarah",
    )


async def test_an_agent_cannot_decide_even_at_a_terminal_with_the_humans_key(
    tmp_path: Path,
) -> None:
    _, cluster = await begun(tmp_path)
    agent = caller("agent:sarah", "agent", "cli", enrolled=True)

    envelope = await call(
        cluster,
        agent,
        "decide",
        {"request_id": "01J9", "verdict": "approve", "gate_digest": "0" * 64},
        signer=key_of("sarah"),
    )

    assert codes(envelope) == ["human_only"]


async def test_a_human_whom_the_chain_does_not_know_is_told_how_to_become_known(
    tmp_path: Path,
) -> None:
    _, cluster = await begun(tmp_path)
    stranger = caller("local:tom", enrolled=False)

    envelope = await call(
        cluster, stranger, "decide", {"request_id": "01J9", "verdict": "deny", "gate_digest": ""}
    )

    assert codes(envelope) == ["human_only"]
    assert "agentctl init" in (envelope.diagnostics[0].remedy or "")


async def removal_asked(tmp_path: Path) -> tuple[Bench, Cluster, str, str]:
    """A cluster whose graph `old` waits for a decision."""
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply", "old"))
    done = await call(cluster, bench.sarah, "apply", {"intent": "both graphs"})
    assert done.ok, done
    bench.write({**folder_files("supply"), "old.pg": None, "old.gq": None})
    request = await ask(cluster, bench.agent, "graph.old")
    return bench, cluster, request.request_id, request.gate_digest


async def test_a_human_decides_by_naming_the_resource_and_signing(tmp_path: Path) -> None:
    bench, cluster, request_id, digest = await removal_asked(tmp_path)
    arguments = {
        "request_id": request_id,
        "verdict": "approve",
        "gate_digest": digest,
        "confirmation": "old",
    }

    envelope = await call(cluster, bench.sarah, "decide", arguments, signer=key_of("sarah"))
    applied = await call(cluster, bench.sarah, "apply", {"intent": "as approved"})

    assert envelope.ok, envelope
    assert applied.ok, applied
    assert (await cluster.graphs.observe("old")).presence == "detached"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"confirmation": "supply"}, "confirmation_mismatch"),
        ({"confirmation": None}, "confirmation_mismatch"),
        ({"confirmation": ""}, "confirmation_mismatch"),
        ({"gate_digest": "0" * 64}, "approval_stale"),
        ({"request_id": "01J90000000000000000000000"}, "approval_not_found"),
    ],
)
async def test_what_was_shown_and_typed_must_be_what_is_decided(
    tmp_path: Path, change: dict[str, object], code: str
) -> None:
    bench, cluster, request_id, digest = await removal_asked(tmp_path)
    arguments: dict[str, object] = {
        "request_id": request_id,
        "verdict": "approve",
        "gate_digest": digest,
        "confirmation": "graph.old",
    }

    envelope = await call(
        cluster, bench.sarah, "decide", arguments | change, signer=key_of("sarah")
    )

    assert codes(envelope) == [code]
    assert [r.request_id for r in await cluster.approvals.open_requests()] == [request_id]


async def test_without_a_key_nothing_is_decided(tmp_path: Path) -> None:
    bench, cluster, request_id, digest = await removal_asked(tmp_path)
    arguments = {"request_id": request_id, "verdict": "deny", "gate_digest": digest}

    envelope = await call(cluster, bench.sarah, "decide", arguments)

    assert codes(envelope) == ["human_key_missing"]


async def test_the_same_gate_asked_for_twice_is_one_request(tmp_path: Path) -> None:
    bench, cluster, request_id, _ = await removal_asked(tmp_path)
    arguments = {"gate": "graph.old", "intent": "again", "idempotency_key": "a"}

    envelope = await call(cluster, bench.agent, "request_approval", arguments)

    assert envelope.data.request_id == request_id  # type: ignore[attr-defined]  # Asked
    assert f"agentctl approve {request_id}" in envelope.next[0].why
    assert envelope.next[0].tool == "approval_wait"


async def test_an_idempotency_key_with_other_arguments_is_a_conflict(tmp_path: Path) -> None:
    bench, cluster, _, _ = await removal_asked(tmp_path)
    arguments = {"gate": "graph.old", "intent": "again", "idempotency_key": "a"}
    await call(cluster, bench.agent, "request_approval", arguments)

    envelope = await call(
        cluster, bench.agent, "request_approval", arguments | {"intent": "otherwise"}
    )

    assert codes(envelope) == ["idempotency_conflict"]


async def test_a_gate_that_is_not_there_lists_those_that_are(tmp_path: Path) -> None:
    bench, cluster, _, _ = await removal_asked(tmp_path)
    arguments = {"gate": "graph.other", "intent": "x", "idempotency_key": "b"}

    envelope = await call(cluster, bench.agent, "request_approval", arguments)

    assert codes(envelope) == ["approval_not_required"]
    assert "graph.old" in (envelope.diagnostics[0].remedy or "")


async def test_what_no_consent_would_let_through_cannot_be_asked_for(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    unheld = SCHEMA.replace("version: String?", "version: Vector(100000)?")
    cluster = await bench.begun(folder_files("supply") | {"supply.pg": unheld})
    arguments = {"gate": "schema.supply", "intent": "x", "idempotency_key": "b"}

    envelope = await call(cluster, bench.agent, "request_approval", arguments)

    assert codes(envelope) == ["approval_not_required"]
    assert (envelope.diagnostics[0].remedy or "").startswith("No consent would let the change")


@pytest.mark.parametrize(
    ("name", "arguments", "path"),
    [
        ("validate", {"in": 1}, "$.in"),
        ("ops", {"limit": 0}, "$.limit"),
        ("run_query", {}, "$"),
        ("run_query", {"query": "a.b", "params": []}, "$.params"),
        ("approval_wait", {"id": "x", "timeout_s": 51}, "$.timeout_s"),
    ],
)
async def test_arguments_of_another_form_are_refused_with_their_place(
    tmp_path: Path, name: str, arguments: Mapping[str, object], path: str
) -> None:
    bench, cluster = await begun(tmp_path)

    envelope = await call(cluster, bench.agent, name, arguments)

    assert codes(envelope) == ["invalid_arguments"]
    assert envelope.diagnostics[0].path == path
    assert envelope.diagnostics[0].remedy


async def test_a_misspelt_argument_or_operation_is_answered_with_the_near_one(
    tmp_path: Path,
) -> None:
    bench, cluster = await begun(tmp_path)

    argument = await call(cluster, bench.agent, "queries", {"serch": "x"})
    operation = await call(cluster, bench.agent, "validte", {})

    assert "`search`" in (argument.diagnostics[0].remedy or "")
    assert "`validate`" in (operation.diagnostics[0].remedy or "")


@pytest.mark.parametrize("intent", ["", "   ", "\n"])
async def test_a_change_needs_a_reason(tmp_path: Path, intent: str) -> None:
    bench, cluster = await begun(tmp_path)

    envelope = await call(cluster, bench.sarah, "apply", {"intent": intent})

    assert codes(envelope) == ["intent_required"]


async def test_over_mcp_a_change_needs_a_key_too(tmp_path: Path) -> None:
    _, cluster = await begun(tmp_path)

    envelope = await call(cluster, MCP_AGENT, "apply", {"intent": "make it so"})

    assert codes(envelope) == ["idempotency_key_required"]


@pytest.mark.parametrize(
    "name",
    [o.name for o in OPERATIONS.values() if o.operation_class == "write" and o.mcp_tool is None],
)
async def test_a_write_without_a_tool_does_not_exist_over_mcp(tmp_path: Path, name: str) -> None:
    _, cluster = await begun(tmp_path)

    envelope = await call(cluster, MCP_AGENT, name, {"intent": "x", "graph": "supply"})

    assert codes(envelope) == ["unknown_operation"]


async def test_an_agent_uses_its_own_drafts_and_a_human_any(tmp_path: Path) -> None:
    bench, cluster = await begun(tmp_path)
    edited = await call(cluster, bench.agent, "draft_edit", {"path": "supply.gq", "content": ""})
    draft = edited.data.draft  # type: ignore[attr-defined]  # DraftEdited
    other = caller("agent:tom", "agent", "mcp", on_behalf_of="tom")

    for name, arguments in (
        ("validate", {"in": draft}),
        ("plan", {"in": draft}),
        ("config_read", {"in": draft}),
        ("schema", {"in": draft, "graph": "supply"}),
        ("draft_edit", {"in": draft, "path": "supply.gq", "content": "x"}),
        ("apply", {"in": draft, "intent": "x", "idempotency_key": "k"}),
    ):
        assert codes(await call(cluster, other, name, arguments)) == ["draft_not_found"], name
    assert (await call(cluster, bench.sarah, "validate", {"in": draft})).ok


async def test_a_draft_edit_outside_the_configuration_is_refused_and_opens_nothing(
    tmp_path: Path,
) -> None:
    bench, cluster = await begun(tmp_path)

    for path in ("../x", "/etc/passwd", ".env", "__cluster/state.json", "notes.txt"):
        envelope = await call(cluster, bench.agent, "draft_edit", {"path": path, "content": "x"})
        assert codes(envelope) == ["path_not_config"], path

    assert await cluster.drafts.list() == ()


async def test_rows_are_loaded_by_the_operators_own_process_only(tmp_path: Path) -> None:
    bench, cluster = await begun(tmp_path)
    await call(cluster, bench.sarah, "apply", {"intent": "make it so"})
    rows = tmp_path / "rows.ndjson"
    rows.write_bytes(ROWS)
    arguments = {"graph": "supply", "file": str(rows), "intent": "first rows"}
    elsewhere = caller("sarah", "human", "cli", at_terminal=False)

    refused = await call(cluster, elsewhere, "load", arguments)
    loaded = await call(cluster, bench.sarah, "load", arguments)
    missing = await call(cluster, bench.sarah, "load", arguments | {"file": "nowhere"})

    assert codes(refused) == ["path_outside_folder"]
    assert loaded.ok, loaded
    assert loaded.summary == "Loaded 3 rows."
    assert codes(missing) == ["load_file_missing"]


async def test_an_applied_plan_id_brings_its_own_target(tmp_path: Path) -> None:
    bench, cluster = await begun(tmp_path)
    edited = await call(cluster, bench.agent, "draft_edit", {"path": "supply.gq", "content": ""})
    draft = edited.data.draft  # type: ignore[attr-defined]  # DraftEdited
    planned = await call(cluster, bench.agent, "plan", {"in": draft})
    plan_id = planned.data.result.plan_digest  # type: ignore[attr-defined]  # PlanAnswer
    arguments = {"plan_id": plan_id, "intent": "no queries", "idempotency_key": "k"}

    contradicted = await call(cluster, bench.agent, "apply", arguments | {"in": "cluster"})
    applied = await call(cluster, bench.agent, "apply", arguments)

    assert codes(contradicted) == ["invalid_arguments"]
    assert applied.ok, applied
    assert (bench.path / "supply.gq").read_text() == ""


def test_an_operation_without_class_or_known_action_fails_the_build() -> None:
    (one, *_) = OPERATIONS.values()
    no_class = msgspec.structs.replace(one, operation_class="")
    no_action = msgspec.structs.replace(one, action="nothing_known")

    for broken in ((no_class,), (no_action,), (one, one)):
        with pytest.raises(UnclassifiedError):
            checked(broken)


def test_every_description_says_first_what_a_call_may_cost() -> None:
    expected = {"read": ("Look. ",), "write": ("Try. ", "Real. "), "human_only": ("Real. ",)}

    for operation in OPERATIONS.values():
        assert operation.describe.startswith(expected[operation.operation_class]), operation.name


ABOUT_ANOTHER = {("token_create", "scopes")}
"""Arguments that are called like a fact about the caller and are one about a new token."""


def test_no_argument_is_a_fact_about_who_calls() -> None:
    """No operation takes a principal, a kind or a face."""
    identity = {f.name for f in msgspec.structs.fields(Caller)} - {"id"}

    for operation in OPERATIONS.values():
        names = {f.encode_name for f in msgspec.structs.fields(operation.arguments)}
        about_caller = {n for n in names & identity if (operation.name, n) not in ABOUT_ANOTHER}
        assert not about_caller, operation.name


async def test_scopes_that_a_new_token_would_have_are_none_of_who_asks_for_it(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply"))
    looks = msgspec.structs.replace(bench.sarah, scopes=("look",), via="http", at_terminal=False)
    wanted = {"principal": "sarah", "scopes": ["look", "try", "real"]}

    told = await call(cluster, looks, "token_create", wanted)

    assert [d.code for d in told.diagnostics] == ["scope_missing"]
    assert await cluster.store.list("__cluster/tokens/") == ()

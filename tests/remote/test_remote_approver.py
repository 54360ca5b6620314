"""A person decides about a cluster elsewhere: fetched, judged, shown and signed on their own machine."""

import base64
import json
from typing import Any

import pytest

from agentctl.faces.cli import asking
from agentctl.testing.builders import cluster_yaml, folder_files


@pytest.fixture
def asked(site: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of a request to delete a graph, and a person who types its name when asked."""
    for name, text in folder_files("supply", "spare").items():
        (site.folder / name).write_text(str(text))
    site.ok(site.here("apply"))
    for name in ("spare.pg", "spare.gq"):
        (site.folder / name).unlink()
    (site.folder / "cluster.yaml").write_text(cluster_yaml("supply"))
    site.ok(site.here("approvals", "request", "graph.spare"))
    monkeypatch.setattr(asking, "ask_line", lambda _question: "spare")
    (request,) = site.read(site.here("approvals", "list", "--json"))["requests"]
    return str(request["request_id"])


def states(site: Any) -> list[str]:
    """How the plan's gates stand where the cluster is."""
    plan = site.read(site.here("plan", "--json"))
    return [need["standing"] for need in plan["approvals_required"]]


def test_what_was_signed_elsewhere_opens_the_gate(site: Any, asked: str) -> None:
    approved = site.there("approve", asked)

    assert approved.exit_code == 0, approved.output
    assert "DELETE GRAPH spare" in approved.stderr
    assert "signed over:" in approved.stderr
    assert "chain ok · statement ok · rules ok · plan ok · files ok" in approved.stderr
    assert states(site) == ["approved"]
    assert "decide" not in {name for name, _ in site.server.asked}, "no key and no page went there"


def test_a_denial_is_signed_elsewhere_too(site: Any, asked: str) -> None:
    site.ok(site.there("deny", asked, "--reason", "not today"))

    assert states(site) == ["denied"]


def test_what_is_typed_wrongly_is_not_signed(
    site: Any, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "ask_line", lambda _question: "supply")

    left = site.there("approve", asked)

    assert "confirmation_mismatch" in left.stderr
    assert "submit_decision" not in {name for name, _ in site.server.asked}


def test_a_server_that_shows_another_graph_gets_no_signature(site: Any, asked: str) -> None:
    """It shows the deletion of one graph, and asks a signature for that of another."""

    def lie(name: str, _given: dict[str, Any], answer: Any) -> Any:
        if name == "approval_evidence":
            record = json.loads(base64.b64decode(answer["data"]["request"]))
            record["statement"]["resource"] = "graph.harmless"
            text = json.dumps(record, sort_keys=True, separators=(",", ":"))
            answer["data"]["request"] = base64.b64encode(text.encode()).decode()
        return answer

    site.server.twist = lie

    refused = site.there("approve", asked)

    assert refused.exit_code == 3
    assert "evidence_mismatch" in refused.stderr
    assert "submit_decision" not in {name for name, _ in site.server.asked}
    assert states(site) == ["waiting"]


def test_a_server_that_gives_another_request_than_was_named_gets_no_signature(
    site: Any, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An honest request, and not the one that the person was told about."""
    honest: list[Any] = []

    def lie(name: str, _given: dict[str, Any], answer: Any) -> Any:
        if name != "approval_evidence":
            return answer
        honest.append(answer)
        return honest[0]

    site.server.twist = lie
    monkeypatch.setattr(asking, "ask_line", lambda _question: "nothing yet")
    assert "confirmation_mismatch" in site.there("approve", asked).stderr
    monkeypatch.setattr(asking, "ask_line", lambda _question: "spare")

    site.server.status = 200

    refused = site.there("approve", "01JD0A2B3C4D5E6F7G8H9J0K1M")

    assert "evidence_mismatch" in refused.stderr
    assert states(site) == ["waiting"]


def test_a_server_that_claims_to_have_recorded_something_else_is_told_of(
    site: Any, asked: str
) -> None:
    def lie(name: str, _given: dict[str, Any], answer: Any) -> Any:
        if name == "submit_decision":
            answer["data"]["approval_id"] = "01JD0A2B3C4D5E6F7G8H9J0K1M"
        return answer

    site.server.twist = lie

    assert "evidence_mismatch" in site.there("approve", asked).stderr


def test_what_moved_since_it_was_asked_is_not_signed_from_elsewhere(site: Any, asked: str) -> None:
    query = site.folder / "supply.gq"
    query.write_text(query.read_text() + "// moved\n")

    refused = site.there("approve", asked)

    assert "evidence_mismatch" in refused.stderr
    assert states(site) == ["waiting"]


def test_an_agents_token_hands_in_what_a_human_signed_and_no_more(site: Any, asked: str) -> None:
    """The key decides, whoever carries the decision; without the key there is none."""
    listed = site.read(site.here("identity", "list", "--json"))["identities"]
    agent = next(one["id"] for one in listed if one["kind"] == "agent")
    file = site.root / "agent.token"
    site.ok(site.here("token", "create", agent, "--out", file))
    keys = site.root / "home" / ".config" / "agentctl" / "keys"
    hidden = keys.rename(keys.with_name("hidden"))

    without = site.there("approve", asked, "--token-file", file)
    hidden.rename(keys)

    assert without.exit_code != 0
    assert states(site) == ["waiting"]

"""The terminal over a door elsewhere decides from bytes that this machine judged."""

import base64
import json
from typing import Any

import msgspec
import pytest

from agentctl.faces.cli.compose import compose
from agentctl.faces.cli.elsewhere import meant, open_remote
from agentctl.faces.cli.options import Settings
from agentctl.faces.cli.remote_feed import RemoteFeed
from agentctl.testing.builders import cluster_yaml, folder_files


@pytest.fixture
def asked(site: Any) -> str:
    """The id of a request to delete the graph `spare`."""
    for name, text in folder_files("supply", "spare").items():
        (site.folder / name).write_text(str(text))
    site.ok(site.here("apply"))
    for name in ("spare.pg", "spare.gq"):
        (site.folder / name).unlink()
    (site.folder / "cluster.yaml").write_text(cluster_yaml("supply"))
    site.ok(site.here("approvals", "request", "graph.spare"))
    (request,) = site.read(site.here("approvals", "list", "--json"))["requests"]
    return str(request["request_id"])


async def test_a_page_is_judged_and_what_is_typed_on_it_is_signed(site: Any, asked: str) -> None:
    settings = Settings(config=site.root, as_json=True, label=None, context="prod")
    composition, there = compose(), meant(settings)
    assert there is not None
    async with open_remote(composition, *there, settings) as session:
        feed = RemoteFeed(session)
        waiting = await feed.waiting()
        unseen = (await RemoteFeed(session).page(asked)).facts
        page = await feed.page(asked)
        assert page.facts is not None
        assert unseen is not None
        other = msgspec.structs.replace(
            page.facts, request=msgspec.structs.replace(page.facts.request, intent="other")
        )
        typed: dict[str, Any] = {"typed_name": "spare", "passphrase": None}
        mismatched = await feed.decide(other, "approve", None, **typed)
        wrong = await feed.decide(page.facts, "approve", None, **(typed | {"typed_name": "x"}))
        decided = await feed.decide(page.facts, "approve", None, **typed)
        locked = feed.key_is_locked()

    assert [r.request_id for r in waiting.requests] == [asked]
    assert [d.code for d in mismatched.diagnostics] == ["evidence_mismatch"]
    assert [d.code for d in wrong.diagnostics] == ["confirmation_mismatch"]
    assert decided.ok, decided.diagnostics
    assert not locked


async def test_a_lie_leaves_no_page_to_decide_on(site: Any, asked: str) -> None:
    def lie(name: str, _given: dict[str, Any], answer: Any) -> Any:
        if name == "approval_evidence":
            record = json.loads(base64.b64decode(answer["data"]["request"]))
            record["statement"]["after"] = "1" * 64
            text = json.dumps(record, sort_keys=True, separators=(",", ":"))
            answer["data"]["request"] = base64.b64encode(text.encode()).decode()
        return answer

    site.server.twist = lie
    settings = Settings(config=site.root, as_json=True, label=None, context="prod")
    there = meant(settings)
    assert there is not None
    async with open_remote(compose(), *there, settings) as session:
        page = await RemoteFeed(session).page(asked)

    assert page.facts is None
    assert [d.code for d in page.diagnostics] == ["evidence_mismatch"]

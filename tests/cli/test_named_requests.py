"""Which request a resource's name means."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from agentctl.engine.apply import apply
from agentctl.faces.cli.deciding import request_named
from agentctl.testing.builders import Bench, ask, cluster_yaml, folder_files, wanting
from agentctl_tools.approvals_list import RequestList
from agentctl_tools.door import call
from agentctl_tools.operation import Envelope

OTHER = "01J90000000000000000000000"


class Listing:
    """A session at whose door the list of requests is a given one."""

    def __init__(self, listed: Envelope) -> None:
        self._listed = listed

    async def call(self, operation: str, arguments: Mapping[str, object]) -> Envelope:
        assert operation == "approvals"
        assert not arguments
        return self._listed


async def listed(tmp_path: Path) -> Envelope:
    """The list with the one open request to delete the graph `spare`."""
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply", "spare"))
    assert (await apply(cluster, bench.sarah, wanting())).converged
    bench.write({"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply")})
    await ask(cluster, bench.agent, "graph.spare")
    return await call(cluster, bench.sarah, "approvals", {})


def with_twin(envelope: Envelope) -> Envelope:
    """The same list with a second request for the same resource, of another gate."""
    assert isinstance(envelope.data, RequestList)
    (one,) = envelope.data.requests
    twin = msgspec.structs.replace(one, request_id=OTHER)
    return msgspec.structs.replace(envelope, data=RequestList(requests=(one, twin)))


async def test_a_resource_with_one_open_request_means_that_one(tmp_path: Path) -> None:
    envelope = await listed(tmp_path)
    assert isinstance(envelope.data, RequestList)

    named = await request_named(Listing(envelope), "graph.spare", intent=None)  # type: ignore[arg-type]  # all it asks a session for

    assert named == envelope.data.requests[0].request_id


async def test_with_two_of_them_each_is_named_by_its_command(tmp_path: Path) -> None:
    session = Listing(with_twin(await listed(tmp_path)))

    refused = await request_named(session, "graph.spare", intent=None)  # type: ignore[arg-type]  # all it asks a session for

    assert isinstance(refused, Envelope)
    (told,) = refused.diagnostics
    assert told.code == "approval_ambiguous"
    assert told.remedy is not None
    assert f"agentctl approve {OTHER}" in told.remedy.splitlines()


async def test_a_resource_without_one_is_told(tmp_path: Path) -> None:
    refused = await request_named(Listing(await listed(tmp_path)), "graph.supply", intent=None)  # type: ignore[arg-type]  # all it asks a session for

    assert isinstance(refused, Envelope)
    assert [d.code for d in refused.diagnostics] == ["approval_not_found"]

"""Commands about who is who: the principals chain grows by one record each."""

from collections.abc import Mapping
from typing import Any, Final

from agentctl.engine.cluster import Cluster
from agentctl.testing.consent import key_of
from agentctl.testing.crash_cases.words import (
    Check,
    Command,
    after,
    asks,
    enrolled,
    given,
    two_with_rows,
    untouched,
)
from agentctl.testing.crash_suite import Case
from agentctl.testing.sites import Site, do

_HOUR_S: Final = 3600
_with_tom: Final = given(two_with_rows, after(enrolled("tom")))
_recovery: Final = asks("identity_recovery", {"key": key_of("recovery").key})


def _grew_to(length: int) -> Check:
    """Returns the check that the chain holds, and says what was asked for at most twice."""

    async def check(site: Site, cluster: Cluster) -> None:
        await untouched(site, cluster)
        registry = await cluster.principals.registry()
        assert registry.head.length in {length, length + 1}, registry.head
        listed = await do(cluster, "identity_list", {})
        assert listed.ok, listed.diagnostics

    return check


def _of_tom(name: str, command: Command) -> Case:
    return _case(name, _with_tom, command, _grew_to(3))


def _case(name: str, prepare: Any, command: Command, check: Check) -> Case:  # noqa: ANN401
    refused = frozenset({"principal_refused"})
    return Case(
        name=f"identity: {name}", prepare=prepare, command=command, check=check, again=refused
    )


def _changes(operation: str, arguments: Mapping[str, Any]) -> Command:
    return asks(f"identity_{operation}", arguments)


PEOPLE: Final[tuple[Case, ...]] = (
    _case("add", two_with_rows, enrolled("tom"), _grew_to(2)),
    _of_tom("revoke", _changes("revoke", {"id": "tom", "reason": "left"})),
    _of_tom("rotate", _changes("rotate", {"id": "tom", "key": key_of("tom's new").key})),
    _of_tom("groups", _changes("groups", {"id": "tom", "in_groups": ["owners"]})),
    _of_tom(
        "add an agent",
        _changes("add", {"id": "agent:tom", "of_kind": "agent", "key": key_of("agent:tom").key}),
    ),
    _of_tom("delegate", _changes("delegate", {"to": "tom", "seconds": _HOUR_S})),
    _of_tom("recovery", _recovery),
    _case(
        "recover",
        given(_with_tom, after(_recovery)),
        asks(
            "identity_recover",
            {"id": "tom", "act": "rotate", "key": key_of("tom's new").key},
            key="recovery",
        ),
        _grew_to(4),
    ),
)

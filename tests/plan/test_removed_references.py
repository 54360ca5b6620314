"""A reference to what the same plan removes is told apart from one to what was never there. Source: axiom 9."""

from pathlib import Path

import pytest

from agentctl.domain.plan.removed import removed_references
from agentctl.engine.apply import apply
from agentctl.engine.planning import make_plan
from agentctl.testing.builders import Bench, cluster_yaml, folder_files, wanting

POLICY = "policies: {{p: {{file: p.policy.yaml, applies_to: [{scope}]}}}}"
POLICY_FILE = (
    "version: 1\nkind: graph\ngroups: {team: [ada]}\n"
    "rules:\n  - {id: r, allow: {actors: {group: team}, actions: [read], branch_scope: any}}\n"
)


async def told(bench: Bench, more: str, **files: str) -> list[tuple[str, str, str | None]]:
    texts = folder_files("alpha") | {"cluster.yaml": cluster_yaml("alpha", more=more)} | files
    bench.write(texts)
    planned = await make_plan(await bench.open(), bench.agent)
    assert planned.plan is None
    return [
        (d.code, d.message, d.remedy) for d in planned.result.diagnostics if d.severity == "error"
    ]


@pytest.fixture
async def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    await made.begun(folder_files("alpha", "beta"))
    result = await apply(await made.open(), made.agent, wanting())
    assert result.ok
    return made


async def test_an_alias_of_a_query_that_goes_names_both_sides(bench: Bench) -> None:
    more = "aliases: {find: {query: query.beta.all_packages}}"

    ((code, message, remedy),) = await told(bench, more)

    assert code == "reference_being_removed"
    assert "alias" in message
    assert "query.beta.all_packages, which this plan removes" in message
    assert remedy is not None
    assert "moved" in remedy


async def test_an_alias_of_a_query_that_never_was_is_missing(bench: Bench) -> None:
    more = "aliases: {find: {query: query.beta.nothing}}"

    ((code, _, _),) = await told(bench, more)

    assert code == "dangling_reference"


async def test_a_policy_for_a_graph_that_goes_names_both_sides(bench: Bench) -> None:
    found = await told(bench, POLICY.format(scope="graph.beta"), **{"p.policy.yaml": POLICY_FILE})

    messages = [message for code, message, _ in found if code == "reference_being_removed"]
    assert messages == ["policy.p still refers to graph.beta, which this plan removes"]


async def test_a_bare_name_of_what_goes_is_found_by_its_kind(bench: Bench) -> None:
    found = await told(bench, POLICY.format(scope="beta"), **{"p.policy.yaml": POLICY_FILE})

    assert [code for code, _, _ in found if "reference" in code] == ["reference_being_removed"]


async def test_a_group_that_lists_what_goes_names_it(bench: Bench) -> None:
    found = await told(bench, "apply: {groups: {both: [graph.alpha, graph.beta]}}")

    assert [code for code, _, _ in found] == ["reference_being_removed"]


async def test_a_reference_of_the_wrong_kind_lists_what_could_be_meant(bench: Bench) -> None:
    ((code, _, remedy),) = await told(bench, "aliases: {find: {query: graph.alpha}}")

    assert code == "wrong_kind_reference"
    assert remedy == "Write its typed address: `query.alpha.all_packages`."


def test_without_a_ledger_nothing_is_being_removed() -> None:
    assert removed_references((), ()) == ()

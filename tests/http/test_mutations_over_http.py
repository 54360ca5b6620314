"""Stored mutations over HTTP: the write reply of OmniGraph 0.10, and both commits of a lost race."""

from typing import Any

from agentctl.testing.builders import QUERY

ADD = "query add($name: String) { insert Package { name: $name } }\n"
MUTATE = "/graphs/supply/mutate"
HEADER = "omnigraph-if-graph-commit"


async def test_a_conditional_mutation_is_done_on_that_commit_alone(house: Any, posted: Any) -> None:
    house.bench.where = "lance"
    await house.begin()
    house.bench.write({"supply.gq": f"{QUERY}\n{ADD}"})
    body = {"params": {"name": "a"}}

    async with house.served() as client:
        begun = await posted(client, "apply", intent="begin", **{"in": "cluster"})
        first = await client.post(MUTATE, json={"query": "add", **body})
        seen = {HEADER: first.json()["commit"]}
        by_name = "/graphs/supply/queries/add/if-graph-commit"
        second = await client.post(by_name, json={"params": {"name": "b"}}, headers=seen)
        late = await client.post(
            f"{MUTATE}/if-graph-commit",
            json={"query": "add", "params": {"name": "c"}},
            headers=seen,
        )
        bare = await client.post(f"{MUTATE}/if-graph-commit", json={"query": "add", **body})
        unknown = await client.post(MUTATE, json={"query": "nothing"})
        in_body = {"query": "add", "params": {"name": "c"}, "if_commit": seen[HEADER]}
        raced = await client.post(MUTATE, json=in_body)
        no_commit = await client.post(
            f"{MUTATE}/if-graph-commit", json={"query": "add", **body}, headers={HEADER: "newest"}
        )

    assert begun.json()["ok"], begun.json()
    reply = first.json()
    assert (reply["branch"], reply["query_name"]) == ("main", "add")
    assert (reply["affected_nodes"], reply["affected_edges"]) == (1, 0)
    assert second.status_code == 200
    assert (late.status_code, late.json()["code"]) == (412, "read_set_conflict")
    told = late.json()["precondition_failure"]
    assert (told["expected"], told["actual"]) == (seen[HEADER], second.json()["commit"])
    assert (raced.status_code, raced.json()["code"]) == (409, "read_set_conflict")
    assert (no_commit.status_code, no_commit.json()["code"]) == (400, "invalid_arguments")
    assert (bare.status_code, bare.json()["code"]) == (400, "invalid_arguments")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "query_not_found")

"""Two snapshots, whole: every kind of change in its own list, sorted, and the same each time."""

from collections.abc import Mapping
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from agentctl.canonical import sha256_hex
from agentctl.domain.sandbox.comparing import SnapshotView, diff
from agentctl.domain.sandbox.difference import (
    ChangeDiff,
    CommandSummary,
    PackageChange,
    PackageInfo,
    RowChanges,
    ServiceChange,
)
from agentctl.domain.sandbox.schema_difference import wanted_schemas
from agentctl.languages.schema.ir import evolve_ir

CLUSTER = """\
version: 1
providers: {embedding: {e: {kind: mock}}}
graphs:
  social:
    schema: social.pg
    queries: {people: {file: people.gq}, cities: {file: cities.gq}}
policies:
  p: {file: p.yaml, applies_to: [graph.social]}
bindings:
  - {query: query.social.people, surface: mcp}
"""
FILES = {
    "cluster.yaml": CLUSTER,
    "social.pg": "node Person { name: String @key age: I32? }\nnode City { name: String @key }\n",
    "people.gq": "query people() { match { $p: Person } return { $p.name } }\n",
    "cities.gq": "query cities() { match { $c: City } return { $c.name } }\n",
    "p.yaml": "version: 1\n",
}
COMMANDS = (
    CommandSummary(cmd="query social people", exit_code=1, at="2026-11-22T05:00:02Z"),
    CommandSummary(cmd="validate", exit_code=0, at="2026-11-22T05:00:01Z"),
)
ROWS = (
    RowChanges(graph="social", type_name="Person", added=1, changed=0, removed=0, sample=()),
    RowChanges(graph="social", type_name="City", added=0, changed=2, removed=0, sample=()),
    RowChanges(graph="social", type_name="Knows", added=0, changed=0, removed=0, sample=()),
)


def view(loaded: Any, files: Mapping[str, str]) -> SnapshotView:
    found = loaded(files)
    schemas = {} if found.desired is None else wanted_schemas(found.desired, {})
    digests = {path: sha256_hex(data) for path, data in found.files.items()}
    return SnapshotView(files=digests, config=found.desired, schemas=schemas)


def services(found: ChangeDiff) -> list[str]:
    return [change.name for change in found.services_changed]


def test_every_change_is_in_its_own_list(loaded: Any) -> None:
    after = FILES | {
        "cluster.yaml": CLUSTER.replace("kind: mock", "kind: mock, model: m1")
        .replace("cities: {file: cities.gq}", "towns: {file: towns.gq}")
        .replace("applies_to: [graph.social]", "applies_to: [cluster]")
        .replace("surface: mcp", "surface: http"),
        "social.pg": "node Person { name: String @key email: String? }\nnode City { name: String @key @index }\n",
        "towns.gq": "query towns() { match { $c: City } return { $c.name } }\n",
        "people.gq": FILES["people.gq"].replace("$p.name", "$p.email"),
    }
    del after["cities.gq"]

    found = diff(view(loaded, FILES), view(loaded, after), rows=ROWS, commands=COMMANDS)

    assert found == snapshot(
        ChangeDiff(
            files_added=("towns.gq",),
            files_modified=("cluster.yaml", "people.gq", "social.pg"),
            files_removed=("cities.gq",),
            packages_added=(PackageInfo(name="social.Person.email", version="email: String?"),),
            packages_changed=(
                PackageChange(
                    name="social.City.name",
                    before="name: String @key",
                    after="name: String @key @index",
                ),
            ),
            packages_removed=(PackageInfo(name="social.Person.age", version="age: I32?"),),
            services_changed=(
                ServiceChange(
                    name="binding.query.social.people->http", enabled=True, state="added"
                ),
                ServiceChange(
                    name="binding.query.social.people->mcp", enabled=False, state="removed"
                ),
                ServiceChange(name="policy.p -> cluster", enabled=True, state="added"),
                ServiceChange(name="policy.p -> graph.social", enabled=False, state="removed"),
                ServiceChange(name="provider.embedding.e", enabled=True, state="changed"),
                ServiceChange(name="query.social.cities", enabled=False, state="removed"),
                ServiceChange(name="query.social.people", enabled=True, state="changed"),
                ServiceChange(name="query.social.towns", enabled=True, state="added"),
            ),
            rows=(
                RowChanges(
                    graph="social", type_name="City", added=0, changed=2, removed=0, sample=()
                ),
                RowChanges(
                    graph="social", type_name="Person", added=1, changed=0, removed=0, sample=()
                ),
            ),
            commands_run=(
                CommandSummary(cmd="validate", exit_code=0, at="2026-11-22T05:00:01Z"),
                CommandSummary(cmd="query social people", exit_code=1, at="2026-11-22T05:00:02Z"),
            ),
        )
    )


def test_a_snapshot_and_itself_have_no_difference(loaded: Any) -> None:
    one = view(loaded, FILES)

    assert diff(one, view(loaded, FILES)) == ChangeDiff()


def test_the_difference_is_the_same_each_time(loaded: Any) -> None:
    before, after = view(loaded, FILES), view(loaded, FILES | {"p.yaml": "version: 1\n\n"})
    turned = SnapshotView(
        files=dict(reversed([*after.files.items()])), config=after.config, schemas=after.schemas
    )

    one = diff(before, after, rows=ROWS, commands=COMMANDS)
    other = diff(before, turned, rows=ROWS[::-1], commands=COMMANDS[::-1])

    assert one == other
    assert [c.cmd for c in one.commands_run] == ["validate", "query social people"]


def test_settings_that_belong_to_no_resource_are_told_of_the_cluster(loaded: Any) -> None:
    before = view(loaded, FILES)
    protected = FILES | {"cluster.yaml": CLUSTER + "protect: [graph.social]\n"}
    moved_about = FILES | {"cluster.yaml": "# a comment\n" + CLUSTER}

    found = diff(before, view(loaded, protected))
    commented = diff(before, view(loaded, moved_about))

    assert found.services_changed == (ServiceChange(name="cluster", enabled=True, state="changed"),)
    assert commented == ChangeDiff(files_modified=("cluster.yaml",))


def test_what_a_graph_is_bound_to_is_told_of_the_graph_and_a_new_query_is_not(loaded: Any) -> None:
    bound = FILES | {
        "cluster.yaml": CLUSTER.replace(
            "schema: social.pg", "schema: social.pg\n    embedding_provider: e"
        )
    }
    fewer = FILES | {"cluster.yaml": CLUSTER.replace(", cities: {file: cities.gq}", "")}

    assert services(diff(view(loaded, FILES), view(loaded, bound))) == ["graph.social"]
    assert services(diff(view(loaded, FILES), view(loaded, fewer))) == ["query.social.cities"]


def test_where_a_config_is_broken_nobody_says_what_became_of_its_services(loaded: Any) -> None:
    good, bad = view(loaded, FILES), view(loaded, FILES | {"people.gq": "query ("})
    worse = view(loaded, FILES | {"people.gq": "query (("})
    schemas = good.schemas
    broken = SnapshotView(files=bad.files, config=None, schemas=schemas)

    assert bad.config is None
    assert diff(good, broken) == ChangeDiff(
        files_modified=("people.gq",),
        services_changed=(ServiceChange(name="cluster", enabled=False, state="changed"),),
    )
    assert diff(broken, good).services_changed[0].enabled is True
    assert diff(bad, worse).services_changed[0].enabled is False
    assert diff(bad, bad) == ChangeDiff()


def test_a_type_that_was_applied_meanwhile_is_no_difference(loaded: Any) -> None:
    config = loaded(FILES).desired
    numbers = count()
    live = evolve_ir(None, config.graphs[0].schema.catalog, lambda: f"{next(numbers):026d}")
    before, after = wanted_schemas(config, {}), wanted_schemas(config, {"social": live})
    one = view(loaded, FILES)

    assert after == {"social": live}
    assert before != after
    assert (
        diff(
            SnapshotView(files=one.files, config=config, schemas=before),
            SnapshotView(files=one.files, config=config, schemas=after),
        )
        == ChangeDiff()
    )


def test_a_secret_in_a_command_is_not_told(loaded: Any) -> None:
    one = view(loaded, FILES)
    secret = "ghp_" + "a1B2" * 6
    command = CommandSummary(cmd=f"load {secret}", exit_code=0, at="2026-11-22T05:00:01Z")

    assert diff(one, one, commands=[command]).commands_run[0].cmd == "load [redacted]"


QUERY_TEXTS = ("return { $p.name }", "return { $p.name, $p.age }", "return { $p.age }")


@st.composite
def folders(draw: st.DrawFn) -> dict[str, str]:
    """Valid folders that differ in everything that a service is."""
    queries = draw(st.dictionaries(st.sampled_from("abc"), st.sampled_from(QUERY_TEXTS)))
    policies = draw(
        st.dictionaries(
            st.sampled_from("pq"),
            st.sampled_from(["graph.social", "graph.other", "cluster"]),
        ).filter(lambda found: len({*found.values()}) == len(found))
    )
    models = draw(st.dictionaries(st.sampled_from("ef"), st.sampled_from(["m1", "m2"])))
    files = {
        "social.pg": "node Person { name: String @key age: I32? }\n"
        + " " * draw(st.integers(0, 2)),
        "other.pg": "node Thing { k: I32? }\n",
        **{
            f"{n}.gq": f"query {n}() {{ match {{ $p: Person }} {text} }}\n"
            for n, text in queries.items()
        },
        **{f"{n}.yaml": "version: 1\n" for n in policies},
    }
    listed = ", ".join(f"{n}: {{file: {n}.gq}}" for n in queries)
    applied = ", ".join(f"{n}: {{file: {n}.yaml, applies_to: [{t}]}}" for n, t in policies.items())
    kinds = ", ".join(f"{n}: {{kind: mock, model: {m}}}" for n, m in models.items())
    files["cluster.yaml"] = (
        "version: 1\n"
        f"providers: {{embedding: {{{kinds}}}}}\n"
        f"graphs: {{social: {{schema: social.pg, queries: {{{listed}}}}}, other: {{schema: other.pg}}}}\n"
        f"policies: {{{applied}}}\n"
        f"protect: [{draw(st.sampled_from(['', 'graph.social']))}]\n"
    )
    return files


def touched(found: ChangeDiff) -> set[str]:
    return {
        *found.files_added,
        *found.files_modified,
        *found.files_removed,
        *(c.name for c in found.services_changed),
    }


@given(st.tuples(folders(), folders(), folders()))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_differs_in_the_end_differed_on_the_way(
    loaded: Any, states: tuple[dict[str, str], ...]
) -> None:
    first, second, third = (view(loaded, files) for files in states)
    assert first.config is not None

    assert touched(diff(first, third)) <= touched(diff(first, second)) | touched(
        diff(second, third)
    )


@given(st.tuples(folders(), folders()))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_difference_backwards_is_the_same_one(
    loaded: Any, states: tuple[dict[str, str], dict[str, str]]
) -> None:
    before, after = (view(loaded, files) for files in states)
    there, back = diff(before, after), diff(after, before)
    states_of = {(c.name, _BACK[c.state]) for c in there.services_changed}

    assert (there.files_added, there.files_removed) == (back.files_removed, back.files_added)
    assert there.files_modified == back.files_modified
    assert states_of == {(c.name, c.state) for c in back.services_changed}
    assert (there == ChangeDiff()) == (dict(before.files) == dict(after.files))


_BACK = {"added": "removed", "removed": "added", "changed": "changed"}

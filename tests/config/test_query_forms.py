"""The three forms of `queries`. Source: control-plane 1.1 and 1.8."""

from typing import Any

SCHEMA = "node A { k: String @key }\n"


def query(*names: str) -> str:
    return "\n".join(f"query {n}() {{ match {{ $a: A }} return {{ $a.k }} }}" for n in names) + "\n"


def cluster(queries: str, graph: str = "g") -> str:
    return f"version: 1\ngraphs:\n  {graph}:\n    schema: a.pg\n    queries: {queries}\n"


async def names(load: Any, files: dict[str, str]) -> list[str]:
    loaded = await load({"a.pg": SCHEMA, **files})
    assert loaded.diagnostics == ()
    return [f"{q.name} {q.file}" for q in loaded.desired.graphs[0].queries]


async def test_a_folder_registers_every_query_of_its_own_gq_files(load: Any) -> None:
    files = {
        "cluster.yaml": cluster("q/"),
        "q/z.gq": query("b"),
        "q/a.gq": query("c", "a"),
        "q/deeper/x.gq": query("x"),
        "q/notes.txt": "none",
        "q/.hidden.gq": "broken",
    }

    assert await names(load, files) == ["a q/a.gq", "b q/z.gq", "c q/a.gq"]


async def test_the_folder_itself_may_hold_the_queries(load: Any) -> None:
    files = {"cluster.yaml": cluster("."), "b.gq": query("b")}

    assert await names(load, files) == ["b b.gq"]


async def test_a_single_file_registers_every_query_in_it(load: Any) -> None:
    files = {"cluster.yaml": cluster("./q.gq"), "q.gq": query("b", "a")}

    assert await names(load, files) == ["a q.gq", "b q.gq"]


async def test_a_list_takes_folders_and_files(load: Any) -> None:
    files = {"cluster.yaml": cluster("[q, one.gq]"), "q/a.gq": query("a"), "one.gq": query("o")}

    assert await names(load, files) == ["a q/a.gq", "o one.gq"]


async def test_a_map_registers_only_the_named_queries(load: Any) -> None:
    files = {"cluster.yaml": cluster("{b: {file: q.gq}}"), "q.gq": query("a", "b")}

    assert await names(load, files) == ["b q.gq"]


async def test_a_query_in_a_map_must_be_in_its_file(load: Any, told: Any) -> None:
    loaded = await load(
        {"cluster.yaml": cluster("{c: {file: q.gq}}"), "a.pg": SCHEMA, "q.gq": query("a", "b")}
    )

    assert told(loaded) == [
        "cluster.yaml:5:15 error query_key_mismatch: `q.gq` declares no query `c`"
    ]
    assert loaded.diagnostics[0].path == "query.g.c"
    assert (
        loaded.diagnostics[0].remedy == "Rename the key or the query; the file declares: `a`, `b`."
    )


async def test_one_name_in_two_files_is_told_with_both_places(load: Any, told: Any) -> None:
    loaded = await load(
        {
            "cluster.yaml": cluster("q"),
            "a.pg": SCHEMA,
            "q/a.gq": query("x", "same"),
            "q/b.gq": query("same"),
        }
    )

    assert told(loaded) == [
        "q/b.gq:1:7 error duplicate_query_name: the query `same` is declared twice"
    ]
    assert [str(r.where) for r in loaded.diagnostics[0].related] == ["q/a.gq:2:7"]


async def test_one_name_twice_in_a_file_and_a_file_listed_twice_are_told(
    load: Any, told: Any
) -> None:
    twice = await load({"cluster.yaml": cluster("q.gq"), "a.pg": SCHEMA, "q.gq": query("x", "x")})
    listed = await load({"cluster.yaml": cluster("[q.gq, ./q.gq]"), "q.gq": query("x")})

    assert [d.code for d in twice.diagnostics] == ["duplicate_query_name"]
    assert told(listed) == [
        "q.gq:1:7 error duplicate_query_name: `q.gq` is listed twice, so `x` is declared twice"
    ]


async def test_the_same_name_in_two_graphs_is_two_queries(load: Any) -> None:
    text = cluster("q.gq") + "  h:\n    schema: a.pg\n    queries: q.gq\n"
    loaded = await load({"cluster.yaml": text, "a.pg": SCHEMA, "q.gq": query("x")})

    assert loaded.diagnostics == ()
    assert [r.address for r in loaded.desired.resources] == [
        "graph.g",
        "graph.h",
        "query.g.x",
        "query.h.x",
        "schema.g",
        "schema.h",
    ]


async def test_files_that_are_not_there_are_told_where_they_are_named(load: Any, told: Any) -> None:
    single = await load({"cluster.yaml": cluster("q.gq"), "a.pg": SCHEMA})
    folder = await load({"cluster.yaml": cluster("q/")})
    listed = await load({"cluster.yaml": cluster("[q.gq]")})
    mapped = await load({"cluster.yaml": cluster("{q: {file: q.gq}}")})

    assert told(single) == ["cluster.yaml:5:14 error query_file_missing: there is no file `q.gq`"]
    assert told(folder) == [
        "cluster.yaml:5:14 error query_dir_unreadable: the queries folder `q` cannot be read:"
        " there is no such folder"
    ]
    assert told(listed)[0].startswith("cluster.yaml:5:15 error query_file_missing")
    assert told(mapped)[0].startswith("cluster.yaml:5:25 error query_file_missing")


async def test_an_empty_queries_folder_is_a_warning(load: Any, told: Any) -> None:
    loaded = await load({"cluster.yaml": cluster("q"), "a.pg": SCHEMA, "q/x.txt": ""})

    assert told(loaded) == [
        "cluster.yaml:5:14 warning query_dir_empty: the folder `q` holds no `.gq` file"
    ]
    assert loaded.desired.graphs[0].queries == ()


async def test_queries_are_skipped_where_the_schema_has_errors(load: Any, told: Any) -> None:
    files = {"cluster.yaml": cluster("q.gq"), "a.pg": "node A {", "q.gq": query("x")}
    broken = await load(files)
    (missing,) = [
        d
        for d in (
            await load({"cluster.yaml": cluster("q.gq").replace("a.pg", "no.pg")})
        ).diagnostics
        if d.severity == "error"
    ]

    assert {d.code for d in broken.diagnostics if d.severity == "error"} == {"schema_parse_error"}
    assert {d.path for d in broken.diagnostics} == {"schema.g", "query.g.x"}
    assert (
        "q.gq:1:7 warning query_typecheck_skipped: `x` was not checked, because the schema has errors"
        in told(broken)
    )
    assert (missing.code, str(missing.where), missing.path) == (
        "schema_file_missing", "cluster.yaml:4:13", "schema.g",
    )  # fmt: skip


async def test_a_query_that_does_not_fit_its_schema_is_told_under_its_address(load: Any) -> None:
    text = "query x() { match { $a: A } return { $a.nope } }\n"
    loaded = await load({"cluster.yaml": cluster("q.gq"), "a.pg": SCHEMA, "q.gq": text})

    assert [(d.code, d.path) for d in loaded.diagnostics] == [
        ("query_typecheck_error", "query.g.x")
    ]
    assert loaded.desired is None


async def test_a_broken_query_file_is_told_once_however_many_graphs_name_it(load: Any) -> None:
    text = cluster("q.gq") + "  h:\n    schema: a.pg\n    queries: {x: {file: q.gq}}\n"
    loaded = await load({"cluster.yaml": text, "a.pg": SCHEMA, "q.gq": "query x( {\n"})

    assert [d.code for d in loaded.diagnostics] == ["query_parse_error"]


async def test_dependencies_are_the_edges_of_the_specification(load: Any) -> None:
    text = (
        cluster("q.gq")
        + "policies:\n  p: {file: p.yaml, applies_to: [g]}\n  c: {file: p.yaml, applies_to: [cluster]}\n"
    )
    loaded = await load(
        {"cluster.yaml": text, "a.pg": SCHEMA, "q.gq": query("x"), "p.yaml": "version: 1\n"}
    )

    assert [f"{d.source} -> {d.target}" for d in loaded.desired.dependencies] == [
        "policy.p -> graph.g",
        "query.g.x -> graph.g",
        "query.g.x -> schema.g",
        "schema.g -> graph.g",
    ]

"""Files of policy tests: what they may say, and where a mistake in one is."""

import pytest

from agentctl.domain.policy.cases import Case, read_cases

GOOD = """\
version: 1
cases:
  - {id: a, actor: act-a, action: read, branch: main, expect: allow}
  - {id: b, actor: act-b, action: schema_apply, target_branch: main, expect: deny}
  - {id: c, actor: act-b, action: invoke_query, on: query.g.q, expect: deny}
  - {id: d, actor: act-b, action: cluster_plan, expect: allow}
"""


def told(text: str, graph: str | None = "g") -> list[str]:
    read = read_cases(text.encode(), file="t.yaml", graph=graph)
    return [f"{d.where}: {d.code}: {d.message}" for d in read.diagnostics]


def test_a_case_is_about_what_it_says_else_the_graph_else_the_cluster() -> None:
    read = read_cases(GOOD.encode(), file="t.yaml", graph="g")

    assert read.diagnostics == ()
    assert read.cases[0] == Case(
        id="a", actor="act-a", action="read", resource="graph.g", branch="main", expect="allow"
    )
    assert [c.resource for c in read.cases] == ["graph.g", "graph.g", "query.g.q", "cluster"]
    assert read.cases[1].context == {"target_branch": "main"}


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (
            "{id: a, actor: x, action: read, expects: allow}",
            "unknown field `expects` in a case",
        ),
        ("{id: a, actor: x, action: red, expect: allow}", "there is no action `red`"),
        (
            "{id: a, actor: x, action: read, expect: yes}",
            "`expect` is `yes`; it takes allow or deny",
        ),
        (
            "{id: a, actor: x, action: graph_list, on: graph.g, expect: deny}",
            "`graph_list` cannot be about `graph.g`",
        ),
        ("read", "a case is a mapping"),
    ],
)
def test_a_mistake_is_told_where_it_is(case: str, expected: str) -> None:
    found = told(f"version: 1\ncases:\n  - {case}\n")

    assert all(line.startswith("t.yaml:3:") for line in found)
    assert any("policy_tests_invalid" in line for line in found)
    assert any(expected in line for line in found), found


@pytest.mark.parametrize("text", ["", "[]", "version: 2\ncases: []\n", "version: 1\n", "a: [\n"])
def test_what_is_no_file_of_tests_is_refused(text: str) -> None:
    assert told(text)


def test_two_cases_of_one_id_are_refused() -> None:
    case = "  - {id: a, actor: x, action: read, expect: allow}\n"

    assert told(f"version: 1\ncases:\n{case}{case}") == [
        "t.yaml:4:10: policy_tests_invalid: two cases have the id `a`"
    ]


def test_an_action_on_graphs_needs_a_graph() -> None:
    text = "version: 1\ncases: [{id: a, actor: x, action: change, expect: allow}]\n"

    assert told(text, graph=None) == [
        "t.yaml:2:35: policy_tests_invalid: `change` is about a graph, and none is named"
    ]

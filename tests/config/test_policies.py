"""Policies: bindings, and the strict structure of a bundle. Source: access-and-faces 1."""

from typing import Any

import pytest

from agentctl.diagnostics.bag import Bag
from agentctl.domain.config.policy_file import EVERY_ACTION, check_policy_file
from agentctl.domain.policy.request import ACTIONS

GRAPHS = "version: 1\ngraphs:\n  g: {schema: a.pg}\n  h: {schema: a.pg}\n"
SCHEMA = "node A { k: String @key }\n"
GOOD = """\
version: 1
groups: { ops: [act-a], all: [act-a, act-b] }
protected_branches: [main]
rules:
  - id: r1
    allow: { actors: {group: all}, actions: [read, export], branch_scope: any }
  - id: r2
    allow: { actors: {group: ops}, actions: [schema_apply, branch_merge], target_branch_scope: protected }
  - id: r3
    allow: { actors: {group: ops}, actions: [invoke_query, admin] }
"""


async def bindings(load: Any, *policies: str, policy: str = "version: 1\n") -> list[str]:
    text = GRAPHS + "policies:\n" + "".join(f"  {line}\n" for line in policies)
    loaded = await load({"cluster.yaml": text, "a.pg": SCHEMA, "p.yaml": policy})
    return [f"{d.where} {d.path} {d.code}: {d.message}" for d in loaded.diagnostics]


def structure(text: str, *, cluster_bound: bool | None = False) -> list[str]:
    bag = Bag()
    check_policy_file(
        text.encode(), file="p.yaml", path="policy.p", cluster_bound=cluster_bound, bag=bag
    )
    return [f"{d.where} {d.severity} {d.code}: {d.message}" for d in bag.sorted()]


async def test_bindings_are_normalised_and_a_right_policy_is_told_nothing(load: Any) -> None:
    text = (
        GRAPHS
        + "policies:\n  p: {file: p.yaml, applies_to: [h, graph.g, g]}\n  c: {file: p.yaml, applies_to: [cluster]}\n"
    )
    loaded = await load({"cluster.yaml": text, "a.pg": SCHEMA, "p.yaml": "version: 1\n"})

    assert [(p.name, p.applies_to) for p in loaded.desired.policies] == [
        ("c", ("cluster",)),
        ("p", ("graph.g", "graph.h")),
    ]
    assert loaded.diagnostics == ()


async def test_a_policy_for_a_graph_that_is_not_there(load: Any) -> None:
    assert await bindings(load, "p: {file: p.yaml, applies_to: [graph.z]}") == [
        "cluster.yaml:6:34 policy.p dangling_graph_reference: the graph `z` is not declared"
    ]


async def test_a_binding_to_something_that_is_no_graph(load: Any) -> None:
    assert await bindings(load, "p: {file: p.yaml, applies_to: [schema.g]}") == [
        "cluster.yaml:6:34 policy.p wrong_kind_reference: `schema.g` is no graph; a policy applies"
        " to `cluster` or to graphs"
    ]


async def test_a_policy_for_the_cluster_and_a_graph(load: Any) -> None:
    assert await bindings(load, "p: {file: p.yaml, applies_to: [g, cluster]}") == [
        "cluster.yaml:6:37 policy.p policy_mixed_binding_kinds: `policies.p` applies to the cluster"
        " and to graphs at once"
    ]


async def test_two_policies_for_one_graph(load: Any) -> None:
    told = await bindings(
        load, "b: {file: p.yaml, applies_to: [g]}", "a: {file: p.yaml, applies_to: [graph.g]}"
    )

    assert told == [
        "cluster.yaml:6:34 policy.b duplicate_policy_binding: `graph.g` is bound to `a` already"
    ]


async def test_a_policy_file_that_is_not_there(load: Any) -> None:
    assert await bindings(load, "p: {file: nope.yaml, applies_to: [g]}") == [
        "cluster.yaml:6:13 policy.p policy_file_missing: there is no file `nope.yaml`"
    ]


async def test_a_broken_bundle_stops_the_folder(load: Any) -> None:
    told = await bindings(
        load, "p: {file: p.yaml, applies_to: [g]}", policy="version: 1\nrule: []\n"
    )

    assert told == ["p.yaml:2:1 policy.p policy_invalid: unknown field `rule` in `p.yaml`"]


def test_a_bundle_as_omnigraph_documents_it_is_right() -> None:
    assert structure(GOOD) == []
    assert structure("version: 1\n") == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("version: 1", "version: 2", "p.yaml:1:10 error policy_invalid: `version` is 2; this release reads 1"),
        ("version: 1\n", "", "p.yaml:1:1 error policy_invalid: `p.yaml` lacks the field `version`"),
        ("ops: [act-a]", "ops: []", "p.yaml:2:11 error policy_invalid: the group `ops` is empty"),
        ("ops: [act-a]", "ops: [' ']", "p.yaml:2:17 error policy_invalid: an item of `groups.ops` is blank"),
        ("[main]", "main", "p.yaml:3:21 error policy_invalid: `protected_branches` takes a list, not text"),
        ("id: r2", "id: r1", "p.yaml:7:9 error policy_invalid: two rules have the id `r1`"),
        ("id: r2", "id: ' '", "p.yaml:7:9 error policy_invalid: `id` of a rule is blank"),
        ("id: r2", "name: r2", "p.yaml:7:5 error policy_invalid: a rule lacks the field `id`"),
        ("{group: all}", "{group: al}", "p.yaml:6:30 error policy_invalid: the group `al` is not declared"),
        ("{group: all}", "[act-a]", "p.yaml:6:22 error policy_invalid: `actors` of the rule `r1` takes a mapping, not a list"),
        ("[read, export]", "[]", "p.yaml:6:45 error policy_invalid: the rule `r1` allows no action"),
        ("[read, export]", "[read, read]", "p.yaml:6:52 error policy_invalid: the rule `r1` lists `read` twice"),
        ("[read, export]", "[raed]", "p.yaml:6:46 error policy_invalid: there is no action `raed`"),
        ("[read, export]", "[invoke_query]", "p.yaml:6:46 error policy_invalid: `invoke_query` takes no `branch_scope`"),
        ("target_branch_scope: protected", "branch_scope: protected", "p.yaml:8:46 error policy_invalid: `schema_apply` takes no `branch_scope`"),
        ("branch_scope: any", "branch_scope: some", "p.yaml:6:75 error policy_invalid: `branch_scope` is `some`"),
        ("[invoke_query, admin]", "[graph_list]", "p.yaml:10:46 error policy_invalid: `graph_list` is an action on the cluster, and the policy applies to graphs"),
        ("id: r3\n    allow:", "id: r3\n    deny: {}\n    allow:", "p.yaml:10:5 error policy_invalid: a policy has no `deny`"),
        ("rules:", "rules: x\nmore:", "p.yaml:4:8 error policy_invalid: `rules` takes a list, not text"),
    ],
)  # fmt: skip
def test_a_fault_of_a_bundle_is_told_at_its_place(old: str, new: str, expected: str) -> None:
    assert GOOD.count(old) >= 1
    assert expected in structure(GOOD.replace(old, new, 1))


def test_a_rule_has_one_kind_of_scope() -> None:
    both = GOOD.replace("branch_scope: any", "branch_scope: any, target_branch_scope: any")

    assert structure(both) == [
        "p.yaml:6:46 error policy_invalid: `read` takes no `target_branch_scope`",
        "p.yaml:6:52 error policy_invalid: `export` takes no `target_branch_scope`",
        "p.yaml:6:80 error policy_invalid: the rule `r1` has `branch_scope` and `target_branch_scope`",
    ]


def test_a_cluster_bundle_allows_actions_on_the_cluster_only() -> None:
    text = "version: 1\ngroups: {a: [x]}\nrules:\n  - {id: r, allow: {actors: {group: a}, actions: [graph_list, read]}}\n"

    assert structure(text, cluster_bound=True) == [
        "p.yaml:4:63 error policy_invalid: `read` is an action on graphs, and the policy applies to the cluster"
    ]
    assert structure(text.replace(", read", ""), cluster_bound=True) == []


def test_a_rule_of_both_kinds_is_refused_also_where_the_binding_is_not_known() -> None:
    text = "version: 1\ngroups: {a: [x]}\nrules:\n  - {id: r, allow: {actors: {group: a}, actions: [graph_list, read]}}\n"

    assert structure(text, cluster_bound=None) == [
        "p.yaml:4:63 error policy_invalid: the rule `r` has actions on graphs and on the cluster"
    ]


def test_our_own_actions_are_known_and_noted_for_omnigraph() -> None:
    text = (
        "version: 1\nkind: graph\ngroups: {a: [x]}\nrules:\n"
        "  - {id: r, allow: {actors: {group: a}, actions: [embed, list_query, read]}}\n"
    )
    bag = Bag()
    found = check_policy_file(
        text.encode(), file="p.yaml", path="policy.p", cluster_bound=False, bag=bag
    )

    assert [d.code for d in bag] == ["policy_kind_deprecated"]
    assert [(a.feature, str(a.where)) for a in found] == [
        ("policy-action", "p.yaml:5:51"),
        ("policy-action", "p.yaml:5:58"),
        ("policy-kind", "p.yaml:2:1"),
    ]


def test_every_action_of_a_bundle_is_an_action_of_cedar() -> None:
    assert set(ACTIONS) >= EVERY_ACTION


def test_the_old_kind_is_a_warning_where_it_agrees_and_an_error_where_not() -> None:
    warned = "p.yaml:2:1 warning policy_kind_deprecated: `kind` is deprecated; `applies_to` in cluster.yaml says what the policy is for"

    assert structure("version: 1\nkind: graph\n", cluster_bound=False) == [warned]
    assert structure("version: 1\nkind: server\n", cluster_bound=True) == [warned]
    assert structure("version: 1\nkind: server\n", cluster_bound=False) == [
        "p.yaml:2:7 error policy_invalid: `kind: server` contradicts `applies_to`, which names graphs"
    ]
    assert structure("version: 1\nkind: other\n") == [
        "p.yaml:2:7 error policy_invalid: `kind` is `other`; it was `server` or `graph`"
    ]


def test_a_bundle_that_is_no_mapping_or_no_yaml() -> None:
    assert structure("") == ["None error policy_invalid: `p.yaml` is empty"]
    assert structure("- 1\n") == [
        "p.yaml:1:1 error policy_invalid: a policy is a mapping of fields"
    ]
    assert structure("a:\n\tb: 1\n") == [
        "p.yaml:2:1 error policy_invalid: a tab where YAML takes spaces"
    ]
    assert structure("version: 1\nversion: 1\n") == [
        "p.yaml:2:1 error duplicate_yaml_key: the key `version` stands twice in one mapping"
    ]

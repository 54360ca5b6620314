"""YAML is read as 1.2 core, bounded, and every fault has a place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.domain.config.scalars import boolean_value, integer_value, scalar_type
from agentctl.domain.config.yaml_tree import (
    NODE_COUNT_MAX,
    SIZE_BYTES_MAX,
    ListNode,
    MapNode,
    Node,
    ScalarNode,
    parse_yaml,
)


def parsed(text: str | bytes) -> tuple[Node | None, list[str]]:
    data = text.encode() if isinstance(text, str) else text
    document = parse_yaml(data, file="f.yaml", code="invalid_cluster_yaml")
    return document.root, [f"{d.where}: {d.code}: {d.message}" for d in document.diagnostics]


def scalar(text: str) -> ScalarNode:
    root, told = parsed(f"k: {text}\n")
    assert told == []
    assert isinstance(root, MapNode)
    value = root.entries[0].value
    assert isinstance(value, ScalarNode)
    return value


def test_every_node_knows_its_place_in_characters() -> None:
    root, told = parsed("é: é x # c\nb: [1,\n  'two']\nc:\n  d: e\n\n\nf: g\n")

    assert told == []
    assert isinstance(root, MapNode)
    places = {}
    for entry in root.entries:
        places[entry.key.text] = (str(entry.key.where), entry.value.where)
    spans = {
        key: (at, f"{v.line}:{v.column}-{v.end_line}:{v.end_column}")
        for key, (at, v) in places.items()
    }
    assert spans == {
        "é": ("f.yaml:1:1", "1:4-1:7"),
        "b": ("f.yaml:2:1", "2:4-3:9"),
        "c": ("f.yaml:4:1", "5:3-5:7"),
        "f": ("f.yaml:8:1", "8:4-8:5"),
    }


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "null"), ("~", "null"), ("null", "null"), ("Null", "null"), ("NULL", "null"),
        ("nULL", "text"), ("'null'", "text"), ("true", "boolean"), ("False", "boolean"),
        ("yes", "text"), ("on", "text"), ("off", "text"), ("y", "text"), ("12", "integer"),
        ("-3", "integer"), ("0x1F", "integer"), ("0o17", "integer"), ("0b11", "integer"),
        ("007", "text"), ("012", "text"), ("'1'", "text"), ("1.5", "number"), ("1e3", "number"),
        (".5", "number"), (".inf", "number"), (".nan", "number"), ("12:30:00", "text"),
        ("2026-11-21", "text"), ("!!str 5", "text"), ("1_000", "text"),
    ],
)  # fmt: skip
def test_a_plain_scalar_has_the_type_of_yaml_1_2_core(text: str, kind: str) -> None:
    assert scalar_type(scalar(text)) == kind


def test_values_are_read_only_as_their_type() -> None:
    assert integer_value(scalar("0x1F")) == 31
    assert integer_value(scalar("-3")) == -3
    assert integer_value(scalar("'3'")) is None
    assert integer_value(scalar("3.0")) is None
    assert integer_value(scalar("9" * 5000)) is None
    assert boolean_value(scalar("TRUE")) is True
    assert boolean_value(scalar("'true'")) is None
    assert boolean_value(scalar("yes")) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:\n\tb: 1\n", "f.yaml:2:1: invalid_cluster_yaml: a tab where YAML takes spaces"),
        ("a: 1\n\tb: 1\n", "f.yaml:2:1: invalid_cluster_yaml: a tab where YAML takes spaces"),
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3:1: duplicate_yaml_key: the key `a` stands twice in one mapping"),
        ("x: [{a: 1, 'a': 2}]", "f.yaml:1:12: duplicate_yaml_key: the key `a` stands twice in one mapping"),
        ("a: [1\n", "f.yaml:2:1: invalid_cluster_yaml: did not find expected ',' or ']'"),
        ("version: 1\n graphs: 2\n", "f.yaml:2:8: invalid_cluster_yaml: mapping values are not allowed in this context"),
        ("é: \x07", "f.yaml:1:4: invalid_cluster_yaml: character U+0007 may not stand in YAML"),
        (b"ok: 1\nbad: \xff\n", "f.yaml:2:6: invalid_cluster_yaml: byte 0xff is not UTF-8"),
        ("a: *x\n", "f.yaml:1:4: invalid_cluster_yaml: the anchor `&x` is not defined before"),
        ("a: &x [*x]\n", "f.yaml:1:8: invalid_cluster_yaml: the anchor `&x` contains itself"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2:1: invalid_cluster_yaml: a second document begins here"),
        ("a: !env X\n", "f.yaml:1:4: invalid_cluster_yaml: the tag `!env` is not read here"),
        ("? [a]\n: 1\n", "f.yaml:1:3: invalid_cluster_yaml: a key must be a plain word, not a list or a mapping"),
    ],
)  # fmt: skip
def test_a_fault_of_the_text_is_told_with_its_place(text: str | bytes, expected: str) -> None:
    assert parsed(text)[1] == [expected]


def test_lists_scope_their_keys_and_values_may_look_like_keys() -> None:
    text = "a:\n  - k: 1\n  - k: 2\nb: {k: 'k: 1'}\nc: |\n  a: 1\n  a: 2\n# a: 3\n"

    assert parsed(text)[1] == []


def test_an_alias_is_the_value_that_it_names() -> None:
    root, told = parsed("a: &x [1, 2]\nb: *x\n")

    assert told == []
    assert isinstance(root, MapNode)
    assert isinstance(root.entries[1].value, ListNode)
    assert root.entries[1].value == root.entries[0].value


def test_a_bomb_of_anchors_is_refused_at_the_alias_that_goes_too_far() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 20)]
    root, told = parsed("\n".join(lines))

    assert root is None
    assert len(told) == 1
    assert f"more than {NODE_COUNT_MAX} values once every alias is expanded" in told[0]


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_a_tower_of_levels_is_refused(opening: str) -> None:
    root, told = parsed(opening * 100_000)

    assert root is None
    assert "more than 64 levels deep" in told[0]


def test_a_huge_file_is_refused_unread() -> None:
    root, told = parsed(b"#" * (SIZE_BYTES_MAX + 1))

    assert root is None
    assert "bytes; at most" in told[0]


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    root, told = parsed("\ufeffversion: 1\n")

    assert told == []
    assert isinstance(root, MapNode)
    assert root.entries[0].key.text == "version"
    assert root.entries[0].key.where.column == 1


YAMLISH = st.text(st.sampled_from("ab:-#[]{}&*!'\"|>?% \n\t,1~é\x00\x85\ufeff"), max_size=60)


@given(st.one_of(st.binary(max_size=60), YAMLISH.map(str.encode)))
def test_no_bytes_raise_and_every_place_lies_in_the_text(data: bytes) -> None:
    document = parse_yaml(data, file="f", code="invalid_cluster_yaml")

    lines = data.decode("utf-8", "replace").removeprefix("\ufeff").split("\n")
    for diagnostic in document.diagnostics:
        assert diagnostic.where is not None
        assert 1 <= diagnostic.where.line <= len(lines)
        assert 1 <= diagnostic.where.column <= len(lines[diagnostic.where.line - 1]) + 1
        assert diagnostic.where.end_line >= diagnostic.where.line

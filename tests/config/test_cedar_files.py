"""Bundles in Cedar. Source: access-and-faces 3.2."""

from typing import Any

import pytest

from agentctl.domain.config.cedar_file import pieces
from agentctl.domain.config.load import parse_config, resolve
from agentctl.domain.config.snapshot import FolderSnapshot

CLUSTER = "version: 1\npolicies: {p: {file: p.cedar, applies_to: [cluster]}}\n"
GOOD = """\
// who may plan; it is no end of a policy
@id("plan; (all)")
permit (
  principal is AgentCtl::Agent,
  action == AgentCtl::Action::"cluster_plan",
  resource
) when { context.via == "mcp;" };

@id("read")
permit (principal, action == AgentCtl::Action::"read", resource);
"""


@pytest.fixture
def faults(load: Any) -> Any:
    """Returns the errors of a bundle in Cedar."""

    async def found(text: str | bytes) -> list[str]:
        loaded = await load({"cluster.yaml": CLUSTER, "p.cedar": text})
        return [
            f"{d.where.line}:{d.where.column}-{d.where.end_column} {d.message}"
            if d.where
            else d.message
            for d in loaded.diagnostics
            if d.severity == "error" and d.code == "policy_invalid" and d.path == "policy.p"
        ]

    return found


async def test_a_bundle_in_cedar_is_a_policy_by_its_bytes(load: Any) -> None:
    loaded = await load({"cluster.yaml": CLUSTER, "p.cedar": GOOD})

    assert loaded.diagnostics == ()
    assert loaded.desired.policies[0].file == "p.cedar"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("permit (principal action, resource);", ["1:19-25 unexpected token `action`"]),
        ('permit (principal, action == AgentCtl::Action::"reed", resource);', ['1:30-54 unrecognized action `AgentCtl::Action::"reed"`']),
        ("permit (principal, action, resource) when { context.via == 3 };", ["1:1-64 the types Long and String are not compatible"]),
        ("permit (principal == ?principal, action, resource);", ["1:1-52 a policy with a slot is a template, and nothing links it"]),
        ("// nothing\n", ["`p.cedar` has 0 policies; it takes 1 to 1000"]),
        ("", ["`p.cedar` has 0 policies; it takes 1 to 1000"]),
        (b"permit \xff", ["1:8-9 byte 0xff is not UTF-8"]),
        ("permit (principal, action, resource)", ["1:1-37 unexpected end of input"]),
        (
            GOOD + 'permit (principal, action, resource) when { principal.nme };\n@id("read") permit (principal, oops);\n',
            [
                "11:55-58 attribute `nme` not found",
                '12:1-12 two policies have the id `read`',
                "12:32-36 found an invalid variable in the policy scope: oops",
            ],
        ),
    ],
)  # fmt: skip
async def test_each_fault_of_a_bundle_in_cedar_has_a_place(
    faults: Any, text: str | bytes, expected: list[str]
) -> None:
    assert await faults(text) == expected


@pytest.mark.parametrize(
    "body",
    ["(" * 100_000, "[" * 41 + "]" * 41, "1 + " * 5_000 + "1 == 1", "if true then 1 else " * 9_000],
)
async def test_a_policy_that_would_end_the_process_is_refused_before(
    faults: Any, body: str
) -> None:
    told = await faults("permit (principal, action, resource) when { " + body + " };")

    assert [line.partition(" ")[2] for line in told] == [
        "a policy has at most 40 levels of brackets and 2000 words"
    ]


@pytest.mark.parametrize(
    "hiding",
    ["// a remark ends here\r{}\n", '@id("a\\") ") {} // "\n'],
    ids=["behind a carriage return", "behind an escaped quote"],
)
@pytest.mark.parametrize("depth", [41, 950, 20_000])
async def test_no_policy_that_would_end_the_process_hides_from_the_check(
    faults: Any, hiding: str, depth: int
) -> None:
    body = "(" * depth + "true" + ")" * depth
    deep = f"permit (principal, action, resource) when {{ {body} }};"

    told = await faults(hiding.format(deep))

    assert [line.partition(" ")[2] for line in told] == [
        "a policy has at most 40 levels of brackets and 2000 words"
    ]


def test_a_policy_behind_a_carriage_return_is_one() -> None:
    text = "// a remark\rpermit (principal, action, resource);"

    assert [text[p.start : p.end] for p in pieces(text)] == [text.partition("\r")[2]]


async def test_a_chain_too_long_for_a_simulation_is_a_fault_with_its_place(faults: Any) -> None:
    chain = " && ".join(["context.sandbox"] * 250)

    told = await faults(f"{GOOD}permit (principal, action, resource) when {{ {chain} }};\n")

    assert len(told) == 1
    assert told[0].startswith("11:1-")
    assert "too many operators in one another" in told[0]


def test_a_text_that_nobody_ends_is_read_once() -> None:
    text = "permit (principal, action, resource) when { " + '"' + '\\"' * 500_000

    assert len(list(pieces(text))) == 1  # hours, where each quote begins a text anew


def test_policies_are_cut_at_their_own_semicolons() -> None:
    found = [GOOD[p.start : p.end] for p in pieces(GOOD)]

    assert [text.partition("\n")[0] for text in found] == ['@id("plan; (all)")', '@id("read")']
    assert [p.id for p in pieces(GOOD)] == ["plan; (all)", "read"]


def test_without_cedar_no_bundle_in_it_holds() -> None:
    files = {"cluster.yaml": CLUSTER.encode(), "p.cedar": GOOD.encode()}
    loaded = resolve(parse_config(files["cluster.yaml"]), FolderSnapshot(files=files))

    assert loaded.desired is None
    assert "`p.cedar` is in Cedar, which cannot be checked here" in {
        d.message for d in loaded.diagnostics
    }

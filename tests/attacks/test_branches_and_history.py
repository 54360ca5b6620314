"""What policy denies of one branch is reached by no point, copy, merge, difference or care of another.

The graph `spare` has a secret row on `main`; `work` was cut before it, and is all that `agent:ci` may
read. Each test makes its attacks over HTTP, and looks for the secret in every answer.
"""

import json
from typing import Any

import pytest

from agentctl.testing.builders import QUERY, decide
from agentctl_tools.door import call

pytestmark = pytest.mark.slow

SECRET = "crown-jewels"
OURS = '{"type": "Package", "data": {"name": "ours", "version": "1"}}\n'
WORTH = "9-millions"
ROW = f'{{"type": "Package", "data": {{"name": "{SECRET}", "version": "{WORTH}"}}}}\n'
GUESS = f'{{"type": "Package", "data": {{"name": "{SECRET}", "version": "?"}}}}\n'
PEOPLE = '@id("people") permit (principal is AgentCtl::Human, action, resource);\n'
RUN = """\
@id("run") permit (principal is AgentCtl::Agent,
  action in [AgentCtl::Action::"invoke_query", AgentCtl::Action::"list_query"], resource);
"""
WORK = "".join(
    f'@id("{name}") permit (principal is AgentCtl::Agent, action,'
    f' resource == AgentCtl::Branch::"spare@{name}");\n'
    for name in ("work", "mine")
)
ONLY_WORK = PEOPLE + RUN + WORK
MERGES = ONLY_WORK + (
    '@id("merges") permit (principal is AgentCtl::Agent,'
    ' action == AgentCtl::Action::"branch_merge", resource == AgentCtl::Graph::"spare");\n'
)
ALL_BUT = (
    '@id("all") permit (principal, action, resource);\n'
    '@id("not-that") forbid (principal is AgentCtl::Agent, action,'
    ' resource == AgentCtl::Branch::"spare@hidden");\n'
)
HERE = {"graph": "spare"}


async def as_sarah(keep: Any, operation: str, **given: Any) -> Any:
    """Calls an operation that must be good, as a person."""
    made = await call(keep.cluster, keep.bench.sarah, operation, {**HERE, "intent": "x", **given})
    assert made.ok, made
    return made.data


async def divided(keep: Any, policy: str = ONLY_WORK) -> None:
    """`main` has the secret by its third commit, which has a tag; `work` is as before."""
    await keep.begin()
    await as_sarah(keep, "branch_create", branch="work", at="main:2")
    await as_sarah(keep, "load_rows", rows=ROW)
    await as_sarah(keep, "graph_tag", tag="release")
    await keep.govern(policy)


async def with_hidden(keep: Any) -> None:
    """A branch `hidden` with a tag `hush` has the secret; agents do everything elsewhere."""
    await keep.begin()
    await as_sarah(keep, "branch_create", branch="hidden")
    await as_sarah(keep, "graph_tag", tag="hush", branch="hidden")
    await as_sarah(keep, "graph_tag", tag="open")
    await keep.govern(ALL_BUT)


def told(answer: Any) -> str:
    """Returns what an answer says; the secret is not in it."""
    assert SECRET not in answer.text, answer.text
    return str(answer.text)


POINTS = ("main:3", "release", "main:1")


async def test_a_branch_is_read_by_a_point_of_another_through_no_read(keep: Any) -> None:
    await divided(keep)

    async with keep.served(), keep.holds("read"):
        for at in POINTS:
            for more in ({}, {"explain": "analyze"}):
                asked = {"query": QUERY, "branch": "work", "at": at, **more}
                answer = await keep.post("agent:ci", "query", **HERE, **asked)
                assert not answer.json()["ok"], told(answer)
        mine = await keep.post("agent:ci", "query", **HERE, query=QUERY, branch="work")

    assert mine.json()["data"]["row_count"] == 2, "what may be read is read"


async def test_a_branch_is_read_by_a_point_of_another_through_no_difference(keep: Any) -> None:
    await divided(keep)

    async with keep.served(), keep.holds("read"):
        for at in POINTS:
            for asked in ({"before": at}, {"before": "work:1", "after": at}):
                answer = await keep.post("agent:ci", "graph_diff", **HERE, branch="work", **asked)
                assert not answer.json()["ok"], told(answer)
        async with keep.web("agent:ci") as web:
            answer = await web.get("/graphs/spare/commits/main:3/changes")
        feed = await keep.post("agent:ci", "graph_changes", **HERE, branch="work", since="main:2")
        base = await keep.post("agent:ci", "graph_baseline", **HERE, branch="work", at="release")

    assert answer.status_code == 403, told(answer)
    assert not feed.json()["ok"], told(feed)
    assert not base.json()["ok"], told(base)


async def test_a_branch_is_read_by_a_point_of_another_through_no_export(keep: Any) -> None:
    await divided(keep)
    path = "/graphs/spare/export"

    async with keep.served(), keep.holds("export"):
        answers = [
            await keep.raw("agent:ci", path, json.dumps({"branch": "work", "at": at}))
            for at in POINTS
        ]
        mine = await keep.raw("agent:ci", path, json.dumps({"branch": "work"}))

    assert [a.status_code in {403, 404} for a in answers] == [True] * 3, list(map(told, answers))
    assert mine.status_code == 200
    assert '"a"' in told(mine)


async def test_a_branch_is_read_by_a_copy_through_no_cut_and_no_merge(
    keep: Any, codes: Any
) -> None:
    """The agent may cut and read `mine`, and merge into `work`: what it gets there it had to read."""
    await divided(keep)
    cut = {**HERE, "branch": "mine", "intent": "x"}

    async with keep.served(), keep.holds("read"):
        answers = [
            await keep.post("agent:ci", "branch_create", **cut),
            await keep.post("agent:ci", "branch_create", **cut, source="work", at="main:3"),
            await keep.post("agent:ci", "branch_create", **cut, source="work", at="release"),
            await keep.post("agent:ci", "branch_merge", **HERE, source="main", into="work", intent="x"),
        ]  # fmt: skip

    assert [codes(a) for a in answers] == [
        ["denied"], ["denied"], ["graph_point_missing"], ["denied"],
    ], list(map(told, answers))  # fmt: skip


async def test_a_branch_is_read_by_its_conflicts_in_no_merge(keep: Any, codes: Any) -> None:
    """The agent may merge into `main` and not read it: a clash would tell the row that is there.

    So it writes the key that it guesses to its own branch, and merges that.
    """
    await divided(keep, MERGES)

    async with keep.served():
        guess = await keep.post(
            "agent:ci", "load_rows", **HERE, rows=GUESS, branch="work", intent="x"
        )
        assert guess.json()["ok"], guess.text
        async with keep.holds("read"):
            answer = await keep.post(
                "agent:ci", "branch_merge", **HERE, source="work", into="main", intent="x"
            )

    assert codes(answer) == ["denied"], answer.text
    assert WORTH not in answer.text


async def test_a_lent_query_gives_the_newest_of_main_and_no_other_point_or_plan(
    keep: Any, codes: Any
) -> None:
    await divided(keep)
    asked = {"query": "spare.all_packages"}

    async with keep.served(), keep.holds("read"):
        lent = await keep.post("agent:ci", "run_query", **asked)
        refused = [
            await keep.post("agent:ci", "run_query", **asked, **more)
            for more in (
                {"at": "main:2"}, {"at": "release"}, {"explain": "plan"}, {"explain": "analyze"},
                {"branch": "nothing"},
            )
        ]  # fmt: skip

    assert lent.json()["data"]["row_count"] == 3
    assert [codes(a) for a in refused] == [["denied"]] * 5, list(map(told, refused))


async def test_names_of_branches_and_tags_that_may_not_be_read_are_told_by_no_answer(
    keep: Any,
) -> None:
    """A tag of a hidden branch answers as one that is not there, in the same words."""
    await with_hidden(keep)
    ways: list[tuple[str, dict[str, Any]]] = [
        ("query", {"query": QUERY, "at": "NAME"}),
        ("run_query", {"graph": None, "query": "spare.all_packages", "at": "NAME"}),
        ("graph_diff", {"before": "NAME"}),
        ("graph_baseline", {"at": "NAME"}),
        ("branch_create", {"branch": "new", "at": "NAME", "intent": "x"}),
        ("graph_tag", {"tag": "new", "at": "NAME", "intent": "x"}),
        ("graph_untag", {"tag": "NAME", "intent": "x"}),
    ]

    async with keep.served():
        listed = [await keep.post("agent:ci", o, **HERE) for o in ("branch_list", "graph_tags")]
        taken = await keep.post(
            "agent:ci", "graph_tag", **HERE, tag="hush", at="main:1", intent="x"
        )
        cared = [await keep.post("agent:ci", o, **HERE) for o in ("graph_verify", "graph_waste")]
        for operation, given in ways:
            answers = []
            for name in ("hush", "none"):
                asked = {k: name if v == "NAME" else v for k, v in (HERE | given).items() if v}
                answers.append((await keep.post("agent:ci", operation, **asked)).text)
            hidden, unknown = answers
            assert hidden.replace("hush", "none") == unknown, operation
            assert '"ok":true' not in hidden, operation

    assert "open" in listed[1].text
    assert "is taken" in taken.text
    assert "hidden" not in taken.text
    for answer in (*listed, *cared):
        assert "hidden" not in answer.text
        assert "hush" not in answer.text
    assert [a.json()["ok"] for a in (*listed, *cared)] == [True, True, False, False]


async def test_care_of_branches_that_may_not_be_changed_is_taken_by_nobody(
    keep: Any, codes: Any
) -> None:
    """A cleanup lets go of old commits of every branch, whoever's it is."""
    await with_hidden(keep)

    async with keep.served(), keep.holds("change"):
        answer = await keep.post("agent:ci", "graph_cleanup", **HERE, intent="x")
        other = await keep.post("agent:ci", "graph_optimize", **HERE, branch="hidden", intent="x")

    assert codes(answer) == codes(other) == ["denied"]
    assert "hidden" not in answer.text


async def test_a_cleanup_after_a_tag_was_taken_away_takes_nothing_of_a_protected_graph(
    keep: Any, codes: Any
) -> None:
    """What a person named for good is not let go of in two steps, each of which looks small."""
    await keep.begin()
    await as_sarah(keep, "graph_tag", tag="release")
    protected = f"{(keep.bench.path / 'cluster.yaml').read_text()}protect: [graph.spare]\n"
    keep.bench.write({"cluster.yaml": protected})
    made = await call(keep.cluster, keep.bench.sarah, "apply", {"intent": "protect it"})
    if not getattr(made.data, "converged", False):
        await decide(keep.cluster, await keep.asked("cluster"))
        made = await call(keep.cluster, keep.bench.sarah, "apply", {"intent": "protect it"})
    assert getattr(made.data, "converged", False), made

    async with keep.served():
        answer = await keep.post("agent:ci", "graph_untag", **HERE, tag="release", intent="x")
    tags = await as_sarah_reads(keep, "graph_tags")

    assert codes(answer) == ["approval_required"]
    assert [tag.name for tag in tags.tags] == ["release"]


async def as_sarah_reads(keep: Any, operation: str) -> Any:
    return (await call(keep.cluster, keep.bench.sarah, operation, HERE)).data


async def test_a_pasted_secret_is_in_no_commit(keep: Any) -> None:
    """The intent of a write is in its op and in its commit, which whoever reads the graph sees."""
    await keep.begin()
    secret = "ghp_" + "a1B2c3D4e5" * 4

    async with keep.served():
        given = {**HERE, "intent": f"with {secret}"}
        done = await keep.post("agent:ci", "load_rows", rows=OURS, **given)
        shown = await keep.post("agent:ci", "graph_commits", **HERE)
    stored = [p.read_bytes() for p in keep.bench.path.rglob("*") if p.is_file()]

    assert done.json()["ok"], done.text
    assert secret not in shown.text
    assert not [data for data in stored if secret.encode() in data]


async def test_a_cleanup_after_a_branch_was_deleted_leaves_what_it_held_for_as_long_as_is_promised(
    keep: Any,
) -> None:
    """Old commits of a branch are not gone with the command after its deletion."""
    await keep.begin()
    await as_sarah(keep, "branch_create", branch="work")
    await as_sarah(keep, "load_rows", rows=OURS, branch="work")
    head = (await as_sarah_reads(keep, "branch_list")).branches[1].head.id
    keep.bench.world.advance(30 * 86_400)

    await as_sarah(keep, "branch_delete", branch="work", unmerged=True)
    await as_sarah(keep, "graph_cleanup")
    regretted = await as_sarah(keep, "branch_create", branch="again", source="work", at=head)
    await as_sarah(keep, "branch_delete", branch="again", unmerged=True)
    keep.bench.world.advance(30 * 86_400)
    await as_sarah(keep, "graph_cleanup")
    late = await call(keep.cluster, keep.bench.sarah, "query", {**HERE, "query": QUERY, "at": head})

    assert regretted.branch.name == "again"
    assert [d.code for d in late.diagnostics] == ["graph_collected"]

"""Differences and lists of sandboxes as text and as Markdown, whole."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from agentctl.domain.sandbox.difference import (
    ChangeDiff,
    CommandSummary,
    PackageChange,
    PackageInfo,
    RowChange,
    RowChanges,
    ServiceChange,
)
from agentctl.foreign import cells
from agentctl.views.sandbox_text import (
    render_difference,
    render_difference_markdown,
)

DIFF = ChangeDiff(
    files_added=("towns.gq",),
    files_modified=("cluster.yaml", "social.pg"),
    files_removed=("cities.gq",),
    packages_added=(PackageInfo(name="social.Person.email", version="email: String? @unique"),),
    packages_changed=(
        PackageChange(
            name="social.City.name", before="name: String @key", after="name: String @key @index"
        ),
    ),
    packages_removed=(PackageInfo(name="social.Person.age", version="age: I32?"),),
    services_changed=(
        ServiceChange(name="cluster", enabled=True, state="changed"),
        ServiceChange(name="policy.p -> cluster", enabled=True, state="added"),
        ServiceChange(name="policy.p -> graph.social", enabled=False, state="removed"),
        ServiceChange(name="query.social.people", enabled=True, state="changed"),
    ),
    rows=(
        RowChanges(
            graph="social",
            type_name="Person",
            added=1_204,
            changed=1,
            removed=1,
            sample=(
                RowChange(key="ada", before=None, after={"name": "ada", "email": None, "n": 3}),
                RowChange(
                    key="bob",
                    before={"name": "bob", "tags": ["a"], "age": 3},
                    after={"name": "bob", "tags": ["a", "b"], "email": "b@x"},
                ),
                RowChange(key="cy", before={"name": "cy"}, after=None),
            ),
        ),
        RowChanges(graph="social", type_name="City", added=0, changed=0, removed=2, sample=()),
    ),
    commands_run=(
        CommandSummary(cmd="query social people", exit_code=1, at="2026-11-22T05:00:02.000Z"),
    ),
)
LONG = ChangeDiff(
    files_added=tuple(f"q{i:02d}.gq" for i in range(23)),
    rows=(
        RowChanges(
            graph="g",
            type_name="A",
            added=9,
            changed=0,
            removed=0,
            sample=tuple(
                RowChange(key=f"k{i}", before=None, after={"text": "x" * 90, "more": "y" * 90, "n": i})
                for i in range(9)
            ),
        ),
    ),
)  # fmt: skip


def test_a_difference_for_a_terminal() -> None:
    assert render_difference(DIFF) == snapshot("""\
Files (4)
  + towns.gq
  ~ cluster.yaml
  ~ social.pg
  - cities.gq

Types and properties (3)
  + social.Person.email  email: String? @unique
  ~ social.City.name
      was name: String @key
      is  name: String @key @index
  - social.Person.age    age: I32?

Queries, policies, bindings and providers (4)
  ~ cluster                   its settings
  + policy.p -> cluster
  - policy.p -> graph.social
  ~ query.social.people

Rows by type (2)
  social.Person  1,204 added, 1 changed, 1 removed
      + ada: name ada, n 3
      ~ bob: tags ["a"] -> ["a", "b"], email none -> b@x, age 3 -> none
      - cy: name cy
      and 1,203 more
  social.City    2 removed

Commands that were run (1)
  2026-11-22T05:00:02.000Z  exit 1  query social people

Difference: 4 files, 3 declarations, 4 services, 1,208 rows of 2 types.
""")


def test_a_difference_as_markdown() -> None:
    assert render_difference_markdown(DIFF) == snapshot("""\
### What the sandbox changed

4 files, 3 declarations, 4 services, 1,208 rows of 2 types.

#### Files

- `+` `towns.gq`
- `~` `cluster.yaml`
- `~` `social.pg`
- `-` `cities.gq`

#### Types and properties

- `+` `social.Person.email`: `email: String? @unique`
- `~` `social.City.name`
  - `was name: String @key`
  - `is  name: String @key @index`
- `-` `social.Person.age`: `age: I32?`

#### Queries, policies, bindings and providers

- `~` `cluster`: `its settings`
- `+` `policy.p -> cluster`
- `-` `policy.p -> graph.social`
- `~` `query.social.people`

#### Rows by type

- `social.Person`: `1,204 added, 1 changed, 1 removed`
  - `+ ada: name ada, n 3`
  - `~ bob: tags ["a"] -> ["a", "b"], email none -> b@x, age 3 -> none`
  - `- cy: name cy`
  - `and 1,203 more`
- `social.City`: `2 removed`

#### Commands that were run

- `2026-11-22T05:00:02.000Z`: `exit 1  query social people`
""")


def test_long_lists_are_cut_and_counted_unless_the_whole_is_wanted() -> None:
    assert render_difference(LONG) == snapshot("""\
Files (23)
  + q00.gq
  + q01.gq
  + q02.gq
  + q03.gq
  + q04.gq
  + q05.gq
  + q06.gq
  + q07.gq
  + q08.gq
  + q09.gq
  + q10.gq
  + q11.gq
  + q12.gq
  + q13.gq
  + q14.gq
  + q15.gq
  + q16.gq
  + q17.gq
  + q18.gq
  + q19.gq
  and 3 more

Rows by type (1)
  g.A  9 added
      + k0: text xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx‹+55›, more yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy‹+55›, n 0
      + k1: text xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx‹+55›, more yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy‹+55›, n 1
      + k2: text xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx‹+55›, more yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy‹+55›, n 2
      + k3: text xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx‹+55›, more yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy‹+55›, n 3
      + k4: text xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx‹+55›, more yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy‹+55›, n 4
      + k5: text xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx‹+55›, more yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy‹+55›, n 5
      and 3 more

Difference: 23 files, 9 rows of 1 type.
""")
    whole = render_difference(LONG, whole=True)

    assert "q22.gq" in whole
    assert "+ k8:" in whole
    assert "and 3 more" not in whole
    assert "- and 3 more" in render_difference_markdown(LONG)
    assert "q22.gq" in render_difference_markdown(LONG, whole=True)


def test_no_difference_is_said_and_its_commands_are_told() -> None:
    only_run = ChangeDiff(commands_run=DIFF.commands_run)

    assert render_difference(ChangeDiff()) == "Nothing differs.\n"
    assert render_difference_markdown(ChangeDiff()) == snapshot("""\
### What the sandbox changed

Nothing differs.
""")
    assert render_difference(only_run) == snapshot("""\
Nothing differs.

Commands that were run (1)
  2026-11-22T05:00:02.000Z  exit 1  query social people
""")


def test_a_config_that_is_broken_is_told() -> None:
    broken = ChangeDiff(
        services_changed=(ServiceChange(name="cluster", enabled=False, state="changed"),)
    )

    assert "  ~ cluster  the config has errors\n" in render_difference(broken)


HOSTILE = "a\x1b[2J\u202eb`c|*d\n# e"


def hostile(text: str) -> ChangeDiff:
    info = PackageInfo(name=text, version=text)
    return ChangeDiff(
        files_added=(text,),
        files_modified=(text,),
        packages_added=(info,),
        packages_changed=(PackageChange(name=text, before=text, after=text + "x"),),
        packages_removed=(info,),
        services_changed=(ServiceChange(name=text, state="added"),),
        rows=(
            RowChanges(
                graph=text,
                type_name=text,
                added=1,
                changed=1,
                removed=1,
                sample=(
                    RowChange(key=text, before=None, after={text: text}),
                    RowChange(key=text, before={text: text}, after={text: [text]}),
                    RowChange(key=text, before={text: text}, after=None),
                ),
            ),
        ),
        commands_run=(CommandSummary(cmd=text, exit_code=0, at=text),),
    )


def acts(text: str) -> bool:
    """Whether a terminal would obey anything of a text besides its line feeds."""
    obeyed = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    return any(unicodedata.category(c) in obeyed for c in text.replace("\n", ""))


@given(st.just(HOSTILE) | st.text(max_size=30))
def test_foreign_text_stays_on_its_line_and_does_nothing(text: str) -> None:
    one, plain = render_difference(hostile(text)), render_difference(hostile("a"))
    marked = render_difference_markdown(hostile(text))

    for shown in (one, marked):
        assert not acts(shown)
    assert one.count("\n") == plain.count("\n")
    assert marked.count("\n") == render_difference_markdown(hostile("a")).count("\n")
    assert all(cells(line) <= 420 for line in one.split("\n"))

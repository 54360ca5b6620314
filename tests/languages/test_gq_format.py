"""The one canonical form of `.gq` text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.languages.query.format import format_queries
from agentctl.languages.query.parse import QUERY_DIALECT, parse_query_file
from agentctl.languages.text.lexer import lex
from agentctl.languages.text.report import Report
from agentctl.languages.text.source import source_of
from agentctl.testing.query_printer import meaning, print_declaration
from agentctl.testing.query_texts import QueryTexts

DECLARATIONS = QueryTexts().declarations()
BLANKS = st.sampled_from(
    (
        "",
        "",
        " ",
        "\n",
        "\n\n\n",
        "\t \r\n",
        "/* a\n b */",
        "/**/",
        " // c\n",
        "\n// d\n\n",
        "// //\n",
    )
)


def formatted(text: str) -> str:
    result = format_queries(text.encode(), file="q.gq")
    assert result.diagnostics == ()
    assert result.text is not None
    return result.text


def comments(text: str) -> list[str]:
    lexed = lex(Report(source_of(text, file="q.gq"), QUERY_DIALECT))
    return [c.text.rstrip() for c in lexed.comments]


@st.composite
def scattered(draw: st.DrawFn) -> str:
    """A right text with other blanks and comments between its tokens."""
    text = "".join(print_declaration(d) for d in draw(st.lists(DECLARATIONS, max_size=2)))
    tokens = lex(Report(source_of(text, file="q.gq"), QUERY_DIALECT)).tokens
    parts: list[str] = []
    for token in tokens:
        blank = draw(BLANKS)
        needed = " " if parts and not blank else ""
        parts += [blank or needed, text[token.start : token.end]]
    return "".join(parts)


@settings(deadline=None)
@given(scattered())
def test_formatting_keeps_meaning_and_comments_and_is_done_once(text: str) -> None:
    before = parse_query_file(text.encode(), file="q.gq")
    assert before.diagnostics == ()

    once = formatted(text)

    after = parse_query_file(once.encode(), file="q.gq")
    assert after.diagnostics == ()
    assert meaning(after.declarations) == meaning(before.declarations)
    assert comments(once) == comments(text)
    assert formatted(once) == once


LOOSE = """// first
query find($name: String, $min: I32?, $tags: [String]) @description("find them all, and a few more") @instruction("use when needed") {
match { $p: Person { name: $name, age: -3 } // trailing
  $p $e:knows{1,3} $q
  /* a */ not { $q worksAt $c }
  $p (knows|likes) $z $a <knows> $b
  not { $q worksAt $c $c: Company }
  $p.age > 3 and ($p.x = 1 or $p.y in [1,2,3,]) and exists { $p knows $q } and not $p.name is null and $p.long = 3


  count { $p knows $x } >= 2
} return distinct { $p.name, count($q) as n
  // what
  $p . @id as id, }
order { n desc, $p.name } limit 10 offset $o }
query q() { insert A { a: 1 b: "x" } delete A where a = 1 and b = 2
// end of q
}
// end"""

CANONICAL = """// first
query find($name: String, $min: I32?, $tags: [String])
  @description("find them all, and a few more")
  @instruction("use when needed") {
  match {
    $p: Person { name: $name, age: -3 } // trailing
    $p $e:knows{1,3} $q
    /* a */ not { $q worksAt $c }
    $p (knows | likes) $z
    $a <knows> $b
    not {
      $q worksAt $c
      $c: Company
    }
    $p.age > 3
      and ($p.x = 1 or $p.y in [1, 2, 3])
      and exists { $p knows $q }
      and not $p.name is null
      and $p.long = 3

    count { $p knows $x } >= 2
  }
  return distinct {
    $p.name,
    count($q) as n,
    // what
    $p.@id as id
  }
  order { n desc, $p.name }
  limit 10
  offset $o
}

query q() {
  insert A { a: 1, b: "x" }
  delete A where a = 1 and b = 2
  // end of q
}
// end
"""

COMMENTED = """query q(
  $a: I32 // a
) {
  match {
    $a: A {
      x: 1 // one
      // two
    } /* b */
  }
  return {
    $a.x, // c
    $b // d
  }
  order { // x
    $a
  }
  // lim
  limit 3 // t

  // end
}
"""


def test_the_house_style() -> None:
    assert formatted(LOOSE) == CANONICAL


@pytest.mark.parametrize("text", [CANONICAL, COMMENTED, "", "// only a comment\n"])
def test_what_is_formatted_stays(text: str) -> None:
    assert formatted(text) == text


def test_what_does_not_fit_on_a_line_gets_a_line_an_item() -> None:
    names = ", ".join(f"p{n}: $parameter_{n}" for n in range(8))
    text = f"query q() {{ insert Person {{ {names} }} update A set {{ x: 1 }} where {{}} }}"
    text = text.replace("{}", " and ".join(f"a{n} = $parameter_{n}" for n in range(6)))

    lines = formatted(text).splitlines()

    assert lines[1:4] == ["  insert Person {", "    p0: $parameter_0,", "    p1: $parameter_1,"]
    assert lines[9:14] == [
        "    p7: $parameter_7",
        "  }",
        "  update A set { x: 1 } where a0 = $parameter_0",
        "    and a1 = $parameter_1",
        "    and a2 = $parameter_2",
    ]


def test_commas_stand_between_items_and_never_behind_the_last() -> None:
    """OmniGraph 0.10 takes a comma behind the last item only in some places."""
    text = """query q($a: I32,) { match { $a: A { x: [1,], y: 2,, } } return { $a $b, } order { $a, } }"""
    text = text.replace(",,", ",")

    assert formatted(text).splitlines() == [
        "query q($a: I32) {",
        "  match { $a: A { x: [1], y: 2 } }",
        "  return { $a, $b }",
        "  order { $a }",
        "}",
    ]


def test_line_ends_of_windows_become_plain() -> None:
    assert formatted("query q() {\r\n\r\n insert A { x: 1 }\r\n\r\n\r\n insert B { y: 1 } }") == (
        "query q() {\n  insert A { x: 1 }\n\n  insert B { y: 1 }\n}\n"
    )


def test_a_text_with_mistakes_is_not_formatted_but_told() -> None:
    result = format_queries(b"query q() { match { $a: a } return { $a } }", file="q.gq")

    assert result.text is None
    assert [d.rule for d in result.diagnostics] == ["GQ012"]
    assert format_queries(b"\xff", file="q.gq").text is None

"""The canonical form of `.pg` text: each part of a body on its line, comments where they were."""

from agentctl.languages.schema.format import format_schema


def formatted(text: str) -> str:
    result = format_schema(text.encode(), file="s.pg")
    assert result.diagnostics == ()
    assert result.text is not None
    return result.text


def test_a_schema_is_laid_out() -> None:
    text = """// header
interface   Named { name:String @ index }
node Team @description("a group") implements Named,{ slug:String @key  size : I32?=- 3
 tags: [String]?=["a", "b",] vec: Vector( 4 )? @embed( name , model = "m1", )


 kind:enum(core,guest-x,3e5,) @range(size,- 3 .. 500,) @check(slug,"^[a-z-]+$") since: Date = date( "2026-01-01" ) }
node Empty{}
edge A:Team->Team
edge B: Team -> Team @card( 0 .. 3 ) @x

edge C: Team->Team { @unique(src,dst) }
edge D: Team->Team"""

    assert (
        formatted(text)
        == """\
// header
interface Named {
  name: String @index
}

node Team @description("a group") implements Named {
  slug: String @key
  size: I32? = -3
  tags: [String]? = ["a", "b"]
  vec: Vector(4)? @embed(name, model="m1")

  kind: enum(core, guest-x, 3e5)
  @range(size, -3..500)
  @check(slug, "^[a-z-]+$")
  since: Date = date("2026-01-01")
}

node Empty {}

edge A: Team -> Team
edge B: Team -> Team @card(0..3) @x

edge C: Team -> Team {
  @unique(src, dst)
}

edge D: Team -> Team
"""
    )


def test_comments_stay_where_they_were() -> None:
    text = """/* first
   two lines */ node /* its name */ A { // body

  // above a


  // right above a
  a: I32 /* a type */ @index // behind a
  @unique( // columns
    a, /* the one */ b) b: String // last

  // nothing more

} // end of A
// about E
edge E: A
  // the target
  -> A
// the end"""

    assert (
        formatted(text)
        == """\
/* first
   two lines */ node /* its name */ A { // body
  // above a

  // right above a
  a: I32 /* a type */ @index // behind a
  @unique( // columns
    a, /* the one */
    b
  )
  b: String // last

  // nothing more
} // end of A

// about E
edge E: A
    // the target
    -> A
// the end
"""
    )


def test_what_is_too_long_for_a_line_is_broken_at_its_commas_and_annotations() -> None:
    value = "a" * 30
    text = f"""node A @description("{value * 2}") @instruction("{value}") {{
  e: enum({value}, b{value}, c{value}, d) @index
  s: String @description("{value * 3}") @index
  short: String @description("{value}") // a comment never counts, however long it may be {value}
}}"""

    assert (
        formatted(text)
        == f"""\
node A
  @description("{value * 2}")
  @instruction("{value}") {{
  e: enum(
    {value},
    b{value},
    c{value},
    d
  )
    @index
  s: String
    @description("{value * 3}")
    @index
  short: String @description("{value}") // a comment never counts, however long it may be {value}
}}
"""
    )


def test_a_text_of_several_lines_is_left_as_it_is() -> None:
    text = 'node A @description("one\n   two") {}\n'

    assert formatted(text) == 'node A\n  @description("one\n   two") {}\n'


def test_nothing_is_left_nothing_and_comments_alone_are_text() -> None:
    assert formatted("") == ""
    assert formatted(" \r\n\t") == ""
    assert formatted("\n\n// only\r\n\n\n/* this */\n") == "// only\n\n/* this */\n"


def test_a_text_with_syntax_errors_is_not_touched() -> None:
    result = format_schema(b"node A { a I32 }", file="s.pg")

    assert result.text is None
    assert [d.rule for d in result.diagnostics] == ["PG010"]


def test_a_text_whose_names_make_no_sense_is_formatted_all_the_same() -> None:
    assert formatted("edge E:A->B") == "edge E: A -> B\n"

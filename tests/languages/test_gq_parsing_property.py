"""What is printed from a tree is read as that tree, and no text is too much for the parser."""


from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.languages.query.parse import parse_query_file
from agentctl.languages.query.syntax import QueryDecl
from agentctl.testing.query_printer import meaning, print_declaration
from agentctl.testing.query_texts import QueryTexts

TEXTS = QueryTexts()


@settings(deadline=None)
@given(st.lists(TEXTS.declarations(), max_size=3))
def test_a_printed_tree_is_read_as_that_tree(declarations: list[QueryDecl]) -> None:
    text = "".join(print_declaration(d) for d in declarations)

    file = parse_query_file(text.encode(), file="q.gq")

    assert file.diagnostics == (), text
    assert meaning(file.declarations) == meaning(declarations), text

"""A diagnostic as a program reads it. Source: control-plane 3.6."""

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, Related, error, note
from agentctl.diagnostics.span import Span

WHERE = Span(file="q.gq", line=3, column=5, end_line=3, end_column=9)
FULL = error(
    "query_typecheck_error",
    "query.g.q",
    "no such edge",
    rule="T4",
    detail="why",
    where=WHERE,
    related=(Related(where=WHERE, message="declared here"),),
    remedy="Did you mean `knows`?",
)
PLACE = {"file": "q.gq", "line": 3, "column": 5, "end_line": 3, "end_column": 9}


def test_every_field_stands_under_the_name_that_the_specification_gives_it() -> None:
    assert msgspec.json.decode(msgspec.json.encode(FULL)) == {
        "code": "query_typecheck_error",
        "rule": "T4",
        "severity": "error",
        "path": "query.g.q",
        "message": "no such edge",
        "detail": "why",
        "where": PLACE,
        "related": [{"where": PLACE, "message": "declared here"}],
        "remedy": "Did you mean `knows`?",
    }


def test_what_is_not_there_is_left_out() -> None:
    assert msgspec.json.decode(msgspec.json.encode(note("state_missing", "cluster", "m"))) == {
        "code": "state_missing",
        "severity": "note",
        "path": "cluster",
        "message": "m",
    }


def test_what_is_written_is_read_back() -> None:
    assert msgspec.json.decode(msgspec.json.encode(FULL), type=Diagnostic) == FULL

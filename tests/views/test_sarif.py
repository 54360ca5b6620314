"""The log that code scanning reads. Source: SARIF 2.1.0, the sections named below.

The official JSON schema is not ours to keep here; `SHAPE` says in our own words what it requires of
the members that we write, and refuses any other.
"""

import json
from typing import Any, Final

import jsonschema
from hypothesis import given
from hypothesis import strategies as st

from agentctl.diagnostics.codes import CODES
from agentctl.diagnostics.diagnostic import Diagnostic, Related, error, note, warning
from agentctl.diagnostics.rule import Rule
from agentctl.diagnostics.span import Span, span_at
from agentctl.views.sarif import sarif_log

TEXT: Final = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}


def closed(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": required | optional,
        "required": list(required),
        "additionalProperties": False,
    }


COUNTED: Final = {"type": "integer", "minimum": 1}
PROPERTIES: Final = {"type": "object"}
PHYSICAL: Final = closed(
    {
        "artifactLocation": closed(
            {"uri": {"type": "string", "pattern": "^[A-Za-z0-9._~%/:+-]+$"}},
            uriBaseId={"const": "CLUSTER"},
        ),
        "region": closed(
            {
                "startLine": COUNTED,
                "startColumn": COUNTED,
                "endLine": COUNTED,
                "endColumn": COUNTED,
            }
        ),
    }
)
LOGICAL: Final = {
    "type": "array",
    "items": closed({"fullyQualifiedName": {"type": "string"}}),
    "minItems": 1,
}
RULE: Final = closed(
    {
        "id": {"type": "string"},
        "name": {"type": "string", "pattern": "^[A-Z][A-Za-z0-9]*$"},
        "shortDescription": TEXT,
        "fullDescription": TEXT,
        "help": TEXT,
        "properties": PROPERTIES,
    }
)
RESULT: Final = closed(
    {
        "ruleId": {"type": "string"},
        "ruleIndex": {"type": "integer", "minimum": 0},
        "level": {"enum": ["none", "note", "warning", "error"]},
        "message": TEXT,
        "locations": {
            "type": "array",
            "items": closed({"logicalLocations": LOGICAL}, physicalLocation=PHYSICAL),
            "minItems": 1,
        },
        "properties": PROPERTIES,
    },
    relatedLocations={
        "type": "array",
        "items": closed({"id": COUNTED, "physicalLocation": PHYSICAL, "message": TEXT}),
    },
)
RUN: Final = closed(
    {
        "tool": closed(
            {
                "driver": closed(
                    {
                        "name": {"type": "string"},
                        "version": {"type": "string"},
                        "rules": {"type": "array", "items": RULE, "uniqueItems": True},
                    }
                )
            }
        ),
        "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
        "originalUriBaseIds": {
            "type": "object",
            "additionalProperties": closed({"uri": {"type": "string", "pattern": "^file:.*/$"}}),
        },
        "results": {"type": "array", "items": RESULT},
    }
)
SHAPE: Final = closed(
    {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "items": RUN, "minItems": 1},
    }
)

RULES: Final = {
    "T5:endpoint": Rule(
        name="T5:endpoint", title="a variable is of another type", about="Why.\n\n    $a knows $b"
    )
}
SOURCE: Final = "// \u6f22\u5b57\n\t$a \U0001f600 knows $b\n"
WHERE: Final = span_at("queries/q \u00e9.gq", SOURCE, SOURCE.index("knows"), len(SOURCE) - 4)


def log_of(*found: Diagnostic) -> dict[str, Any]:
    log = sarif_log(found, folder_uri="file:///srv/supply", version="1.2.3", rules=RULES)
    jsonschema.validate(log, SHAPE)
    decoded: dict[str, Any] = json.loads(json.dumps(log))
    assert decoded == log
    return decoded


def results_of(*found: Diagnostic) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = log_of(*found)["runs"][0]["results"]
    return results


def test_a_clean_folder_is_a_run_without_results() -> None:
    (run,) = log_of()["runs"]

    assert run["results"] == []
    assert run["tool"]["driver"]["version"] == "1.2.3"
    assert run["originalUriBaseIds"] == {"CLUSTER": {"uri": "file:///srv/supply/"}}


def test_columns_count_characters_however_wide_they_are() -> None:
    (result,) = results_of(error("query_typecheck_error", "query.g.q", "m", where=WHERE))
    (location,) = result["locations"]

    assert log_of()["runs"][0]["columnKind"] == "unicodeCodePoints"
    assert location["physicalLocation"]["region"] == {
        "startLine": 2,
        "startColumn": 7,
        "endLine": 2,
        "endColumn": 12,
    }


def test_files_are_relative_to_the_folder_and_escaped() -> None:
    """3.4.3: a URI reference, relative to what `uriBaseId` names."""
    outside = Span(file="/etc/x.pg", line=1, column=1, end_line=1, end_column=1)
    near, far = (
        r["locations"][0]["physicalLocation"]["artifactLocation"]
        for r in results_of(
            error("schema_parse_error", "a", "m", where=WHERE),
            error("schema_parse_error", "b", "m", where=outside),
        )[::-1]
    )

    assert near == {"uri": "queries/q%20%C3%A9.gq", "uriBaseId": "CLUSTER"}
    assert far == {"uri": "file:///etc/x.pg"}


def test_a_rule_and_a_code_without_one_each_bring_their_help() -> None:
    log = log_of(
        error("query_typecheck_error", "q", "m", rule="T5:endpoint", where=WHERE),
        warning("query_dir_empty", "g", "m"),
        note("query_dir_empty", "h", "m"),
    )
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]

    assert [r["id"] for r in rules] == ["T5:endpoint", "query_dir_empty"]
    assert rules[0]["shortDescription"]["text"] == "a variable is of another type"
    assert rules[0]["fullDescription"]["text"] == "Why."
    assert rules[0]["help"]["text"] == "Why.\n\n    $a knows $b\n\nagentctl explain T5:endpoint"
    assert rules[1]["name"] == "QueryDirEmpty"
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    assert sorted(r["level"] for r in run["results"]) == ["error", "note", "warning"]


def test_what_has_no_place_still_has_its_address() -> None:
    (result,) = results_of(error("schema_file_missing", "schema.supply", "m"))

    assert result["locations"] == [{"logicalLocations": [{"fullyQualifiedName": "schema.supply"}]}]


def test_related_places_are_numbered() -> None:
    related = tuple(Related(where=WHERE, message=text) for text in ("first", "second"))
    (result,) = results_of(error("query_parse_error", "q", "m", where=WHERE, related=related))

    assert [(r["id"], r["message"]["text"]) for r in result["relatedLocations"]] == [
        (1, "first"),
        (2, "second"),
    ]


def test_braces_and_brackets_of_a_message_are_text() -> None:
    """3.11.5: a brace that begins no argument is written twice; 3.11.6: links."""
    found = error("query_parse_error", "q", "bad {1,}", remedy="write [x](1)", where=WHERE)

    assert results_of(found)[0]["message"]["text"] == "bad {{1,}}\nwrite [x] (1)"


def test_results_come_sorted_and_each_once() -> None:
    first = Span(file="a.gq", line=1, column=1, end_line=1, end_column=2)
    found = [
        error("query_parse_error", "query.g.b", "later", where=WHERE),
        error("query_parse_error", "query.g.a", "m", where=first),
        error("query_parse_error", "query.h.a", "m", where=first),
    ]

    assert [r["message"]["text"] for r in results_of(*found)] == ["m", "later"]


@given(
    code=st.sampled_from(sorted(CODES)),
    words=st.text(max_size=20),
    file=st.text(min_size=1, max_size=20).filter(lambda f: not f.startswith("/")),
)
def test_any_diagnostic_makes_a_log_of_the_right_shape(code: str, words: str, file: str) -> None:
    where = Span(file=file, line=1, column=1, end_line=1, end_column=1)

    assert len(results_of(error(code, words, words, where=where))) == 1

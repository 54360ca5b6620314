"""Diagnostics as a SARIF 2.1.0 log, for code scanning in CI. Source: OASIS SARIF 2.1.0.

One run of one tool. A rule of a language is a reporting descriptor of its own, a code without a
rule too; each carries its paragraph as help. Columns count code points from 1, as spans do, and
`columnKind` says so. Files are relative to the folder, which `originalUriBaseIds` names.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal
from urllib.parse import quote

from agentctl.diagnostics.codes import CODES
from agentctl.diagnostics.diagnostic import Diagnostic, Severity
from agentctl.diagnostics.explanations import EXPLANATIONS
from agentctl.diagnostics.render.text import as_shown
from agentctl.diagnostics.rule import Rule
from agentctl.diagnostics.span import Span

BASE: Final = "CLUSTER"
"""The id under which the folder stands in `originalUriBaseIds`."""
SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
LEVELS: Final[Mapping[Severity, Literal["error", "warning", "note"]]] = {
    "error": "error",
    "warning": "warning",
    "note": "note",
}

Json = dict[str, object]


def sarif_log(
    found: Iterable[Diagnostic],
    *,
    folder_uri: str,
    version: str,
    rules: Mapping[str, Rule],
) -> Json:
    """Returns the log as a JSON document.

    Args:
        found: what was found; sorted here, each once.
        folder_uri: the ``file:`` URI of the cluster's folder.
        version: of agentctl.
        rules: the rules of the languages, by name.
    """
    each = as_shown(found)
    ids = sorted({_rule_id(d) for d in each})
    index = {rule_id: position for position, rule_id in enumerate(ids)}
    code_of = {_rule_id(d): d.code for d in reversed(each)}
    driver = {
        "name": "agentctl",
        "version": version,
        "rules": [_descriptor(rule_id, code_of[rule_id], rules) for rule_id in ids],
    }
    base = folder_uri if folder_uri.endswith("/") else folder_uri + "/"
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {BASE: {"uri": base}},
                "results": [_result(d, index[_rule_id(d)]) for d in each],
            }
        ],
    }


def _rule_id(found: Diagnostic) -> str:
    return found.rule or found.code


def _descriptor(rule_id: str, code: str, rules: Mapping[str, Rule]) -> Json:
    """Returns what a viewer shows about a rule: its line, its paragraph, its code."""
    rule = rules.get(rule_id)
    title = rule.title if rule is not None else CODES[code].about
    about = rule.about if rule is not None else EXPLANATIONS[code]
    return {
        "id": rule_id,
        "name": _pascal(code),
        "shortDescription": {"text": title},
        "fullDescription": {"text": about.partition("\n\n")[0]},
        "help": {"text": f"{about}\n\nagentctl explain {rule_id}"},
        "properties": {"code": code},
    }


def _pascal(code: str) -> str:
    """Returns a code as SARIF names rules: ``query_parse_error`` becomes ``QueryParseError``."""
    return "".join(part.capitalize() for part in code.split("_"))


def _result(found: Diagnostic, rule_index: int) -> Json:
    told = [found.message, found.detail, found.remedy]
    location: Json = {"logicalLocations": [{"fullyQualifiedName": found.path}]}
    if found.where is not None:
        location = _location(found.where) | location
    result: Json = {
        "ruleId": _rule_id(found),
        "ruleIndex": rule_index,
        "level": LEVELS[found.severity],
        "message": {"text": _message("\n".join(text for text in told if text))},
        "locations": [location],
        "properties": {"code": found.code},
    }
    if found.related:
        result["relatedLocations"] = [
            _location(related.where)
            | {"id": number, "message": {"text": _message(related.message)}}
            for number, related in enumerate(found.related, start=1)
        ]
    return result


def _message(text: str) -> str:
    """Returns *text* as a message string: its braces hold no argument, its brackets no link.

    Source: SARIF 2.1.0, 3.11.5 and 3.11.6.
    """
    return text.replace("{", "{{").replace("}", "}}").replace("](", "] (")


def _location(where: Span) -> Json:
    """Returns the place; a file outside the folder keeps its absolute path as a URI."""
    artifact: Json = {"uri": quote(where.file), "uriBaseId": BASE}
    if where.file.startswith("/"):
        artifact = {"uri": "file://" + quote(where.file)}
    return {
        "physicalLocation": {
            "artifactLocation": artifact,
            "region": {
                "startLine": where.line,
                "startColumn": where.column,
                "endLine": where.end_line,
                "endColumn": where.end_column,
            },
        }
    }

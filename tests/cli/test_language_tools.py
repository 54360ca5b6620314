"""fmt, lint, deps, explain and json-schema as a person and a script use them."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
from click.testing import CliRunner, Result
from inline_snapshot import snapshot

from agentctl.faces.cli.colour import painter
from agentctl.faces.cli.exit_codes import ExitCode
from agentctl.faces.cli.main import cli
from agentctl_tools import fmt
from agentctl_tools.catalog import OPERATIONS
from agentctl_tools.json_schema import outputs, schema_of
from agentctl_tools.result_schema import result_schema

Run = Callable[..., Result]

UGLY_SCHEMA: Final = "node  Package{ name:String @key\n  // why\n version : String?}\n"
CLEAN_SCHEMA: Final = """\
node Package {
  name: String @key
  // why
  version: String?
}
"""
ODD_QUERY: Final = """

query odd($unused: I32) {
  match { $p: Package }
  return { $p.name }
  limit 5
}
"""


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an ugly schema, a clean one and a broken query, and nothing of a cluster."""
    folder = tmp_path / "texts"
    (folder / "queries").mkdir(parents=True)
    (folder / "ugly.pg").write_text(UGLY_SCHEMA)
    (folder / "clean.pg").write_text(CLEAN_SCHEMA)
    (folder / "queries" / "broken.gq").write_text("query q( {\n")
    monkeypatch.chdir(folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def document(result: Result) -> Any:
    return json.loads(result.stdout)


def odd(supply: Path) -> Path:
    """Adds a query to the cluster that is right and hardly meant."""
    file = supply / "queries" / "impact.gq"
    file.write_text(file.read_text() + ODD_QUERY)
    return supply


# fmt


def test_files_are_formatted_and_one_with_errors_is_left_alone(run: Run, texts: Path) -> None:
    done = run("fmt")

    assert done.exit_code == ExitCode.ERRORS
    assert done.stdout == snapshot("""\
formatted ugly.pg
1 file formatted, 1 unchanged, 1 with errors.
""")
    assert "queries/broken.gq:1:" in done.stderr
    assert contents(texts) == {
        "ugly.pg": CLEAN_SCHEMA.encode(),
        "clean.pg": CLEAN_SCHEMA.encode(),
        "queries/broken.gq": b"query q( {\n",
    }


def test_formatting_twice_changes_nothing(run: Run, texts: Path) -> None:
    run("fmt", "ugly.pg")
    again = run("fmt", "ugly.pg")

    assert again.exit_code == ExitCode.DONE
    assert again.stdout == "0 files formatted, 1 unchanged.\n"
    assert (texts / "ugly.pg").read_text() == CLEAN_SCHEMA


def test_a_check_writes_nothing_and_fails_where_something_would_change(
    run: Run, texts: Path
) -> None:
    before = contents(texts)

    ugly, clean = run("fmt", "--check", "ugly.pg"), run("fmt", "--check", "clean.pg")

    assert (ugly.exit_code, clean.exit_code) == (ExitCode.ERRORS, ExitCode.DONE)
    assert ugly.stdout == "would format ugly.pg\n1 file to format, 0 unchanged.\n"
    assert contents(texts) == before


def test_a_diff_tells_what_would_change_and_writes_nothing(run: Run, texts: Path) -> None:
    before = contents(texts)

    told = run("fmt", "--diff", "ugly.pg")

    assert told.exit_code == ExitCode.DONE
    assert told.stdout == snapshot("""\
--- ugly.pg
+++ ugly.pg
@@ -1,3 +1,5 @@
-node  Package{ name:String @key
+node Package {
+  name: String @key
   // why
- version : String?}
+  version: String?
+}
1 file to format, 0 unchanged.
""")
    assert contents(texts) == before


def test_a_diff_of_foreign_text_never_acts_on_a_terminal(run: Run, texts: Path) -> None:
    (texts / "clean.pg").write_text("// \x1b[2J \u202e\nnode  A {}\n")

    told = run("fmt", "--diff", "clean.pg")

    assert not set(told.output) & {"\x1b", "\u202e"}


def test_stdin_is_formatted_to_stdout(texts: Path, home: Path) -> None:
    assert texts.is_dir()
    assert home.is_dir()

    def filtered(text: str, *options: str) -> Result:
        return CliRunner().invoke(cli, ["fmt", "--stdin", *options], input=text)

    good, bad = filtered(UGLY_SCHEMA, "any.pg"), filtered("node {", "any.pg")
    unnamed, checked = filtered(UGLY_SCHEMA), filtered(UGLY_SCHEMA, "any.pg", "--check")

    assert (good.exit_code, good.stdout) == (ExitCode.DONE, CLEAN_SCHEMA)
    assert (bad.exit_code, bad.stdout) == (ExitCode.ERRORS, "")
    assert "node {\n   |      ^" in bad.stderr
    assert unnamed.exit_code == ExitCode.USAGE
    assert (checked.exit_code, checked.stdout) == (ExitCode.ERRORS, "")


def test_what_cannot_be_formatted_is_told_and_the_rest_is_formatted(run: Run, texts: Path) -> None:
    (texts / "notes.txt").write_text("x")

    done = run("fmt", "notes.txt", "gone.pg", "ugly.pg", "--json")

    assert done.exit_code == ExitCode.ERRORS
    assert [(d["code"], d["path"]) for d in document(done)["diagnostics"]] == [
        ("format_file_unusable", "gone.pg"),
        ("format_file_unusable", "notes.txt"),
    ]
    assert (texts / "ugly.pg").read_text() == CLEAN_SCHEMA


def test_hidden_files_state_and_links_are_not_looked_for(run: Run, texts: Path) -> None:
    for place in (".hidden", "__cluster", "graphs", "ops"):
        (texts / place).mkdir()
        (texts / place / "x.pg").write_text(UGLY_SCHEMA)
    (texts / "link.pg").symlink_to(texts / "ugly.pg")

    told = run("fmt", "--check", "--json")

    assert [f["path"] for f in document(told)["files"]] == [
        "clean.pg",
        "queries/broken.gq",
        "ugly.pg",
    ]


def test_a_file_whose_name_is_no_text_is_formatted_and_named(run: Run, texts: Path) -> None:
    odd_name = os.fsencode(texts) + b"/x\xff.pg"
    Path(os.fsdecode(odd_name)).write_text(UGLY_SCHEMA)

    told = run("fmt", "--json", ".")

    assert {"path": "x\\xff.pg", "outcome": "changed"} in document(told)["files"]
    assert Path(os.fsdecode(odd_name)).read_text() == CLEAN_SCHEMA


def test_a_file_that_may_not_be_written_is_told(run: Run, texts: Path) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fmt, "write_file", refuse)
        told = run("fmt", "ugly.pg")

    assert told.exit_code == ExitCode.ERRORS
    assert "the file cannot be written: permission denied" in told.stderr
    assert (texts / "ugly.pg").read_text() == UGLY_SCHEMA


def test_the_mode_of_a_file_stays_and_a_named_link_keeps_leading_there(
    run: Run, texts: Path
) -> None:
    (texts / "ugly.pg").chmod(0o640)
    link = texts / "link.pg"
    link.symlink_to("ugly.pg")

    assert run("fmt", "link.pg").exit_code == ExitCode.DONE

    assert link.is_symlink()
    assert (texts / "ugly.pg").read_text() == CLEAN_SCHEMA
    assert (texts / "ugly.pg").stat().st_mode & 0o777 == 0o640


def test_stdin_is_told_as_a_diff_and_as_a_document(texts: Path, home: Path) -> None:
    assert texts.is_dir()
    assert home.is_dir()

    def filtered(text: str, *options: str) -> Result:
        return CliRunner().invoke(cli, ["fmt", "--stdin", "any.pg", *options], input=text)

    differs, told = filtered(UGLY_SCHEMA, "--diff"), document(filtered(UGLY_SCHEMA, "--json"))
    bad = document(filtered("node {", "--json"))

    assert differs.exit_code == ExitCode.DONE
    assert differs.stdout.startswith("--- any.pg\n+++ any.pg\n@@ ")
    assert told["files"] == [{"path": "any.pg", "outcome": "changed", "text": CLEAN_SCHEMA}]
    assert bad["files"] == [{"path": "any.pg", "outcome": "failed"}]
    schema = schema_of("fmt")
    assert isinstance(schema, dict)
    for each in (told, bad):
        jsonschema.validate(each, schema)


def test_what_acts_on_a_terminal_is_spelt_out_there_and_exact_in_a_pipe(texts: Path) -> None:
    text = b"// \x1b[31m\nnode  A { x: String }\n"
    command = [sys.executable, "-m", "agentctl", "fmt", "--stdin", "any.pg"]
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, cwd=texts, stdin=subprocess.PIPE, stdout=theirs) as process:
        os.close(theirs)
        process.communicate(text)
    shown = os.read(ours, 4096)
    os.close(ours)
    piped = subprocess.run(command, cwd=texts, input=text, capture_output=True, check=True)

    assert b"\x1b" not in shown
    assert "‹U+001B›[31m".encode() in shown
    assert piped.stdout == b"// \x1b[31m\nnode A {\n  x: String\n}\n"


def test_a_diff_has_the_lines_that_line_feeds_make(run: Run, texts: Path) -> None:
    (texts / "ugly.pg").write_text("// a\u2028b\x0cc\nnode  A {\n  x: String\n}\n")

    told = document(run("fmt", "--diff", "ugly.pg", "--json"))

    assert told["files"][0]["diff"] == (
        "--- ugly.pg\n+++ ugly.pg\n@@ -1,4 +1,4 @@\n"
        " // a\u2028b\x0cc\n-node  A {\n+node A {\n   x: String\n }\n"
    )


def test_links_in_a_circle_are_told(run: Run, texts: Path) -> None:
    (texts / "a.pg").symlink_to("b.pg")
    (texts / "b.pg").symlink_to("a.pg")

    done = run("fmt", "a.pg", "ugly.pg")

    assert done.exit_code == ExitCode.ERRORS
    assert "the file cannot be read: too many levels of symbolic links" in done.stderr
    assert (texts / "ugly.pg").read_text() == CLEAN_SCHEMA


def test_a_read_only_file_is_told_and_stays(run: Run, texts: Path) -> None:
    (texts / "ugly.pg").chmod(0o444)

    done = run("fmt", "ugly.pg")

    assert done.exit_code == ExitCode.ERRORS
    assert "the file cannot be written: it is read-only" in done.stderr
    assert (texts / "ugly.pg").read_text() == UGLY_SCHEMA


def test_a_folder_that_cannot_be_listed_is_told(run: Run, texts: Path) -> None:
    def refuse(top: object) -> object:
        if os.fspath(str(top)).endswith("queries"):
            raise PermissionError(13, "Permission denied", str(top))
        return real(top)

    real: Callable[[Any], Any] = os.scandir
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "scandir", refuse)
        done = run("fmt", "--check", "--json")

    assert done.exit_code == ExitCode.ERRORS
    assert [(d["path"], d["message"]) for d in document(done)["diagnostics"]] == [
        ("queries", "the folder cannot be read: permission denied")
    ]
    assert texts.is_dir()


# lint


def test_remarks_have_places_and_are_no_failure(run: Run, supply: Path) -> None:
    told = run("lint", "--config", odd(supply))

    assert told.exit_code == ExitCode.DONE, told.output
    assert told.stdout == "1 query file, 0 errors, 1 warning, 0 notes.\n"
    assert "warning[query_lint L300]: the parameter `$unused` is used nowhere" in told.stderr
    assert "| query odd($unused: I32) {" in told.stderr


def test_one_line_for_each_remark_where_that_is_asked(run: Run, supply: Path) -> None:
    told = run("lint", "--concise", "--config", odd(supply))

    (unused,) = told.stderr.splitlines()
    assert unused.startswith("queries/impact.gq:")


def test_the_document_of_lint_has_the_form_that_omnigraph_prints(run: Run, supply: Path) -> None:
    """Source: languages 2.5; what is empty is left out."""
    found = document(run("lint", "--json", "--config", odd(supply)))

    (file,) = found["files"]
    assert list(file) == [
        "status",
        "schema_source",
        "query_path",
        "queries_processed",
        "errors",
        "warnings",
        "infos",
        "results",
        "findings",
    ]
    assert file["schema_source"] == {"kind": "file", "path": "supply.pg"}
    assert (file["status"], file["queries_processed"], file["warnings"]) == ("ok", 2, 1)
    impact, strange = file["results"]
    assert impact["operation"]["result"] == [
        {"name": "package", "kind": "string", "nullable": False}
    ]
    assert {"kind": "node", "type_name": "Package"} in impact["operation"]["reads"]
    assert impact["operation"]["writes"] == []
    assert "warnings" not in strange
    assert file["findings"] == [
        {
            "severity": "warning",
            "code": "L300",
            "message": "the parameter `$unused` is used nowhere",
            "query_names": ["odd"],
        }
    ]


def test_a_mistake_fails_and_the_good_queries_are_still_looked_at(run: Run, supply: Path) -> None:
    file = odd(supply) / "queries" / "impact.gq"
    file.write_text(
        file.read_text() + "\nquery wrong() { match { $x: Nothing } return { $x.a } }\n"
    )

    told = run("lint", "--json", "--config", supply)

    assert told.exit_code == ExitCode.ERRORS
    (checked,) = document(told)["files"]
    assert [r["status"] for r in checked["results"]] == ["ok", "ok", "error"]
    assert "T1" in checked["results"][2]["error"]
    assert "L300" in [d.get("rule") for d in document(told)["diagnostics"]]


def test_a_query_that_a_file_declares_twice_is_an_error(run: Run, supply: Path) -> None:
    """Source: languages 2.5."""
    file = odd(supply) / "queries" / "impact.gq"
    file.write_text(file.read_text() + ODD_QUERY)

    told = run("lint", "--json", "--config", supply)

    assert told.exit_code == ExitCode.ERRORS
    (checked,) = document(told)["files"]
    assert (checked["status"], checked["errors"]) == ("error", 2)
    assert [(r["name"], r["status"]) for r in checked["results"]] == [
        ("impact", "ok"),
        ("odd", "error"),
        ("odd", "error"),
    ]
    lines = [i for i, t in enumerate(file.read_text().splitlines(), 1) if "query odd" in t]
    assert [r["error"] for r in checked["results"][1:]] == [
        f"{line}:7: the query is declared twice in this file" for line in lines
    ]
    assert "operation" not in checked["results"][1]


def test_a_file_that_does_not_parse_is_q000(run: Run, supply: Path) -> None:
    (supply / "queries" / "impact.gq").write_text("query (")

    (file,) = document(run("lint", "--json", "--config", supply))["files"]

    assert file["status"] == "error"
    assert [f["code"] for f in file["findings"]] == ["Q000"]


def test_queries_over_a_broken_schema_are_said_to_be_unchecked(run: Run, supply: Path) -> None:
    (supply / "supply.pg").write_text("node {")

    (file,) = document(run("lint", "--json", "--config", supply))["files"]

    assert file["results"][0]["error"] == "not checked, because the schema has errors"


def test_what_omnigraph_reads_otherwise_is_listed_where_that_is_asked(
    run: Run, supply: Path
) -> None:
    plain = document(run("lint", "--json", "--config", supply))
    compared = document(run("lint", "--json", "--from", "omnigraph-0.10", "--config", supply))

    assert plain["differences"] == []
    codes = [{d["code"] for d in found["diagnostics"]} for found in (plain, compared)]
    assert codes[1] - codes[0] == {"omnigraph_reads_otherwise"}
    assert {a["kind"] for a in compared["differences"]} == {"differs"}


def test_what_validate_alone_tells_is_left_out(run: Run, supply: Path) -> None:
    """Source: control-plane 1.7."""
    code = "external_blob_ingress_default_deny"

    assert code in run("validate", "--json", "--config", supply).stdout
    for form in ((), ("--json",), ("--sarif",), ("--from", "omnigraph-0.10")):
        told = run("lint", *form, "--config", supply)
        assert told.exit_code == ExitCode.DONE
        assert code not in told.stdout
        assert code not in told.stderr


def test_sarif_is_the_one_document_on_stdout(run: Run, supply: Path) -> None:
    told = run("lint", "--sarif", "--config", odd(supply))

    (lint,) = document(told)["runs"]
    assert told.exit_code == ExitCode.DONE
    assert [r["ruleId"] for r in lint["results"]] == ["L300"]
    assert lint["originalUriBaseIds"]["CLUSTER"]["uri"] == supply.as_uri() + "/"


# validate --compat


def test_compatibility_refuses_what_the_other_program_does_not_have(run: Run, supply: Path) -> None:
    compare = ("validate", "--compat", "omnigraph-0.10", "--config", supply)
    assert run(*compare).exit_code == ExitCode.ERRORS, "the starter policy is in Cedar"
    config = supply / "cluster.yaml"
    config.write_text(config.read_text().partition("policies:")[0])
    assert run(*compare).exit_code == ExitCode.DONE
    config.write_text(config.read_text() + "protect: [graph.supply]\n")
    query = supply / "queries" / "impact.gq"
    query.write_text(query.read_text().replace("\nquery", "\n// more\nquery") + ODD_QUERY)
    query.write_text(query.read_text().replace("limit 5", "limit 5 offset 1"))

    assert run("validate", "--config", supply).exit_code == ExitCode.DONE
    told = run(*compare, "--json")

    assert told.exit_code == ExitCode.ERRORS
    assert document(told)["ok"] is False
    found = document(told)["diagnostics"]
    refused = [d for d in found if d["severity"] == "error"]
    assert {d["code"] for d in refused} == {"omnigraph_refuses"}
    assert [d["where"]["file"] for d in refused] == ["cluster.yaml", "queries/impact.gq"]


# deps


def test_deps_are_trees_or_dot_or_json(run: Run, supply: Path) -> None:
    tree = run("deps", "--config", supply)
    dot = run("deps", "--dot", "--config", supply)
    part = document(run("deps", "graph.supply", "--reverse", "--json", "--config", supply))

    assert tree.stdout == snapshot("""\
policy.starter
query.supply.impact
├─ graph.supply
└─ schema.supply
   └─ graph.supply
""")
    assert '"query.supply.impact" -> "schema.supply";' in dot.stdout
    assert part["addresses"] == ["graph.supply", "query.supply.impact", "schema.supply"]


def test_an_address_that_is_not_declared_is_told_with_the_near_one(run: Run, supply: Path) -> None:
    told = run("deps", "graph.suply", "--config", supply)

    assert told.exit_code == ExitCode.ERRORS
    assert "address_not_found" in told.stderr
    assert "Did you mean `graph.supply`?" in told.stderr


# explain


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("plan_stale", ("plan_stale (code)", "made from one state", "    agentctl plan")),
        ("PLAN_STALE", ("plan_stale (code)",)),
        ("pg012", ("PG012 (rule)",)),
        ("T15:hop-bounds", ("T15:hop-bounds (rule)",)),
        ("t15", ("T15 (rule)", "T15:hop-bounds: ", "T15:nearest-dimension: ")),
        ("OG-MF-103", ("OG-MF-103 (rule)", "default")),
        ("L300", ("L300 (rule)",)),
        ("gate", ("gate (term)",)),
    ],
)
def test_a_code_a_rule_or_a_term_is_explained(run: Run, word: str, parts: tuple[str, ...]) -> None:
    told = run("explain", word)

    assert told.exit_code == ExitCode.DONE
    for part in parts:
        assert part in told.stdout


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("plan_stael", "plan_stale"),
        ("T15:hop-bound", "T15:hop-bounds"),
        ("og-mf-1003", "OG-MF-103"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_near_one(run: Run, word: str, near: str) -> None:
    told = run("explain", word, "--json")

    assert told.exit_code == ExitCode.ERRORS
    (found,) = document(told)["diagnostics"]
    assert (found["code"], found["remedy"]) == ("unknown_code", f"Did you mean `{near}`?")


# json-schema


def test_every_name_that_is_listed_gives_a_schema(run: Run) -> None:
    listed = document(run("json-schema", "--json"))

    names = [entry["name"] for entry in listed["outputs"]]
    assert names == sorted(names)
    assert "cluster.yaml" in names
    for name in names:
        found = document(run("json-schema", name))
        assert found["title"] == name
        jsonschema.validators.validator_for(found).check_schema(found)
    assert all(name in run("json-schema").stdout for name in names)


def test_an_unknown_output_is_answered_with_the_near_one(run: Run) -> None:
    told = run("json-schema", "valdate")

    assert told.exit_code == ExitCode.ERRORS
    assert "unknown_output" in told.stderr
    assert "Did you mean `validate`?" in told.stderr


def check(name: str, printed: Any) -> None:
    found = schema_of(name)
    assert isinstance(found, dict)
    jsonschema.validators.validator_for(found)(found).validate(printed)


def test_what_is_printed_has_the_form_that_its_schema_says(run: Run, supply: Path) -> None:
    rows = supply / "rows.ndjson"
    rows.write_text('{"type":"Package","data":{"name":"app"}}\n')
    at = ("--json", "--config", str(supply))
    printed = {
        "validate": run("validate", *at),
        "plan": run("plan", *at),
        "apply": run("apply", *at),
        "load": run("load", "supply", str(rows), *at),
        "query": run("query", "supply.impact", "--params", '{"name":"app"}', *at),
        "queries-list": run("queries", "list", *at),
        "status": run("status", *at),
        "refresh": run("refresh", *at),
        "locks": run("locks", *at),
        "ops": run("ops", "list", *at),
        "graph-list": run("graph", "list", *at),
        "graph-show": run("graph", "show", "supply", *at),
        "draft-list": run("draft", "list", *at),
        "approvals-list": run("approvals", "list", *at),
        "audit-verify": run("audit", "verify", *at),
        "audit-export": run("audit", "export", *at),
        "identity-show": run("identity", "show", *at),
        "identity-list": run("identity", "list", *at),
        "doctor": run("doctor", *at),
        "deps": run("deps", *at),
        "lint": run("lint", *at),
        "explain": run("explain", "plan_stale", "--json"),
        "version": run("version", "--json"),
        "json-schema": run("json-schema", "--json"),
        "failure": run("explain", "nothing-like-it", "--json"),
        "fmt": run("fmt", "--check", *at),
    }

    for name, result in printed.items():
        check(name, document(result))
    diagnostic = document(printed["failure"])["diagnostics"][0]
    check("diagnostic", diagnostic)
    with pytest.raises(jsonschema.ValidationError):
        check("diagnostic", diagnostic | {"severity": "fatal"})
    assert set(printed) < {entry.name for entry in outputs().outputs}


# a terminal


def test_there_is_colour_on_a_terminal_only_and_never_against_no_color(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    leader, follower = os.openpty()

    with os.fdopen(follower, "w") as terminal, os.fdopen(leader, "rb"):
        assert painter(terminal)("error", "x") == "\x1b[1;31mx\x1b[0m"
        assert painter(terminal)("unknown", "x") == "x"
        monkeypatch.setenv("NO_COLOR", "1")
        assert painter(terminal)("error", "x") == "x"
        monkeypatch.delenv("NO_COLOR")
        monkeypatch.setenv("TERM", "dumb")
        assert painter(terminal)("error", "x") == "x"
    with Path(os.devnull).open("w") as file:
        monkeypatch.setenv("TERM", "xterm-256color")
        assert painter(file)("error", "x") == "x"


def test_the_screen_without_a_terminal_says_what_to_use(run: Run, supply: Path) -> None:
    told = run("tui", "--config", supply)

    assert told.exit_code == ExitCode.ERRORS
    assert "no_terminal" in told.stderr


@pytest.mark.parametrize("verb", ["fmt", "lint", "deps", "json-schema", "explain"])
def test_the_help_of_these_verbs_loads_no_language(verb: str) -> None:
    code = (
        "import sys\n"
        "from agentctl.faces.cli.main import cli\n"
        f"cli.main([{verb!r}, '--help'], prog_name='agentctl', standalone_mode=False)\n"
        "print(any(m.startswith(('agentctl.languages', 'agentctl_tools', 'yaml')) for m in"
        " sys.modules), file=sys.stderr)\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stderr.strip() == "False"


def test_every_result_of_an_operation_can_be_described() -> None:
    for operation in OPERATIONS.values():
        if operation.result is not None:
            jsonschema.Draft202012Validator.check_schema(result_schema(operation.result))

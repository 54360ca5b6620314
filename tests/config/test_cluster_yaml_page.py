"""docs/cluster-yaml.md: every field of the table stands there, and every example is right."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentctl.domain.config.cluster_table import CLUSTER
from agentctl.domain.config.forms import (
    NO_DEFAULT,
    Field,
    Form,
    ListForm,
    MapForm,
    Section,
    UntaggedForm,
)

PAGE = Path(__file__).parents[2] / "docs" / "cluster-yaml.md"
EXAMPLE = re.compile(r"^## `([a-z_.]+)`.*?^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILES = {
    "supply.pg": "node Package {\n  name: String @key\n  summary: String?\n"
    "  vector: Vector(4)? @embed(summary)\n}\nedge DependsOn: Package -> Package { range: String? }\n",
    "queries/packages.gq": "query package($name: String) {\n  match { $p: Package { name: $name } }\n"
    "  return { $p.name, $p.summary }\n}\n\nquery names() {\n  match { $p: Package }\n"
    "  return { $p.name }\n}\n",
    "policies/readers.yaml": "version: 1\ngroups: {all: [act-a]}\nrules:\n  - id: read\n"
    "    allow: {actors: {group: all}, actions: [read], branch_scope: any}\n",
    "policies/operators.cedar": '@id("plan")\npermit (principal, '
    'action == AgentCtl::Action::"cluster_plan", resource);\n',
    "pipelines/packages.sql": "select name, summary from source\n",
    "dashboards/packages.json": "{}\n",
}
BESIDE = """\
version: 1
graphs:
  supply: {schema: supply.pg, queries: queries}
providers:
  embedding:
    main: {kind: openai, api_key: "${OPENAI_API_KEY}"}
  source:
    index: {kind: http, base_url: "https://example.org"}
"""


def rows(form: Form, path: str) -> Iterator[str]:
    """Yields a row of the page for each field."""
    match form:
        case Section():
            for name, field in form.fields.items():
                inner = f"{path}.{name}" if path else name
                yield row(inner, field)
                yield from rows(field.form, inner)
            if form.cases is not None:
                for word, section in form.cases.sections.items():
                    yield from rows(section, f"{path}.{form.cases.field} ({word})")
        case MapForm(value=value):
            yield from rows(value, f"{path}.<name>")
        case ListForm(item=item):
            yield from rows(item, f"{path}[]")
        case UntaggedForm(entries=entries):
            yield from rows(entries, path)
        case _:
            pass


def row(path: str, field: Field) -> str:
    also = " Required." if field.required else ""
    if field.default is not NO_DEFAULT and field.default != ():
        also += f" Default: `{shown(field.default)}`."
    if field.alias:
        also += f" May be called `{field.alias}`."
    return f"| `{path}` | {field.about}{also} |"


def shown(default: object) -> str:
    spans = {86_400: "1d", 604_800: "7d"}
    if isinstance(default, bool):
        return str(default).lower()
    return spans[default] if isinstance(default, int) and default in spans else str(default)


def examples() -> list[tuple[str, str]]:
    return EXAMPLE.findall(PAGE.read_text())


def test_every_field_has_its_row() -> None:
    page = PAGE.read_text()
    missing = [wanted for wanted in rows(CLUSTER, "") if wanted not in page]

    assert missing == []


def test_no_row_is_of_a_field_that_is_not_there() -> None:
    known = set(rows(CLUSTER, ""))
    written = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]

    assert [line for line in written if line not in known] == []


def test_every_section_has_an_example() -> None:
    shown_sections = {name for name, _ in examples()}

    assert shown_sections == set(CLUSTER.fields) - {"version", "metadata"}


@pytest.mark.parametrize("example", [text for _, text in examples()])
async def test_an_example_is_a_right_cluster(example: str, load: Any) -> None:
    text = example if example.startswith("version:") else merged(example)
    loaded = await load({**FILES, "cluster.yaml": text})

    assert [d for d in loaded.diagnostics if d.severity == "error"] == []
    assert loaded.desired is not None


def merged(example: str) -> str:
    """Returns the example in a cluster that has what it refers to."""
    top = example.partition(":")[0]
    kept = re.split(rf"(?m)^{top}:\n(?:  .*\n)*", BESIDE)
    return "".join(kept) + example

"""Migrations of the corpus: from one schema to another, as JSON steps."""

import json

import msgspec

from agentctl.diagnostics.bag import sort_diagnostics
from agentctl.domain.plan.migrate import plan_migration, rename_diagnostics
from agentctl.languages.schema.compile import compile_schema
from agentctl.testing.corpus.answer import Answer


def answer_migration(before: bytes, after: bytes) -> Answer:
    """Returns what is wrong with the schemas or their hints, and the steps between them."""
    old, new = compile_schema(before, file="before"), compile_schema(after, file="after")
    found = (*old.diagnostics, *new.diagnostics)
    if old.catalog is None or new.catalog is None:
        return Answer(diagnostics=sort_diagnostics(found))
    hints = rename_diagnostics(old.catalog, new.catalog, path="schema.g")
    migration = plan_migration(old.catalog, new.catalog)
    steps = [json.dumps(msgspec.to_builtins(dict(s)), ensure_ascii=False) for s in migration.steps]
    text = "\n".join([f"supported: {str(migration.supported).lower()}", *steps]) + "\n"
    return Answer(
        diagnostics=sort_diagnostics((*found, *hints)),
        texts={"migration": lambda: text},
        refusals=frozenset(str(s["code"]) for s in migration.steps if "code" in s),
    )

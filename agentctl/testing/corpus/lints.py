"""Lints of the corpus: what `agentctl lint` says of a folder with one schema and its queries."""

from collections.abc import Mapping
from typing import Final

import msgspec

from agentctl.engine.lint import lint
from agentctl.testing.corpus.answer import Answer, place
from agentctl.testing.corpus.folder import load_files

CLUSTER: Final = b"version: 1\ngraphs: {g: {schema: s.pg, queries: [q.gq]}}\n"


def answer_lint(files: Mapping[str, bytes], given: Answer) -> Answer:
    """Returns the answer *given* with the remarks about the schema ``s.pg`` and ``q.gq``.

    ``lint`` has one line each: ``place severity[rule] message``. ``report`` has the documents in
    OmniGraph's form.
    """
    result = lint(load_files({**files, "cluster.yaml": CLUSTER}))
    remarks = [d for d in result.diagnostics if d.code == "query_lint"]
    broken = [f for file in result.files for f in file.findings if f.code == "Q000"]
    lines = [f"{place(d.where, d.path)} {d.severity}[{d.rule}] {d.message}\n" for d in remarks]
    lines += [f"q.gq {f.severity}[{f.code}] {f.message}\n" for f in broken]
    documents = b"\n".join(msgspec.json.format(msgspec.json.encode(f)) for f in result.files)
    made = {"lint": lambda: "".join(lines), "report": lambda: documents.decode() + "\n"}
    rules = {d.rule for d in remarks if d.rule is not None} | {f.code for f in broken}
    return msgspec.structs.replace(given, refusals=frozenset(rules), texts={**given.texts, **made})

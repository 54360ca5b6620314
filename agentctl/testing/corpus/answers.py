"""What agentctl answers to a case of the corpus, as text that a person can read and compare.

Which machinery runs follows from the sources: two ```` ```pg ```` blocks named ``before`` and
``after`` are a migration, a block named ``cluster.yaml`` makes a folder, blocks marked ``policy``
are policy files alone, and everything else is a schema, queries, or both.
"""

import codecs
from collections.abc import Iterable
from typing import Final

from agentctl.diagnostics.bag import sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.diagnostics.render.text import render_full
from agentctl.testing.corpus.answer import Answer, place
from agentctl.testing.corpus.folder import answer_folder, answer_policy
from agentctl.testing.corpus.languages import answer_languages
from agentctl.testing.corpus.lints import answer_lint
from agentctl.testing.corpus.markdown import Block, Case
from agentctl.testing.corpus.migrations import answer_migration
from agentctl.testing.corpus.plans import answer_plan

_NOTHING: Final = "(nothing: the sources have errors, or are of another kind)\n"


def produced(case: Case) -> tuple[Answer, dict[str, str]]:
    """Returns the answer, and the text of every expectation of the case and of ``diagnostics``."""
    given = answer(case)
    texts = {"diagnostics": diagnostic_lines(given.diagnostics)}
    for block in case.expected:
        if block.word == "rendered":
            texts["rendered"] = _rendered(case, given)
        elif block.word != "diagnostics":
            make = given.texts.get(block.word)
            texts[block.word] = make() if make is not None else _NOTHING
    return given, texts


def answer(case: Case) -> Answer:
    """Returns what agentctl says to a case."""
    files = {b.file: source_bytes(b) for b in case.sources if "applied" not in b.options}
    if {"before", "after"} <= files.keys():
        return answer_migration(files["before"], files["after"])
    policies = [b for b in case.sources if "policy" in b.options]
    if policies:
        found = (
            d for b in policies for d in answer_policy(files[b.file], b.options["policy"], b.file)
        )
        return Answer(diagnostics=sort_diagnostics(found))
    if "cluster.yaml" in files:
        given = answer_folder(files, {b.file: frozenset(b.options) for b in case.sources})
        before = {b.file: source_bytes(b) for b in case.sources if "applied" in b.options}
        return answer_plan(given, files, before or None) if case.wants("plan") else given
    given = answer_languages([(b.word, b.file) for b in case.sources], files)
    if case.wants("lint") or case.wants("report"):
        return answer_lint(files, given)
    return given


def source_bytes(block: Block) -> bytes:
    """Returns the bytes of a source block.

    ``escaped`` decodes Python's escapes (tabs, marks, NUL), ``encoding=`` writes another encoding,
    ``unended`` leaves out the last line feed, ``repeat=`` says how often the text stands there, or,
    where some of its lines have ``{n}``, how often each of those.
    """
    text = block.text.removesuffix("\n") if "unended" in block.options else block.text
    if "escaped" in block.options:
        text = codecs.decode(text.encode("ascii", "backslashreplace"), "unicode_escape")
    text = _repeated(text, int(block.options.get("repeat", 1)))
    return text.encode(block.options.get("encoding", "utf-8"))


def diagnostic_lines(found: Iterable[Diagnostic]) -> str:
    """Returns one line each: ``place severity[code rule] message``."""
    return "".join(
        f"{place(d.where, d.path)} {d.severity}[{d.code}{f' {d.rule}' if d.rule else ''}]"
        f" {d.message}\n"
        for d in found
    )


def _repeated(text: str, times: int) -> str:
    if "{n}" not in text:
        return text * times
    return "".join(
        "".join(line.replace("{n}", str(n)) for n in range(times)) if "{n}" in line else line
        for line in text.splitlines(keepends=True)
    )


def _rendered(case: Case, given: Answer) -> str:
    sources = {b.file: source_bytes(b).decode("utf-8", "replace") for b in case.sources}
    return "\n\n".join(
        render_full(d, sources.get(d.where.file) if d.where else None) for d in given.diagnostics
    ) + ("\n" if given.diagnostics else "")

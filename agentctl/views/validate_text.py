"""What a validation found, in a few lines; the diagnostics are printed beside it by the face."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from agentctl.ids import Kind
from agentctl.views.shapes import ValidateShown
from agentctl.views.wording import counted, paragraph, safe

WORDS: Final[Mapping[Kind, str]] = {
    "graph": "graphs",
    "schema": "schemas",
    "query": "queries",
    "policy": "policies",
    "embedding_provider": "embedding providers",
    "source_provider": "source providers",
    "storage_provider": "storage providers",
    "pipeline": "pipelines",
    "embedding": "embeddings",
    "ui": "dashboards",
    "alias": "aliases",
    "binding": "bindings",
    "approval": "approval rules",
    "remote": "remotes",
}
"""What several resources of a kind are called, in the order told; ``ops`` is one and not counted."""
SINGULARS: Final = {"queries": "query", "policies": "policy", "aliases": "alias"}


def validate_text(result: ValidateShown) -> str:
    """Returns one line that says whether the configuration holds, then what it declares."""
    errors = sum(d.severity == "error" for d in result.diagnostics)
    warnings = sum(d.severity == "warning" for d in result.diagnostics)
    if not result.ok:
        told = f"Not valid: {counted(errors, 'error')}"
        return f"{told}, {counted(warnings, 'warning')}.\n" if warnings else f"{told}.\n"
    lines = [f"Valid: {_declared(result)}."]
    if warnings:
        lines.append(f"{counted(warnings, 'warning')}.")
    lines += [
        f"  {safe(r.address)}" + (f"  {safe(r.path)}" if r.path else "") for r in result.resources
    ]
    return paragraph(lines)


def _declared(result: ValidateShown) -> str:
    counts = Counter(r.kind for r in result.resources)
    told = [
        counted(counts[kind], SINGULARS.get(word, word.removesuffix("s")), word)
        for kind, word in WORDS.items()
        if counts[kind]
    ]
    return ", ".join(told) or "it declares nothing"

"""What a validation found, in a few lines; the diagnostics are printed beside it by the face."""

from agentctl.views.shapes import ValidateShown
from agentctl.views.wording import counted, paragraph, safe

KINDS = ("graph", "schema", "query", "policy", "embedding_provider")
PLURALS = {"query": "queries", "policy": "policies"}


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
    counts = [(kind, sum(r.kind == kind for r in result.resources)) for kind in KINDS]
    told = [counted(n, kind.replace("_", " "), PLURALS.get(kind)) for kind, n in counts if n]
    return ", ".join(told) or "it declares nothing"

"""References to what the same plan would remove, told apart from those to what never was. Source: axiom 9."""

from collections.abc import Iterable

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.references import DANGLING_CODES, KIND_WORDS, MISSING
from agentctl.ids import parse_address


def removed_references(
    diagnostics: Iterable[Diagnostic], recorded: Iterable[str]
) -> tuple[Diagnostic, ...]:
    """Returns *diagnostics*, a missing target told as being removed where the ledger still has it.

    Args:
        diagnostics: of a folder.
        recorded: addresses of all applied resources.
    """
    applied = frozenset(recorded)
    return tuple(_removed(found, applied) for found in diagnostics)


def _removed(found: Diagnostic, applied: frozenset[str]) -> Diagnostic:
    match = MISSING.match(found.message) if found.code in DANGLING_CODES else None
    if match is None:
        return found
    targets = _recorded_as(match["kind"], match["name"], applied)
    if not targets:
        return found
    listed = ", ".join(targets)
    return error(
        "reference_being_removed",
        found.path,
        f"{found.path} still refers to {listed}, which this plan removes",
        detail=f"{listed} is applied now and no longer declared; what refers to it would point at"
        " nothing, so neither is changed.",
        where=found.where,
        related=found.related,
        remedy=f"Take the reference out as well, or declare {listed} again; if it has another"
        " name now, say so under `moved`.",
    )


def _recorded_as(kind_words: str, name: str, applied: frozenset[str]) -> list[str]:
    if name in applied:
        return [name]
    found: list[str] = []
    for address in sorted(applied) if "." not in name else ():
        parsed = parse_address(address)
        if parsed is not None and parsed.name == name and KIND_WORDS[parsed.kind] == kind_words:
            found.append(address)
    return found

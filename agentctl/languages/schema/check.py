"""Asks whether the declarations of a `.pg` file make sense together, and makes the catalog of them.

The phases are resolve (names, interfaces), annotations, constraints and defaults; each tells all
that it finds. Source: languages 1.4.
"""

from agentctl.languages.schema.annotations import check_annotations, check_hints
from agentctl.languages.schema.catalog import Ingredients, catalog_of
from agentctl.languages.schema.constraints import ConstraintChecker, property_constraints
from agentctl.languages.schema.default_bounds import DefaultBoundsChecker
from agentctl.languages.schema.defaults import default_of
from agentctl.languages.schema.findings import Findings
from agentctl.languages.schema.resolve import Declarations, resolve
from agentctl.languages.schema.syntax import ConstraintSyntax, SchemaSyntax
from agentctl.languages.schema.types import Catalog, Default
from agentctl.languages.text.report import Report


def check_schema(syntax: SchemaSyntax, report: Report) -> Catalog | None:
    """Returns the catalog of *syntax*, or None where there is anything wrong with it."""
    findings = Findings(report)
    found = resolve(syntax, findings)
    defaults = _defaults(syntax, findings)
    on_properties = _check(found, defaults, findings)
    if report.failed:
        return None
    return catalog_of(
        Ingredients(declarations=found, on_properties=on_properties, defaults=defaults)
    )


def _defaults(syntax: SchemaSyntax, findings: Findings) -> dict[int, Default]:
    defaults: dict[int, Default] = {}
    for declared in syntax.types:
        for property_ in declared.properties:
            default = default_of(property_, findings) if property_.default else None
            if default is not None:
                defaults[id(property_)] = default
    return defaults


def _check(
    found: Declarations, defaults: dict[int, Default], findings: Findings
) -> dict[int, tuple[ConstraintSyntax, ...]]:
    """Checks annotations and constraints; returns the constraints behind single properties."""
    on_properties: dict[int, tuple[ConstraintSyntax, ...]] = {}
    constraints = ConstraintChecker(findings)
    bounds = DefaultBoundsChecker(defaults, constraints, findings)
    for interface in found.interfaces.values():
        check_hints(interface, findings)
        on_properties[id(interface)] = property_constraints(interface)
    for declared in (*found.nodes.values(), *found.edges.values(), *found.repeated):
        on_properties[id(declared)] = property_constraints(declared)
        if declared.syntax.kind == "interface":
            continue
        check_annotations(declared, findings)
        constraints.check(declared, on_properties[id(declared)])
        if defaults and declared.syntax.kind == "node":
            bounds.check(declared)
    return on_properties

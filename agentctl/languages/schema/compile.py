"""From the bytes of a `.pg` file to its catalog, or to everything that is wrong with it.

The one entry to the schema language; never raises, whatever the bytes are.
"""

from agentctl.diagnostics.bag import sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.languages.schema.check import check_schema
from agentctl.languages.schema.compiled import CompiledSchema
from agentctl.languages.schema.parse import SCHEMA_DIALECT, parse_schema
from agentctl.languages.schema.shape import shape_digest
from agentctl.languages.text.report import Report
from agentctl.languages.text.source import read_source

__all__ = ["CompiledSchema", "compile_schema"]


def compile_schema(source: bytes, *, file: str) -> CompiledSchema:
    """Returns the catalog of *source*; *file* names it in the diagnostics."""
    text = read_source(source, file=file, dialect=SCHEMA_DIALECT)
    if isinstance(text, Diagnostic):
        return CompiledSchema(catalog=None, shape_digest=None, diagnostics=(text,))
    report = Report(text, SCHEMA_DIALECT)
    catalog = check_schema(parse_schema(report), report)
    return CompiledSchema(
        catalog=catalog,
        shape_digest=None if catalog is None else shape_digest(catalog),
        diagnostics=sort_diagnostics(report.all()),
        additions=tuple(sorted(report.additions, key=lambda a: a.where)),
    )

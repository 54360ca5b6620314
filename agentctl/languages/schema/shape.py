"""The shape of a schema: what remains when formatting, comments and order are taken away.

Everything is sorted by name, the columns of a constraint too, and no identity is in it, so that two
texts have one digest exactly where they declare the same. Source: languages 1.5.
"""

from agentctl.canonical import canonical_bytes, sha256_hex
from agentctl.languages.schema.check import constraints_of, text_of
from agentctl.languages.schema.syntax import Annotation, PropertySyntax, SchemaSyntax, TypeSyntax


def shape_digest(syntax: SchemaSyntax) -> str:
    """Returns ``sha256:`` and the digest of the shape of a schema without errors."""
    kinds = ("node", "edge")
    shape = {
        "version": 1,
        **{
            kind: sorted(
                (_type_shape(t) for t in syntax.types if t.kind == kind),
                key=lambda t: str(t["name"]),
            )
            for kind in kinds
        },
    }
    return "sha256:" + sha256_hex(canonical_bytes(shape))


def _type_shape(declared: TypeSyntax) -> dict[str, object]:
    constraints = {
        (c.name, tuple(sorted({n.text for n in c.columns}))) for c in constraints_of(declared)
    }
    return {
        "name": declared.name.text,
        "source": declared.source.text if declared.source else None,
        "target": declared.target.text if declared.target else None,
        "annotations": _annotations(declared.annotations),
        "constraints": [[name, list(columns)] for name, columns in sorted(constraints)],
        "properties": [
            _property_shape(p) for p in sorted(declared.properties, key=lambda p: p.name.text)
        ],
    }


def _property_shape(declared: PropertySyntax) -> dict[str, object]:
    return {
        "name": declared.name.text,
        "scalar": declared.type.scalar.value,
        "nullable": declared.type.nullable,
        "annotations": _annotations(declared.annotations),
    }


def _annotations(annotations: tuple[Annotation, ...]) -> dict[str, str]:
    texts = {name: text_of(annotations, name) for name in ("description", "instruction")}
    return {name: text for name, text in texts.items() if text is not None}

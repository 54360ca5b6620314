"""The codes of what a migration refuses, and how a refusal is written. Source: control-plane 2.

Numbers from 900 on are agentctl's own; the others are OmniGraph's. `docs/guides/migrations.md`
lists them with the steps.
"""

from collections.abc import Mapping
from typing import Final

from agentctl.diagnostics.rule import Rule
from agentctl.languages.schema.lineage import RENAME_RULES

REQUIRED_PROPERTY: Final = "OG-MF-103"
TYPE_CHANGE: Final = "OG-MF-106"
KEY_CHANGE: Final = "OG-MF-901"
INTERFACE_GONE: Final = "OG-BC-901"
IMPLEMENTS: Final = "OG-BC-902"
ENDPOINTS: Final = "OG-BC-903"
PROVENANCE: Final = "OG-BC-904"
EMBEDDING: Final = "OG-BC-905"
OPAQUE: Final = "OG-BC-906"

MIGRATION_RULES: Final[Mapping[str, Rule]] = {
    **RENAME_RULES,
    REQUIRED_PROPERTY: Rule(
        name=REQUIRED_PROPERTY,
        title="a required property is added without a default",
        about="The rows that are there have no value for it. Make it nullable, or give it a"
        " default (`level: I32 = 0`), with which they are filled.",
    ),
    TYPE_CHANGE: Rule(
        name=TYPE_CHANGE,
        title="the type of a property changes in a way that cannot be carried out",
        about="What can change in place: I32 to I64, U32 to U64, F32 to F64, the values of an enum,"
        " String to an enum, and whether it may be null. For anything else add a property of the"
        " new type under another name, load it, and drop the old one.",
    ),
    KEY_CHANGE: Rule(
        name=KEY_CHANGE,
        title="the key of an existing type changes",
        about="The ids of the rows are made of the key, and edges name those ids. Declare a new"
        " type with the wanted key, load it, and drop the old one.",
    ),
    INTERFACE_GONE: Rule(
        name=INTERFACE_GONE,
        title="an interface is removed or renamed",
        about="Take the interface off every node first, which is a change of `implements` and so"
        " needs new types; or keep it. An interface has no `@rename_from`.",
    ),
    IMPLEMENTS: Rule(
        name=IMPLEMENTS,
        title="a node type implements other interfaces than before",
        about="Which properties a node has from an interface is part of its identity. Declare the"
        " properties on the node itself, or a new type that implements the interface.",
    ),
    ENDPOINTS: Rule(
        name=ENDPOINTS,
        title="an edge type gets other endpoints",
        about="Its rows name nodes of the types that it had. Declare a new edge type, load it, and"
        " drop the old one.",
    ),
    PROVENANCE: Rule(
        name=PROVENANCE,
        title="a property moves between a node and an interface",
        about="Whether a property is the node's own or an interface's is part of its identity."
        " Leave it where it was declared.",
    ),
    EMBEDDING: Rule(
        name=EMBEDDING,
        title="the `@embed` of an existing property changes",
        about="Vectors of two sources or models cannot be compared. Add a vector property with the"
        " wanted `@embed` under another name, fill it, and drop the old one.",
    ),
    OPAQUE: Rule(
        name=OPAQUE,
        title="an annotation that agentctl does not know changes",
        about="What it means to whoever reads it is not known, so neither is what its change would"
        " do. Put it back as it was.",
    ),
}
"""Every rule that a schema change can break, by name."""


def refused(entity: str, reason: str, code: str) -> Mapping[str, object]:
    """Returns the step that says what cannot be done; *entity* is ``kind:Type`` or with ``.prop``."""
    assert code in MIGRATION_RULES
    return {"kind": "unsupported_change", "entity": entity, "reason": reason, "code": code}

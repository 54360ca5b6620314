"""Checks the annotations of types and properties.

Rules: PG018 cardinality in a wrong place, PG026 key on an edge, PG027 annotation in a wrong place,
PG028 annotation given twice, PG029 value of a description or instruction, PG034 `@embed`, PG035
`@rename_from`, PG037 annotation that is nearly known, PG039 an annotation without its arguments. Source: languages 1.3, 1.4, 2.7, 3.2.
"""

import re
from collections.abc import Iterator
from typing import Final

from agentctl.diagnostics.diagnostic import Related
from agentctl.languages.schema.findings import Findings, short_type
from agentctl.languages.schema.property_syntax import CARD_REMEDY
from agentctl.languages.schema.resolve import Resolved
from agentctl.languages.schema.syntax import Annotation, Literal, PropertySyntax
from agentctl.languages.schema.types import Embed, Scalar

COLUMN_ANNOTATIONS: Final = frozenset({"key", "unique", "index"})
TEXTS: Final = frozenset({"description", "instruction"})
UNDERSTOOD: Final = COLUMN_ANNOTATIONS | TEXTS | {"embed", "rename_from"}
"""All others are carried as they are."""
_MEANT: Final = tuple(sorted(UNDERSTOOD | {"range", "check", "card"}))
_BOUND: Final = frozenset({"range", "check"})
_SHOWN_MAX: Final = 50
_PLAIN: Final = re.compile(r'[^"\\\x00-\x1f]*')
"""A text that is written without escapes."""


def check_annotations(declared: Resolved, findings: Findings) -> None:
    """Adds what is wrong with the annotations of a node or edge type and of its properties."""
    checker = _AnnotationChecker(declared, findings)
    checker.type()
    for member in declared.members.values():
        if member.property.annotations:
            checker.property(member.property)


def check_hints(interface: Resolved, findings: Findings) -> None:
    """Checks the rename hints of an interface's properties; the rest is checked at its nodes."""
    checker = _AnnotationChecker(interface, findings)
    for member in interface.members.values():
        hints = tuple(a for a in member.property.annotations if a.name == "rename_from")
        for hint in checker.first_of_each(hints):
            checker.rename(hint)


def text_of(annotations: tuple[Annotation, ...], name: str) -> str | None:
    """Returns the text of the first annotation of that name."""
    for annotation in annotations:
        if annotation.name == name:
            value = annotation.value.value if isinstance(annotation.value, Literal) else None
            return value if isinstance(value, str) else None
    return None


def word_of(annotation: Annotation) -> str | None:
    """Returns the text or name that an annotation is given; None for no or any other value."""
    value = annotation.value
    if value is None:
        return None
    if isinstance(value, Literal):
        return value.value if isinstance(value.value, str) else None
    return value.text


def embed_of(declared: PropertySyntax) -> Embed | None:
    """Returns the embedding that a property without mistakes asks for."""
    for annotation in declared.annotations:
        if annotation.name == "embed":
            models = [a.value.value for a in annotation.arguments if a.name.text == "model"]
            model = models[0] if models and isinstance(models[0], str) else None
            return Embed(source=word_of(annotation) or "", model=model)
    return None


class _AnnotationChecker:
    def __init__(self, declared: Resolved, findings: Findings) -> None:
        self.declared = declared
        self.kind = declared.syntax.kind
        self.findings = findings

    def type(self) -> None:
        for annotation in self.first_of_each(self.declared.syntax.annotations):
            if annotation.name in COLUMN_ANNOTATIONS:
                self._misplaced_column(annotation)
            elif annotation.name == "embed":
                self.findings.mistake(
                    "PG027",
                    "`@embed` stands on a vector property, not on a type",
                    annotation.where,
                    remedy="Put `@embed(source)` behind the property that holds the vector.",
                )
            else:
                self._anywhere(annotation)

    def property(self, declared: PropertySyntax) -> None:
        for annotation in self.first_of_each(declared.annotations):
            match annotation.name:
                case "key" if self.kind == "edge":
                    self._edge_key(annotation)
                case "embed":
                    self._embed(annotation, declared)
                case "instruction":
                    self.findings.mistake(
                        "PG027",
                        "`@instruction` stands on a node or edge type, not on a property",
                        annotation.where,
                        remedy="Use `@description` here.",
                    )
                case "default":
                    self._default(annotation, declared)
                case _:
                    self._anywhere(annotation)

    def _default(self, annotation: Annotation, declared: PropertySyntax) -> None:
        """Warns of ``@default(3)``, which looks like a default and is none."""
        remedy = "Take it out: a Blob has no default."
        if declared.type.scalar is not Scalar.BLOB:
            value = _as_default(annotation, declared.type.scalar)
            plain = f"{declared.name.text[:50]}: {short_type(declared.type)}"
            remedy = f"A default stands behind the type: `{plain} = {value}`."
        message = "`@default` is carried without a meaning"
        self.findings.warning("PG037", message, annotation.where, remedy=remedy)

    def _anywhere(self, annotation: Annotation) -> None:
        """Checks what may stand on types and properties alike."""
        name = annotation.name
        if name in TEXTS:
            self._text(annotation)
        elif name == "rename_from":
            self.rename(annotation)
        elif name == "card":
            self._card(annotation)
        elif name in _BOUND:
            self.findings.warning(
                "PG039",
                f"`@{name}` without arguments constrains nothing",
                annotation.where,
                remedy="Write `@range(property, 0..100)` into the body."
                if name == "range"
                else 'Write `@check(property, "^[a-z]+$")` into the body.',
            )
        elif name not in UNDERSTOOD:
            self._nearly_known(annotation)

    def first_of_each(self, annotations: tuple[Annotation, ...]) -> Iterator[Annotation]:
        """Yields *annotations*, and tells those that are understood and given again instead."""
        seen: dict[str, Annotation] = {}
        for annotation in annotations:
            first = seen.setdefault(annotation.name, annotation)
            if first is annotation or annotation.name not in UNDERSTOOD:
                yield annotation
                continue
            self.findings.mistake(
                "PG028",
                f"`@{annotation.name}` is given twice",
                annotation.where,
                remedy="Keep one of them.",
                related=(Related(where=first.where, message="first given here"),),
            )

    def _nearly_known(self, annotation: Annotation) -> None:
        """Warns of an annotation that is one slip of the pen from one that means something."""
        meant = next((k for k in _MEANT if _one_slip(annotation.name, k)), None)
        if meant is not None:
            self.findings.warning(
                "PG037",
                f"`@{annotation.name}` is carried without a meaning",
                annotation.where,
                remedy=f"Did you mean `@{meant}`?",
            )

    def _misplaced_column(self, annotation: Annotation) -> None:
        self.findings.mistake(
            "PG027",
            f"`@{annotation.name}` stands on a property or in the body, not on a type",
            annotation.where,
            remedy=f"Put `@{annotation.name}` behind a property, "
            f"or `@{annotation.name}(a, b)` into the body.",
        )

    def _edge_key(self, annotation: Annotation) -> None:
        self.findings.mistake(
            "PG026",
            "an edge has no key: its ids are always generated",
            annotation.where,
            remedy="Take the `@key` out, or use `@unique`.",
        )

    def _card(self, annotation: Annotation) -> None:
        message = "`@card` stands on an edge type, directly behind its target, with its bounds"
        self.findings.mistake("PG018", message, annotation.where, remedy=CARD_REMEDY)

    def _text(self, annotation: Annotation) -> None:
        """Checks ``@description`` and ``@instruction``, which take one text."""
        value = annotation.value
        text = value.value if isinstance(value, Literal) else None
        if not isinstance(text, str) or not text.strip() or annotation.arguments:
            self.findings.mistake(
                "PG029",
                f"`@{annotation.name}` takes one text that is not blank",
                annotation.where,
                remedy=f'Write `@{annotation.name}("…")`.',
            )

    def rename(self, annotation: Annotation) -> None:
        """Checks ``@rename_from("Old")``."""
        word = word_of(annotation)
        if word is None or not word.strip() or annotation.arguments:
            self.findings.mistake(
                "PG035",
                "`@rename_from` takes the one former name",
                annotation.where,
                remedy='Write `@rename_from("old_name")`.',
            )

    def _embed(self, annotation: Annotation, declared: PropertySyntax) -> None:
        """Checks ``@embed(source [, model = "…"])``."""
        source = (word_of(annotation) or "").strip()
        if self.kind == "edge":
            message, remedy = "`@embed` stands on properties of nodes", "Take it out."
        elif declared.type.vector_dim is None:
            message = f"`@embed` stands on a vector, and `{declared.name.text}` is `{short_type(declared.type)}`"
            remedy = "Put it behind a property of a type like `Vector(1536)`."
        elif not source:
            message = "`@embed` names the property whose text is embedded"
            remedy = 'Write `@embed(source)` or `@embed(source, model="…")`.'
        else:
            self._embed_source(annotation, word_of(annotation) or "")
            self._embed_arguments(annotation)
            return
        self.findings.mistake("PG034", message, annotation.where, remedy=remedy)

    def _embed_source(self, annotation: Annotation, source: str) -> None:
        assert annotation.value is not None
        where = annotation.value.where
        member = self.declared.members.get(source)
        if member is None:
            if self.declared.whole:
                self.findings.mistake(
                    "PG034",
                    f"`{self.declared.syntax.name.text}` has no property `{source[:50]}` to embed",
                    where,
                    remedy=self.findings.meant(source, self.declared.members),
                )
            return
        type_ = member.property.type
        if type_.scalar is not Scalar.STRING or type_.list:
            self.findings.mistake(
                "PG034",
                f"`@embed` takes its text from a String, and `{source}` is `{short_type(type_)}`",
                where,
                remedy="Name a String property.",
                related=(
                    Related(where=member.property.type_where, message=f"`{short_type(type_)}`"),
                ),
            )

    def _embed_arguments(self, annotation: Annotation) -> None:
        for count, argument in enumerate(annotation.arguments):
            name, value = argument.name, argument.value.value
            if name.text != "model":
                message = f"`@embed` knows no `{name.text[:50]}`, only `model`"
            elif count > 0:
                message = "`model` is given twice"
            elif not isinstance(value, str) or not value.strip():
                message = "`model` is a text that is not blank"
            else:
                continue
            self.findings.mistake(
                "PG034", message, name.where, remedy='Write `@embed(source, model="…")`.'
            )


def _as_default(annotation: Annotation, scalar: Scalar) -> str:
    """Returns what an annotation is given, as the default of a property is written."""
    value = annotation.value.value if isinstance(annotation.value, Literal) else word_of(annotation)
    match value:
        case None:
            return "…"
        case bool():
            return str(value).lower()
        case str():
            shown = value if len(value) <= _SHOWN_MAX and _PLAIN.fullmatch(value) else "…"
            function = {Scalar.DATE: "date", Scalar.DATETIME: "datetime"}.get(scalar)
            return f'{function}("{shown}")' if function else f'"{shown}"'
        case _:
            return str(value)


def _one_slip(name: str, known: str) -> bool:
    """Whether *name* is *known* with one letter added, left out, changed, or two swapped."""
    longer, shorter = (name, known) if len(name) >= len(known) else (known, name)
    if len(longer) - len(shorter) > 1:
        return False
    at = next((i for i, c in enumerate(shorter) if c != longer[i]), len(shorter))
    if len(longer) > len(shorter):
        return longer[at + 1 :] == shorter[at:]
    swapped = longer[at : at + 2] == shorter[at : at + 2][::-1]
    return longer[at + 1 :] == shorter[at + 1 :] or (
        swapped and longer[at + 2 :] == shorter[at + 2 :]
    )

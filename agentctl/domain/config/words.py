"""Reads the forms that are one word of the file: texts, paths, secrets, references, schedules."""

import re

from agentctl.diagnostics.diagnostic import error
from agentctl.diagnostics.secrets import REFERENCE
from agentctl.domain.config.cron import ScheduleFault, parse_schedule
from agentctl.domain.config.durations import duration_s
from agentctl.domain.config.fields import Reader, describe, is_null
from agentctl.domain.config.forms import (
    ChoiceForm,
    DurationForm,
    EnvFileForm,
    Form,
    PathForm,
    ScheduleForm,
    SecretForm,
    TextForm,
)
from agentctl.domain.config.given import Text
from agentctl.domain.config.paths import path_fault
from agentctl.domain.config.scalars import scalar_type
from agentctl.domain.config.secrets import looks_secret, reference_name
from agentctl.domain.config.yaml_tree import Node, ScalarNode
from agentctl.languages.text.suggest import did_you_mean

_REFER = (
    "Write a reference such as `${API_KEY}`, and give its value in the environment or the env_file."
)


def read_word(node: Node, form: Form, reader: Reader, label: str) -> Text | None:
    """Returns the word that *node* is, as *form* wants it; None where it is not so."""
    if isinstance(form, PathForm) and form.strict:
        return _strict_path(node, reader, label)
    scalar = reader.text(node, label)
    if scalar is None:
        return None
    fault = _fault(scalar.text, form, label)
    if fault is None:
        return Text(text=scalar.text, where=scalar.where)
    message, code, remedy = fault
    reader.bag.add(
        error(code or reader.code, reader.path, message, where=scalar.where, remedy=remedy)
    )
    return None


_Fault = tuple[str, str | None, str | None]
"""Message, code and remedy of what is wrong with a word."""


def _fault(  # noqa: PLR0911  # one return a form
    text: str, form: Form, label: str
) -> _Fault | None:
    match form:
        case SecretForm(code=code):
            if reference_name(text) is None:
                return f"{label} is a literal, and secrets are references", code, _REFER
            return None
        case ChoiceForm(values=values, code=code):
            if text in values:
                return None
            listed = f"It takes {', '.join(f'`{value}`' for value in values)}."
            return f"{label} is `{text}`", code, did_you_mean(text, values, otherwise=listed)
        case DurationForm(zero=zero):
            seconds = duration_s(text)
            if seconds is not None and (seconds > 0 or zero):
                return None
            remedy = "Write a number and a unit: s, m, h, d or w, such as `7d`."
            return f"{label} is `{text}`, which is no span of time", None, remedy
        case ScheduleForm():
            found = parse_schedule(text)
            if not isinstance(found, ScheduleFault):
                return None
            remedy = "Five fields of cron, such as `0 3 * * *`, or a word such as `@daily`."
            return f"{label} is no schedule: {found.message}", "invalid_schedule", remedy
        case PathForm() | EnvFileForm():
            fault = path_fault(text)
            return None if fault is None else (fault, None, None)
        case _:
            return _text_fault(text, form, label)


def _text_fault(text: str, form: Form, label: str) -> _Fault | None:
    if looks_secret(text):
        return f"{label} holds what looks like a secret", "secret_inline", _REFER
    if not isinstance(form, TextForm):
        return None if text.strip() else (f"{label} is blank", None, None)
    if form.refers and REFERENCE.search(text) is None:
        return f"{label} is a literal, and secrets are references", "secret_inline", _REFER
    code = form.code
    if not text.strip():
        return None if form.blank else (f"{label} is blank", code, None)
    if form.pattern is not None and re.fullmatch(form.pattern, text) is None:
        return f"{label} is `{text}`, which is no {form.what}", code, form.example
    return None


def _strict_path(node: Node, reader: Reader, label: str) -> Text | None:
    """Returns a path where the type of the scalar is resolved first: a plain number is none."""
    if isinstance(node, ScalarNode) and scalar_type(node) == "text":
        fault = path_fault(node.text)
        if fault is None:
            return Text(text=node.text, where=node.where)
        reader.fault(fault, node.where)
        return None
    remedy = "Give a folder, a file, a list of them, or a mapping of names to `{file: PATH}`."
    if isinstance(node, ScalarNode) and not is_null(node):
        remedy = f'Quote it if it is a path: "{node.text}".'
    reader.fault(f"{label} takes a path, not {describe(node)}", node.where, remedy=remedy)
    return None

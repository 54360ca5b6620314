"""The grammar as the parsers carry it, and which of it ran while a piece of work was done.

A production is a function of a parser whose docstring holds ``name := …``, or the right side alone,
known by its quoted words; that one goes by the name of its function.
"""

import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Final

import agentctl.languages.query
import agentctl.languages.schema
from agentctl.languages.text.report import Report

ROOMS: Final = {".pg": agentctl.languages.schema, ".gq": agentctl.languages.query}
_PRODUCTION: Final = re.compile(r"``(\w+)\s*:=")
_RIGHT_SIDE: Final = re.compile(r"``[^`]*'[^'`]+'[^`]*``")


def productions() -> dict[CodeType, frozenset[str]]:
    """Returns the productions of both languages by the code that parses them: ``.pg node``."""
    found: dict[CodeType, frozenset[str]] = {}
    for language, room in ROOMS.items():
        for function in _functions(room):
            written = function.__doc__ or ""
            names = _PRODUCTION.findall(written)
            if not names and _RIGHT_SIDE.search(written):
                names = [function.__name__.strip("_")]
            if names:
                found[function.__code__] = frozenset(f"{language} {name}" for name in names)
    return found


class Trace:
    """Which productions ran, and which had a problem reported while they ran."""

    def __init__(self) -> None:
        self.ran: set[str] = set()
        self.refused: set[str] = set()


@contextmanager
def traced(known: dict[CodeType, frozenset[str]]) -> Iterator[Trace]:
    """Watches the productions of this thread until the block ends."""
    trace = Trace()
    reporting = _reporting()

    def watch(frame: FrameType, event: str, _: object) -> None:
        if event != "call":
            return
        names = known.get(frame.f_code)
        if names is not None:
            trace.ran |= names
        elif frame.f_code in reporting:
            caller = frame.f_back
            while caller is not None:
                trace.refused |= known.get(caller.f_code, frozenset())
                caller = caller.f_back

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield trace
    finally:
        sys.setprofile(before)


def _reporting() -> frozenset[CodeType]:
    """Returns the code that tells of a problem: a report's, and every ``_fail`` of a parser."""
    failing = (f for room in ROOMS.values() for f in _functions(room) if f.__name__ == "_fail")
    return frozenset(
        {Report.add.__code__, Report.parse_error.__code__, *(f.__code__ for f in failing)}
    )


def _functions(room: ModuleType) -> Iterator[FunctionType]:
    for entry in pkgutil.iter_modules(room.__path__, f"{room.__name__}."):
        module = importlib.import_module(entry.name)
        for value in vars(module).values():
            if getattr(value, "__module__", None) != module.__name__:
                continue
            if isinstance(value, FunctionType):
                yield value
            elif inspect.isclass(value):
                yield from (m for m in vars(value).values() if isinstance(m, FunctionType))

"""What files meant last time, as entries of a cache: keys, codec, and `Compilers` that ask them first.

An entry is keyed by the digests of all that went into it and by the name of the code that made it,
so it never has to be asked whether it is still right. It answers for bytes that are at hand and
digested here; it grants nothing. What does not decode is refused and made anew. Source: ADR 7.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final, Literal, Protocol, TypeVar

import msgspec

from agentctl.canonical import sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.config.answer import Tally
from agentctl.domain.config.compilers import (
    Declared,
    DeclaredFile,
    Languages,
    checked_of,
    declared_of,
    judged_of,
)
from agentctl.domain.config.sources import Source
from agentctl.languages.query.results import CheckedResult, QueryFile
from agentctl.languages.schema.compiled import CompiledSchema
from agentctl.languages.schema.types import Catalog

T = TypeVar("T")
U = TypeVar("U")
Kind = Literal["schema", "queries", "declared", "checked", "judged"]
"""What an entry says of a file."""


class _Names(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a `DeclaredFile` without its additions, of which there may be many."""

    declarations: tuple[Declared, ...]
    diagnostics: tuple[Diagnostic, ...]


_ENCODER: Final = msgspec.msgpack.Encoder()
_SCHEMA: Final = msgspec.msgpack.Decoder(CompiledSchema)
_DECLARED: Final = msgspec.msgpack.Decoder(DeclaredFile)
_NAMES: Final = msgspec.msgpack.Decoder(_Names)
_CHECKED: Final = msgspec.msgpack.Decoder(Mapping[str, CheckedResult])


@cache
def _queries() -> msgspec.msgpack.Decoder[QueryFile]:
    """Made when it is needed: a whole syntax tree has many types."""
    return msgspec.msgpack.Decoder(QueryFile)


class Entries(Protocol):
    """Where entries are kept; one that is lost or damaged is simply not there."""

    def get(self, kind: Kind, path: str, key: str) -> bytes | None:
        """Returns the entry of that key; *path* is the file that it is about."""
        ...

    def put(self, kind: Kind, path: str, key: str, entry: bytes) -> None:
        """Keeps an entry, until it is collected."""
        ...

    def hold(self, kind: Kind, path: str, key: Callable[[], str]) -> None:
        """Keeps the entry of that key, if there is one, though it was not needed this time.

        The key is asked for where entries beside it are written, and nowhere else.
        """
        ...


class Remembering(Languages):
    """Asks *entries* first, and tells them what was read anew."""

    def __init__(self, entries: Entries, *, grammar: str, with_additions: bool = True) -> None:
        """Begins with nothing counted.

        Args:
            entries: where answers are kept.
            grammar: names the code that makes the answers; another code has other answers.
            with_additions: whether `declared` is to say what OmniGraph 0.10 does not have; to
                remember that takes longer than to remember the rest.
        """
        super().__init__()
        self._with_additions = with_additions
        self._counts: Counter[str] = Counter()
        self._entries = entries
        self._grammar = grammar

    @property
    def tally(self) -> Tally:
        """What was read anew so far, and what was remembered."""
        return Tally(**self._counts)

    def _compile(self, source: Source) -> CompiledSchema:
        def anew() -> CompiledSchema:
            self._counts["schemas_compiled"] += 1
            return super(Remembering, self)._compile(source)

        return self._asked("schema", (source,), _SCHEMA, anew)

    def _parse(self, source: Source) -> QueryFile:
        def anew() -> QueryFile:
            self._counts["query_files_parsed"] += 1
            return super(Remembering, self)._parse(source)

        return self._asked("queries", (source,), _queries(), anew)

    def _declare(self, source: Source) -> DeclaredFile:
        self._entries.hold("queries", source.path, lambda: self._key("queries", (source,)))

        def anew() -> DeclaredFile:
            return declared_of(self.queries(source))

        if self._with_additions:
            return self._asked("declared", (source,), _DECLARED, anew)
        known = self._asked("declared", (source,), _NAMES, anew)
        if isinstance(known, DeclaredFile):
            return known
        return DeclaredFile(declarations=known.declarations, diagnostics=known.diagnostics)

    def _check(
        self, source: Source, schema: Source, catalog: Catalog
    ) -> Mapping[str, CheckedResult]:
        def anew() -> Mapping[str, CheckedResult]:
            self._counts["query_files_checked"] += 1
            return checked_of(self.queries(source), catalog)

        return self._asked("checked", (source, schema), _CHECKED, anew)

    def _judge(
        self, source: Source, schema: Source, catalog: Catalog
    ) -> Mapping[str, CheckedResult]:
        self._entries.hold("checked", source.path, lambda: self._key("checked", (source, schema)))

        def anew() -> Mapping[str, CheckedResult]:
            return judged_of(self.checked(source, schema=schema, catalog=catalog))

        return self._asked("judged", (source, schema), _CHECKED, anew)

    def _key(self, kind: Kind, sources: tuple[Source, ...]) -> str:
        parts = [kind, self._grammar]
        for source in sources:
            parts += [source.path, source.digest]
        return sha256_hex("\0".join(parts).encode("utf-8", "surrogatepass"))

    def _asked(
        self,
        kind: Kind,
        sources: tuple[Source, ...],
        decoder: msgspec.msgpack.Decoder[T],
        anew: Callable[[], U],
    ) -> T | U:
        """Returns what the entry about *sources* says, or what is read *anew*, which is then kept."""
        path, key = sources[0].path, self._key(kind, sources)
        entry = self._entries.get(kind, path, key)
        if entry is not None:
            try:
                known = decoder.decode(entry)
            except (msgspec.DecodeError, AssertionError, UnicodeDecodeError):
                self._counts["refused"] += 1
            else:
                self._counts["remembered"] += 1
                return known
        found = anew()
        # An integer or a text that the encoding cannot say is read anew each time.
        with contextlib.suppress(OverflowError, UnicodeEncodeError):
            self._entries.put(kind, path, key, _ENCODER.encode(found))
        return found

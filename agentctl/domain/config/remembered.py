"""What files meant last time, as entries of a cache: keys, codec, and `Compilers` that use them.

An entry is keyed by the digests of all that went into it and by the version of the grammar, so it
never has to be asked whether it is still right. It answers for bytes that are at hand and digested
here; it grants nothing. What does not decode is refused and made anew. Source: ADR 7.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final, Protocol, TypeVar

import msgspec

from agentctl.canonical import sha256_hex
from agentctl.domain.config.answer import Tally
from agentctl.domain.config.compilers import Compilers
from agentctl.domain.config.sources import Source
from agentctl.languages.query.compile import CheckedResult, QueryFile
from agentctl.languages.schema.compile import CompiledSchema
from agentctl.languages.schema.types import Catalog

T = TypeVar("T")

_ENCODER: Final = msgspec.msgpack.Encoder()
_SCHEMA: Final = msgspec.msgpack.Decoder(CompiledSchema)
_QUERIES: Final = msgspec.msgpack.Decoder(QueryFile)
_CHECKED: Final = msgspec.msgpack.Decoder(dict[str, CheckedResult])


class Entries(Protocol):
    """Where entries are kept; one that is lost or damaged is simply not there."""

    def get(self, path: str, key: str) -> bytes | None:
        """Returns the entry of that key; *path* is the file that it is about."""
        ...

    def put(self, path: str, key: str, entry: bytes) -> None:
        """Keeps an entry, until it is collected."""
        ...


class Remembering:
    """`Compilers` that ask *entries* first, and tell them what was read anew."""

    def __init__(self, entries: Entries, *, grammar: str, anew: Compilers) -> None:
        """Begins with nothing counted.

        Args:
            entries: where answers are kept.
            grammar: names the code that makes the answers; another code has other answers.
            anew: reads what is not remembered.
        """
        self._counts: Counter[str] = Counter()
        self._entries = entries
        self._grammar = grammar
        self._anew = anew

    @property
    def tally(self) -> Tally:
        """What was read anew so far, and what was remembered."""
        return Tally(**self._counts)

    def schema(self, source: Source) -> CompiledSchema:
        """Returns what a schema file means."""
        key = self._key("schema", source)
        known = self._known(source, key, _SCHEMA)
        if known is None:
            known = self._anew.schema(source)
            self._counts["schemas_compiled"] += 1
            self._keep(source, key, known)
        return known

    def queries(self, source: Source) -> QueryFile:
        """Returns what a query file declares."""
        key = self._key("queries", source)
        known = self._known(source, key, _QUERIES)
        if known is None:
            known = self._anew.queries(source)
            self._counts["query_files_parsed"] += 1
            self._keep(source, key, known)
        return known

    def checked(
        self, parsed: QueryFile, source: Source, *, schema: Source, catalog: Catalog
    ) -> Mapping[str, CheckedResult]:
        """Returns what the declarations of a query file mean over a schema, by name."""
        key = self._key("checked", source, schema)
        known = self._known(source, key, _CHECKED)
        if known is None or not known.keys() >= {d.name for d in parsed.declarations}:
            known = dict(self._anew.checked(parsed, source, schema=schema, catalog=catalog))
            self._counts["query_files_checked"] += 1
            self._keep(source, key, known)
        return known

    def _key(self, kind: str, *sources: Source) -> str:
        parts = [kind, self._grammar]
        for source in sources:
            parts += [source.path, source.digest]
        return sha256_hex("\0".join(parts).encode("utf-8", "surrogatepass"))

    def _known(self, source: Source, key: str, decoder: msgspec.msgpack.Decoder[T]) -> T | None:
        entry = self._entries.get(source.path, key)
        if entry is None:
            return None
        try:
            known = decoder.decode(entry)
        except (msgspec.DecodeError, AssertionError, UnicodeDecodeError):
            self._counts["refused"] += 1
            return None
        self._counts["remembered"] += 1
        return known

    def _keep(self, source: Source, key: str, value: object) -> None:
        try:
            entry = _ENCODER.encode(value)
        except (OverflowError, UnicodeEncodeError):
            return  # An integer or a text that the encoding cannot say is read anew each time.
        self._entries.put(source.path, key, entry)

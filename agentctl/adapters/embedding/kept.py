"""Keeps the vectors that a provider made, in the user's cache.

One file for each, named by SHA-256 over what decides a vector: the digest of the provider's profile,
the model, the number of dimensions and the SHA-256 of the text. The text itself is not kept. A hint
like all of that cache: what does not hold is thrown away and asked for again, and a fault of the disk
turns the cache off. Source: graph-engine 5.
"""

import functools
import hashlib
import math
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import anyio.to_thread

from agentctl.adapters.cache.collect import collect
from agentctl.adapters.cache.private_folder import open_private, read_entry, write_entry
from agentctl.adapters.embedding.asked import Asked

COLLECTED_EVERY: Final = 64
"""About every so many new vectors the folder is kept small."""
_FOLDER: Final = "vectors"


class KeptEmbedder:
    """A provider whose vectors are kept."""

    def __init__(self, asked: Asked, *, provider_digest: str, cache: Path) -> None:
        """Reads nothing yet.

        Args:
            asked: is asked for what is not kept.
            provider_digest: of the provider's profile. Source: control-plane 1.9.
            cache: the user's cache folder of agentctl.
        """
        self._asked = asked
        self._digest = provider_digest
        self._cache = cache

    @property
    def model(self) -> str:
        """The provider's model."""
        return self._asked.model

    async def embed(self, texts: Sequence[str], *, dimensions: int) -> list[Sequence[float]]:
        """Returns a vector for each text, in order; of 32-bit numbers where it was kept.

        Raises:
            EmbeddingError: a text is not kept, and the provider cannot be asked.
        """
        places = [self._place(text, dimensions) for text in texts]
        read = functools.partial(_read_all, places, dimensions)
        vectors = await anyio.to_thread.run_sync(read)
        missing = [at for at, vector in enumerate(vectors) if vector is None]
        if missing:
            made = await self._asked.embed([texts[at] for at in missing], dimensions=dimensions)
            new = {at: tuple(vector) for at, vector in zip(missing, made, strict=True)}
            kept = {places[at]: v for at, v in new.items() if _is_sound(v, dimensions)}
            await anyio.to_thread.run_sync(functools.partial(_write_all, self._cache, kept))
            vectors = [new.get(at, vector) for at, vector in enumerate(vectors)]
        return [vector for vector in vectors if vector is not None]

    async def aclose(self) -> None:
        """Gives the provider's connections back."""
        await self._asked.aclose()

    def _place(self, text: str, dimensions: int) -> Path:
        of_text = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        parts = (self._digest, self.model, str(dimensions), of_text)
        name = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
        return self._cache / _FOLDER / name[:2] / name[2:]


def _is_sound(vector: Sequence[float], dimensions: int) -> bool:
    return len(vector) == dimensions and all(math.isfinite(number) for number in vector)


def _read_all(places: Sequence[Path], dimensions: int) -> list[Sequence[float] | None]:
    return [_read(place, dimensions) for place in places]


def _read(place: Path, dimensions: int) -> Sequence[float] | None:
    payload = read_entry(place)
    form = struct.Struct(f"<{dimensions}f")
    return form.unpack(payload) if payload is not None and len(payload) == form.size else None


def _write_all(cache: Path, vectors: Mapping[Path, Sequence[float]]) -> None:
    """Writes what it can; what it cannot is asked for again another time."""
    for place, vector in vectors.items():
        try:
            payload = struct.pack(f"<{len(vector)}f", *vector)
        except OverflowError:
            continue
        folders = (cache, place.parent.parent, place.parent)
        if any(open_private(folder) for folder in folders) or write_entry(place, payload):
            return
        if int(place.name[:4], 16) % COLLECTED_EVERY == 0:
            collect(place.parent.parent, keep=place.parent)

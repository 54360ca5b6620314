"""Makes new inputs of known ones: by bytes, by tokens, by splicing, and by nesting."""

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

INPUT_BYTES_MAX: Final = 2_000
NESTING_MAX: Final = 300
_TOKEN: Final = re.compile(rb"[A-Za-z_$@][A-Za-z0-9_-]*|[0-9.]+|\"[^\"]*\"|\s+|[^\w\s]")
_ODD: Final = (
    b"\0", b"\xff", b"\xef\xbb\xbf", "é".encode(), "日".encode(), "\u202e".encode(), b"\t", b"\r",
    b"\"", b"\\", b"/*", b"//", b"*/", b"${X}", b"99999999999999999999", b"-0", b"1e999", b"&a", b"*a",
    b"<<", b"!!binary", b"---\n", b"|\n", b"? ",
)  # fmt: skip


class Mutator:
    """Mutations over a pool of inputs and a dictionary of tokens."""

    def __init__(self, random: Random, generate: Callable[[], bytes]) -> None:
        self.random = random
        self.generate = generate
        self.tokens: list[bytes] = list(_ODD)

    def learn(self, data: bytes) -> None:
        """Adds the tokens of a seed to the dictionary."""
        known = set(self.tokens)
        self.tokens += sorted({t for t in _TOKEN.findall(data) if t.strip()} - known)

    def make(self, pool: Sequence[bytes]) -> bytes:
        """Returns a new input: a generated one, or one of the pool changed one to five times."""
        if not pool or self.random.random() < 0.1:
            return self.generate()[:INPUT_BYTES_MAX]
        data = self.random.choice(pool)
        for _ in range(self.random.choice((1, 1, 2, 3, 5))):
            data = self.random.choice(_MUTATIONS)(self, data, pool)[:INPUT_BYTES_MAX]
        return data

    def _cut(self, data: bytes) -> int:
        return self.random.randint(0, len(data))

    def _spot(self, data: bytes) -> tuple[int, int]:
        """Returns the place of a token, or the end."""
        spots = [m.span() for m in _TOKEN.finditer(data)]
        return self.random.choice(spots) if spots else (len(data), len(data))

    def flip(self, data: bytes, _: Sequence[bytes]) -> bytes:
        """Changes one byte."""
        at = self._cut(data)
        return data[:at] + bytes([self.random.randrange(256)]) + data[at + 1 :]

    def insert(self, data: bytes, _: Sequence[bytes]) -> bytes:
        """Puts a token of the dictionary between two tokens."""
        at = self._spot(data)[1]
        return data[:at] + b" " + self.random.choice(self.tokens) + b" " + data[at:]

    def replace(self, data: bytes, _: Sequence[bytes]) -> bytes:
        """Replaces a token by another."""
        start, end = self._spot(data)
        return data[:start] + self.random.choice(self.tokens) + data[end:]

    def remove(self, data: bytes, _: Sequence[bytes]) -> bytes:
        """Takes out one token, or everything between two places."""
        start, end = self._spot(data)
        if self.random.random() < 0.3:
            start, end = sorted((self._cut(data), self._cut(data)))
        return data[:start] + data[end:]

    def repeat(self, data: bytes, _: Sequence[bytes]) -> bytes:
        """Doubles what stands between two tokens."""
        start, end = sorted((self._spot(data)[0], self._spot(data)[1]))
        return data[:end] + data[start:end] + data[end:]

    def nest(self, data: bytes, _: Sequence[bytes]) -> bytes:
        """Repeats one token many times; at most a few hundred kilobytes come of it."""
        start, end = self._spot(data)
        return data[:end] + data[start:end] * self.random.randint(2, NESTING_MAX) + data[end:]

    def splice(self, data: bytes, pool: Sequence[bytes]) -> bytes:
        """Ends with the end of another input."""
        other = self.random.choice(pool)
        return data[: self._spot(data)[0]] + other[self._spot(other)[0] :]

    def graft(self, data: bytes, _: Sequence[bytes]) -> bytes:
        """Puts a generated part somewhere."""
        at = self._spot(data)[0]
        part = self.generate()
        start, end = sorted((self._spot(part)[0], self._spot(part)[1]))
        return data[:at] + (part[start:] if self.random.random() < 0.5 else part[:end]) + data[at:]

    def swap(self, data: bytes, _: Sequence[bytes]) -> bytes:
        """Exchanges two lines."""
        lines = data.split(b"\n")
        one, two = self.random.randrange(len(lines)), self.random.randrange(len(lines))
        lines[one], lines[two] = lines[two], lines[one]
        return b"\n".join(lines)


_MUTATIONS: Final[tuple[Callable[[Mutator, bytes, Sequence[bytes]], bytes], ...]] = (
    Mutator.flip, Mutator.insert, Mutator.replace, Mutator.replace, Mutator.remove, Mutator.repeat,
    Mutator.nest, Mutator.splice, Mutator.splice, Mutator.graft, Mutator.swap,
)  # fmt: skip

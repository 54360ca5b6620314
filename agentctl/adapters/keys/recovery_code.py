"""The recovery code: 32 secret bytes as a person writes them down. Source: access-and-faces 3.1.

Crockford's base 32 in groups of four, with a checksum, so that a slip of the pen is found at once.
"""

import hashlib
from typing import Final

SEED_BYTES: Final = 32
_CHECK_BYTES: Final = 3
_GROUP: Final = 4
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREAD: Final = str.maketrans({"O": "0", "I": "1", "L": "1"})
_CHARACTERS: Final = (SEED_BYTES + _CHECK_BYTES) * 8 // 5


def code_of(seed: bytes) -> str:
    """Returns the code of *seed*: 14 groups of four, joined by hyphens."""
    assert len(seed) == SEED_BYTES
    number = int.from_bytes(seed + _check(seed))
    text = "".join(_ALPHABET[number >> shift & 31] for shift in range(5 * _CHARACTERS - 5, -1, -5))
    return "-".join(text[i : i + _GROUP] for i in range(0, _CHARACTERS, _GROUP))


def seed_of(code: str) -> bytes | None:
    """Returns the seed, or None where *code* was not copied right; case and spacing do not matter."""
    text = "".join(code.split()).replace("-", "").upper().translate(_MISREAD)
    if len(text) != _CHARACTERS or not set(text) <= set(_ALPHABET):
        return None
    number = 0
    for character in text:
        number = number << 5 | _ALPHABET.index(character)
    data = number.to_bytes(SEED_BYTES + _CHECK_BYTES)
    seed, check = data[:SEED_BYTES], data[SEED_BYTES:]
    return seed if check == _check(seed) else None


def _check(seed: bytes) -> bytes:
    return hashlib.sha256(b"agentctl recovery\0" + seed).digest()[:_CHECK_BYTES]

"""Packs a large state inside its ledger object. Source: ADR 10.

A state of more than `PACK_BYTES_MIN` stands in its object as the text ``deflate:<base64>`` in place
of the document; everything else of the object stays readable, and `agentctl state show` prints it
whole. `state.json` is never packed.
"""

import base64
import binascii
import zlib
from typing import Final

PACK_BYTES_MIN: Final = 256 * 1024
"""States of fewer bytes (about 1,500 resources) stay as they are, for people to read."""
UNPACKED_BYTES_MAX: Final = 512 * 1024 * 1024
"""More is taken for a forgery that wants to exhaust the reader."""
_LEVEL: Final = 1
"""Higher levels take twice the time and more for five per cent."""
_PREFIX: Final = "deflate:"


class PackedError(Exception):
    """What stands in place of a state cannot be unpacked."""


def packed(text: bytes) -> str | None:
    """Returns the packed form of a state's compact JSON; None where it is too small to be worth it."""
    if len(text) <= PACK_BYTES_MIN:
        return None
    return _PREFIX + base64.b64encode(zlib.compress(text, _LEVEL)).decode("ascii")


def unpacked(form: object) -> bytes:
    """Returns the JSON that `packed` packed.

    Raises:
        PackedError: it is no packed state, is cut short, or is larger than any state.
    """
    if not isinstance(form, str) or not form.startswith(_PREFIX):
        msg = "the state is neither a document nor a packed one"
        raise PackedError(msg)
    try:
        data = base64.b64decode(form.removeprefix(_PREFIX), validate=True)
        inflater = zlib.decompressobj()
        text = inflater.decompress(data, UNPACKED_BYTES_MAX)
    except (binascii.Error, ValueError, zlib.error) as failure:
        msg = f"the packed state is damaged: {failure}"
        raise PackedError(msg) from failure
    if inflater.unconsumed_tail:
        msg = "the packed state is larger than any state"
        raise PackedError(msg)
    if not inflater.eof or inflater.unused_data:
        msg = "the packed state is cut short, or goes on behind its end"
        raise PackedError(msg)
    return text

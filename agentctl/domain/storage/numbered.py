"""Numbered logs: objects ``<folder>/<20-digit n>.json``, each written once, create-only.

The ledger, the audit chain, the principals chain, leases and the commits of a graph's branch are
such logs. Exactly one writer wins a number, and number n is written only where n-1 exists, so what
is stored has no gap. The machines here are pure; `agentctl.adapters.backends.drive` performs them.
Source: control-plane 3.2.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from agentctl.domain.storage.effects import Machine, create, delete, list_keys, read
from agentctl.domain.storage.keys import number_of, numbered_key
from agentctl.domain.storage.protocol import CorruptError, UnavailableError

PROBE_COUNT_MAX: Final = 8
"""How far `newest` reads upward, one object at a time, before it lists."""
ATTEMPT_COUNT_MAX: Final = 3
"""How often a create whose outcome is unknown, and which is seen not to have happened, is tried."""

NonceOf = Callable[[bytes], str | None]
"""Takes an object's bytes; returns what its writer put in to know it again, or None."""


class Won(msgspec.Struct, frozen=True, kw_only=True, tag="won"):
    """This writer's object has the number."""

    number: int


class Lost(msgspec.Struct, frozen=True, kw_only=True, tag="lost"):
    """Another writer's object has the number."""

    number: int
    data: bytes
    """The other's object; empty where it has been collected since."""


Appended = Won | Lost


def append_collected(folder: str, number: int, data: bytes, nonce_of: NonceOf) -> Machine[Appended]:
    """Writes object *number*, whose predecessor the caller has read, of a log that is collected.

    A writer that was paused until its number had been written, followed and collected finds the
    number free again. So the predecessor is looked at after the write: objects are collected in
    order, oldest first, so while *number* - 1 is there, *number* was never taken before. Where it
    is gone, this writer's object is taken back and the number is lost.

    Raises:
        UnavailableError: the store did not answer; the outcome is unknown.
    """
    written = yield from append_unlooked(folder, number, data, nonce_of)
    if isinstance(written, Lost):
        return written
    return (yield from look_behind(folder, number))


def append_unlooked(folder: str, number: int, data: bytes, nonce_of: NonceOf) -> Machine[Appended]:
    """Writes object *number* as `append_collected` does, and leaves `look_behind` to the caller.

    Raises:
        UnavailableError: the store did not answer; the outcome is unknown.
    """
    return (yield from _write(folder, number, data, nonce_of))


def look_behind(folder: str, number: int) -> Machine[Appended]:
    """Returns whether object *number*, just written, follows its predecessor; takes it back if not."""
    if number == 1 or (yield from read(numbered_key(folder, number - 1))) is not None:
        return Won(number=number)
    yield from delete(numbered_key(folder, number))
    return Lost(number=number, data=b"")


def append(
    folder: str, number: int, data: bytes, nonce_of: NonceOf | None = None
) -> Machine[Appended]:
    """Writes object *number*, which is 1 or has a predecessor, of a log that keeps every object.

    A lost response is resolved by reading again before any retry: an object with this writer's
    nonce is this writer's. Without *nonce_of*, for objects that bear no nonce, only an outcome that
    is unknown is compared, by the whole bytes.

    Raises:
        CorruptError: there is no object *number* - 1.
        UnavailableError: the store did not answer; the outcome is unknown.
    """
    if number > 1 and (yield from read(numbered_key(folder, number - 1))) is None:
        msg = f"{folder} has no object {number - 1}, so {number} is not written"
        raise CorruptError(msg)
    return (yield from _write(folder, number, data, nonce_of))


def newest(folder: str, hint: int = 0) -> Machine[tuple[int, bytes] | None]:
    """Returns the newest object and its number, or None where there is none.

    *hint* is a number that is likely to exist and close to the newest: it saves the listing. A wrong
    one costs a few reads and changes nothing.
    """
    found = (yield from _at(folder, hint)) if hint >= 1 else None
    if found is None:
        found = yield from _listed(folder, after=0)
    probes = 0
    while found is not None:
        above = yield from _at(folder, found[0] + 1)
        if above is None:
            break
        found = above
        probes += 1
        if probes % PROBE_COUNT_MAX == 0:
            found = (yield from _listed(folder, after=found[0])) or found
    return found


def read_one(folder: str, number: int) -> Machine[bytes | None]:
    """Returns object *number*, or None where it is not there."""
    found = yield from _at(folder, number)
    return None if found is None else found[1]


def read_all(folder: str, after: int = 0) -> Machine[tuple[tuple[int, bytes], ...]]:
    """Returns the objects behind number *after* with their numbers, in order.

    Numbers are as they are stored: a caller that proves a chain looks for gaps itself.
    """
    numbers = yield from numbers_in(folder, after=after)
    found: list[tuple[int, bytes]] = []
    for number in numbers:
        one = yield from _at(folder, number)
        if one is not None:
            found.append(one)
    return tuple(found)


def numbers_in(folder: str, after: int = 0) -> Machine[tuple[int, ...]]:
    """Returns the numbers behind *after* that are taken, in order; what else is there is left out."""
    behind = numbered_key(folder, after) if after else ""
    keys = yield from list_keys(f"{folder.removesuffix('/')}/", after=behind)
    numbers = (number_of(folder, key) for key in keys)
    return tuple(number for number in numbers if number is not None and number > after)


def _write(folder: str, number: int, data: bytes, nonce_of: NonceOf | None) -> Machine[Appended]:
    assert number >= 1, number
    key = numbered_key(folder, number)
    unknown = False
    for attempt in range(ATTEMPT_COUNT_MAX):
        try:
            if (yield from create(key, data)):
                return Won(number=number)
        except UnavailableError:
            unknown = True
            found = yield from read(key)
            if found is None and attempt == ATTEMPT_COUNT_MAX - 1:
                raise
        else:
            found = yield from read(key)
        if found is not None:
            mine = _same_writer(found.data, data, nonce_of=nonce_of, unknown=unknown)
            return Won(number=number) if mine else Lost(number=number, data=found.data)
    msg = f"{key} exists and cannot be read"
    raise UnavailableError(msg)


def _same_writer(found: bytes, mine: bytes, *, nonce_of: NonceOf | None, unknown: bool) -> bool:
    if nonce_of is None:
        return unknown and found == mine
    nonce = nonce_of(found)
    return nonce is not None and nonce == nonce_of(mine)


def _at(folder: str, number: int) -> Machine[tuple[int, bytes] | None]:
    found = yield from read(numbered_key(folder, number))
    return None if found is None else (number, found.data)


def _listed(folder: str, *, after: int) -> Machine[tuple[int, bytes] | None]:
    numbers = yield from numbers_in(folder, after=after)
    return (yield from _at(folder, numbers[-1])) if numbers else None

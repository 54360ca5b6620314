"""What happened in a simulation, line by line, and what of the product it reached."""

import hashlib
from collections import Counter
from collections.abc import Callable

import msgspec


class Trace:
    """The lines of one run."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.lines: list[str] = []
        self.faults: Counter[str] = Counter()
        """How often each class of fault struck."""
        self.transitions: Counter[str] = Counter()
        """How often each change of the stored state was seen."""

    def add(self, who: str, *what: object) -> None:
        """Writes a line."""
        said = " ".join(str(part) for part in what)
        self.lines.append(f"{self._now():.6f} {who} {said}")

    def fault(self, kind: str, who: str, *what: object) -> None:
        """Writes a line about a fault and counts it."""
        self.faults[kind] += 1
        self.add(who, "!", kind, *what)

    @property
    def text(self) -> bytes:
        """All of it."""
        return "\n".join(self.lines).encode() + b"\n"

    @property
    def digest(self) -> str:
        """SHA-256 of all of it."""
        return hashlib.sha256(self.text).hexdigest()


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of stored records that say where something went."""

    kind: str | None = None
    status: str | None = None
    decision: str | None = None
    released: bool | None = None


_DECODER = msgspec.json.Decoder(_Seen)


def transition_of(operation: str, key: str, data: bytes) -> str | None:
    """Returns the change of state that a write is, in words; None where it is only a copy."""
    folder, _, name = key.rpartition("/")
    if operation == "delete":
        return f"delete {_folder(folder)}" if folder.startswith("__cluster") else None
    if operation == "replace":
        if not name.endswith(".beat.json"):
            return None
        return "lease released" if _seen(data).released else "lease beats"
    return _created(folder, name, data)


def _created(folder: str, name: str, data: bytes) -> str:
    seen = _seen(data)
    if folder == "__cluster/ledger":
        return f"ledger {seen.kind}"
    if folder.startswith("ops/"):
        return f"op {seen.status or name.partition('.')[0]}"
    if folder.startswith("__cluster/leases/"):
        return "lease forced" if name.endswith(".forced.json") else "lease taken"
    if folder.startswith("__cluster/audit"):
        return f"audit {seen.decision}"
    if folder.startswith("__cluster/approvals"):
        what = name.removesuffix(".json").partition(".")[2] or "decision"
        return f"approval {seen.decision or what}"
    return f"create {_folder(folder)}"


def _folder(folder: str) -> str:
    parts = folder.split("/")
    return parts[0] if parts[0] == "sandboxes" else "/".join(parts[:2])


def _seen(data: bytes) -> _Seen:
    try:
        return _DECODER.decode(data)
    except msgspec.DecodeError:
        return _Seen()

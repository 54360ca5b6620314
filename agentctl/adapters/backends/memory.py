"""An object store in this process's memory: for tests, demos of one process, and dry runs."""

from datetime import datetime

from anyio.lowlevel import checkpoint

from agentctl.domain.storage.keys import is_key, is_prefix
from agentctl.domain.storage.protocol import StoredObject


class MemoryStore:
    """Objects in a dict. Two stores are two connections where they share *objects*.

    Each call yields to the event loop once before it acts, so that concurrent callers interleave.
    """

    def __init__(self, *, name: str = "store", objects: dict[str, bytes] | None = None) -> None:
        self._name = name
        self.objects: dict[str, bytes] = {} if objects is None else objects

    @property
    def uri(self) -> str:
        """``memory://<name>``; nothing but this process can open it."""
        return f"memory://{self._name}"

    def connect(self) -> "MemoryStore":
        """Returns another connection to the same objects."""
        return MemoryStore(name=self._name, objects=self.objects)

    async def read(self, key: str) -> StoredObject | None:
        """Returns the object, or None where there is none."""
        assert is_key(key), key
        await checkpoint()
        data = self.objects.get(key)
        return None if data is None else StoredObject(key=key, data=data)

    async def create(self, key: str, data: bytes) -> bool:
        """Writes the object if there is none; returns whether this call did."""
        assert is_key(key), key
        await checkpoint()
        if key in self.objects:
            return False
        self.objects[key] = data
        return True

    async def replace(self, key: str, data: bytes) -> None:
        """Writes the object, over what is there."""
        assert is_key(key), key
        await checkpoint()
        self.objects[key] = data

    async def delete(self, key: str) -> None:
        """Removes the object; one that is not there is no error."""
        assert is_key(key), key
        await checkpoint()
        self.objects.pop(key, None)

    async def list(self, prefix: str, *, after: str = "") -> tuple[str, ...]:
        """Returns the keys that begin with *prefix* and sort behind *after*, in order of bytes."""
        assert is_prefix(prefix), prefix
        await checkpoint()
        found = (key for key in self.objects if key.startswith(prefix))
        behind = after.encode()
        return tuple(sorted((k for k in found if k.encode() > behind), key=str.encode))

    async def folders(self, prefix: str) -> tuple[str, ...]:
        """Returns the names of what lies right below *prefix* and has keys below it, in order."""
        keys = await self.list(prefix)
        rests = (key.removeprefix(prefix).partition("/") for key in keys)
        return tuple(sorted({name for name, slash, _ in rests if slash}, key=str.encode))

    async def size_bytes(self, prefix: str) -> int:
        """Returns the sum of the sizes of the objects whose keys begin with *prefix*."""
        return sum(len(self.objects[key]) for key in await self.list(prefix))

    async def clock(self) -> datetime | None:
        """Returns None: memory has no clock of its own."""
        return None

    async def aclose(self) -> None:
        """Does nothing: there is no connection."""

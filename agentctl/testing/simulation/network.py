"""What lies between processes and their storage: latency, outages, and answers that get lost.

A call is a request that travels, an effect at the storage, and an answer that travels back. Each
part may fail for itself: so a write whose answer is lost has happened, one that is late happens after
its caller has been told that nothing is known, and one of a process that died may still arrive.
"""

import asyncio
import hashlib
import inspect
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from datetime import datetime, timedelta
from typing import Any, Final, cast

import msgspec

from agentctl.domain.storage.protocol import StoredObject, UnavailableError
from agentctl.graph.port import GraphPort
from agentctl.testing.clock import START
from agentctl.testing.graphs import MemoryGraphs
from agentctl.testing.simulation.machines import Process
from agentctl.testing.simulation.trace import Trace, transition_of

_READS: Final = frozenset(
    {"read", "list", "clock", "size_bytes", "observe", "roots", "history", "run", "peek"}
)
_STALLS_S: Final = (2.0, 60.0)
_READ_ATTEMPTS: Final = 10.0


class Weather(msgspec.Struct, frozen=True, kw_only=True):
    """How often a call fails, and how."""

    latency_s: tuple[float, float] = (0.002, 0.04)
    """Of each way."""
    lost: float = 0.0
    """The effect happens, its answer does not arrive."""
    refused: float = 0.0
    """The storage answers that it is not available; nothing happens."""
    late: float = 0.0
    """The caller gives up; the effect happens afterwards."""
    stalled: float = 0.0
    """The answer comes after a long time."""


class Network:
    """Everybody's way to one storage."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, rng: random.Random, weather: Weather, trace: Trace
    ) -> None:
        self.loop = loop
        self.weather = weather
        self.trace = trace
        self.out_until = 0.0
        """Until when nothing answers."""
        self._rng = rng

    def latency(self) -> float:
        """Returns how long one way takes now."""
        return self._rng.uniform(*self.weather.latency_s)

    async def call(
        self, process: Process, name: str, label: str, effect: Callable[[], object]
    ) -> object:
        """Returns what *effect* returns, performed at the storage for *process*."""
        process.require_alive()
        answer: asyncio.Future[object] = self.loop.create_future()
        fault = self._fault(name)
        if fault is not None:
            self.trace.fault(fault, process.name, name, label)
        if fault == "late":
            self._reply(answer, UnavailableError(f"no answer to {name} {label}"))
        call = _Call(process=process, name=name, label=label, effect=effect)
        delay = self.latency() + (self._rng.uniform(1, 40) if fault == "late" else 0.0)
        self.loop.call_later(delay, self._arrive, call, answer, fault)
        return await process.wait(answer)

    def _fault(self, name: str) -> str | None:
        """A store tries a read again by itself, so few of them fail."""
        drawn, weather = self._rng.random(), self.weather
        if name in _READS:
            drawn *= _READ_ATTEMPTS
        for kind, chance in (
            ("refused", weather.refused),
            ("lost", weather.lost),
            ("stalled", weather.stalled),
            ("late", weather.late),
        ):
            if drawn < chance:
                return None if kind == "late" and name in _READS else kind
            drawn -= chance
        return None

    def _arrive(self, call: "_Call", answer: "asyncio.Future[object]", fault: str | None) -> None:
        who = call.process.name
        if self.loop.time() < self.out_until or fault == "refused":
            self._reply(answer, UnavailableError(f"no answer to {call.name} {call.label}"))
            self.trace.add(who, call.name, call.label, "-> unavailable")
            return
        if call.process.dead and self._rng.random() < 0.5:
            self.trace.fault("died before the request left", who, call.name, call.label)
            return
        if call.process.dead:
            self.trace.fault("request of a dead process arrives", who, call.name, call.label)
        result: object
        try:
            result = call.effect()
            said = _digest(result)
        except Exception as failure:  # noqa: BLE001  # handed to the caller, as it is
            result, said = failure, type(failure).__name__
        self.trace.add(who, call.name, call.label, "->", said)
        if fault == "lost" and not isinstance(result, Exception):
            result = UnavailableError(f"the answer to {call.name} {call.label} was lost")
        self._reply(answer, result, stalled=fault == "stalled")

    def _reply(
        self, answer: "asyncio.Future[object]", result: object, *, stalled: bool = False
    ) -> None:
        delay = self.latency() + (self._rng.uniform(*_STALLS_S) if stalled else 0.0)
        self.loop.call_later(delay, _answer, answer, result)


class _Call(msgspec.Struct, frozen=True, kw_only=True):
    process: Any
    name: str
    label: str
    effect: Callable[[], object]


class SimulatedStore:
    """An `ObjectStore` as one process sees it over the network."""

    def __init__(
        self,
        network: Network,
        process: Process,
        objects: dict[str, bytes],
        *,
        name: str = "simulated",
        has_clock: bool = False,
    ) -> None:
        self._network = network
        self._process = process
        self._objects = objects
        self._name = name
        self._has_clock = has_clock

    @property
    def uri(self) -> str:
        """``memory://<name>``."""
        return f"memory://{self._name}"

    async def read(self, key: str) -> StoredObject | None:
        """Returns the object, or None where there is none."""

        def effect() -> StoredObject | None:
            data = self._objects.get(key)
            return None if data is None else StoredObject(key=key, data=data)

        return cast("StoredObject | None", await self._call("read", key, effect))

    async def create(self, key: str, data: bytes) -> bool:
        """Writes the object if there is none; returns whether this call did."""

        def effect() -> bool:
            if key in self._objects:
                return False
            self._objects[key] = data
            self._count("create", key, data)
            return True

        return bool(await self._call("create", key, effect))

    async def replace(self, key: str, data: bytes) -> None:
        """Writes the object, over what is there."""

        def effect() -> str:
            self._objects[key] = data
            self._count("replace", key, data)
            return hashlib.sha256(data).hexdigest()[:12]

        await self._call("replace", key, effect)

    async def delete(self, key: str) -> None:
        """Removes the object; one that is not there is no error."""

        def effect() -> bool:
            if self._objects.pop(key, None) is None:
                return False
            self._count("delete", key, b"")
            return True

        await self._call("delete", key, effect)

    async def list(self, prefix: str, *, after: str = "") -> tuple[str, ...]:
        """Returns the keys that begin with *prefix* and sort behind *after*, in order of bytes."""

        def effect() -> tuple[str, ...]:
            found = (k for k in self._objects if k.startswith(prefix) and k > after)
            return tuple(sorted(found))  # by code points, which is by bytes of UTF-8

        found = await self._call("list", prefix, effect)
        return tuple(str(key) for key in cast("Iterable[object]", found))

    async def folders(self, prefix: str) -> tuple[str, ...]:
        """Returns the names of what lies right below *prefix* and has keys below it, in order."""
        rests = (key.removeprefix(prefix).partition("/") for key in await self.list(prefix))
        return tuple(sorted({name for name, slash, _ in rests if slash}, key=str.encode))

    async def size_bytes(self, prefix: str) -> int:
        """Returns the sum of the sizes of the objects whose keys begin with *prefix*."""

        def effect() -> int:
            return sum(len(data) for key, data in self._objects.items() if key.startswith(prefix))

        return cast("int", await self._call("size_bytes", prefix, effect))

    async def clock(self) -> datetime | None:
        """Returns the storage's own time, where it tells one."""
        if not self._has_clock:
            return None
        loop = self._network.loop
        told = await self._call("clock", "", lambda: START + timedelta(seconds=loop.time()))
        return cast("datetime", told)

    async def aclose(self) -> None:
        """Does nothing: there is no connection."""

    async def _call(self, name: str, key: str, effect: Callable[[], object]) -> object:
        return await self._network.call(self._process, name, key, effect)

    def _count(self, operation: str, key: str, data: bytes) -> None:
        told = transition_of(operation, key, data)
        if told is not None:
            self._network.trace.transitions[told] += 1


class _DistantGraphs:
    """Every method of a `GraphPort` over the network; a method that is added later works as well."""

    def __init__(self, network: Network, process: Process, inner: MemoryGraphs) -> None:
        self._network = network
        self._process = process
        self._inner = inner

    def __getattr__(self, name: str) -> object:
        method = getattr(self._inner, name)
        if not inspect.iscoroutinefunction(method):
            return method

        async def distant(*args: Any, **more: Any) -> object:  # noqa: ANN401  # any method's
            label = str(args[0]) if args else ""
            here = [await _gathered(argument) for argument in args]

            def effect() -> object:
                result = _run_now(method(*here, **more))
                if name not in _READS:
                    self._network.trace.transitions[f"graph {name}"] += 1
                return result

            return await self._network.call(self._process, name, label, effect)

        return distant


def distant_graphs(network: Network, process: Process, inner: MemoryGraphs) -> GraphPort:
    """Returns *inner* as *process* sees it: each call takes time, and may fail on either way."""
    return cast("GraphPort", _DistantGraphs(network, process, inner))


async def _gathered(argument: object) -> object:
    """Returns an argument as it travels: what comes in over time is read by the process first."""
    if isinstance(argument, AsyncIterator):
        return _at_hand([item async for item in argument])
    return argument


async def _at_hand(items: list[object]) -> AsyncIterator[object]:
    """Yields what has come in: nothing of it is waited for, nor read in a thread."""
    for item in items:
        yield item


def _run_now(coroutine: Coroutine[Any, Any, object]) -> object:
    """Returns what a coroutine returns that waits for nothing: at the storage it is one moment."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    msg = "a graph in memory waits for nothing"
    raise AssertionError(msg)


def _answer(future: "asyncio.Future[object]", result: object) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)


def _digest(result: object) -> str:
    if isinstance(result, StoredObject):
        return hashlib.sha256(result.data).hexdigest()[:12]
    if result is None or isinstance(result, bool | int | str):
        return str(result)
    return hashlib.sha256(msgspec.json.encode(result)).hexdigest()[:12]

"""Rows of a sandbox that are to come home."""

from typing import Any

from tests.sandboxes.publish.publish_rig import Publisher

ROW = '{"type": "Package", "data": {"name": "c"}}'
OTHER = '{"type": "Package", "data": {"name": "a", "version": "%s"}}'


async def with_a_row(at: Publisher) -> str:
    """Returns a sandbox with one row more."""
    box = (await at.must("sandbox_open", by=at.bench.sarah)).sandbox
    await at.must("sandbox_write", by=at.bench.sarah, in_=box, graph="supply", rows=ROW)
    return str(box)


def home(box: str, **more: object) -> dict[str, Any]:
    """Returns the arguments of a merge."""
    return {"in_": box, "graph": "supply", "intent": "they are good", **more}

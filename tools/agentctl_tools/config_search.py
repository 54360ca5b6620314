"""`config_search`: where a text stands in the files of the folder, or of a draft over it."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Final

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.foreign import Foreign, show
from agentctl_tools.envelopes import count, done, failed
from agentctl_tools.fields import PAGE_ROWS, In, Limit, Offset
from agentctl_tools.operation import Call, Envelope, Next, Operation
from agentctl_tools.targets import loaded_of, resource_of, target_of

LINE_CELLS_MAX: Final = 200


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `config_search` takes."""

    text: Annotated[
        str,
        msgspec.Meta(
            description="Looked for as it is, upper or lower case.", min_length=1, max_length=200
        ),
    ]
    within: In = msgspec.field(default="cluster", name="in")
    limit: Limit = PAGE_ROWS
    offset: Offset = 0


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One line that holds the text."""

    path: str
    line: int
    """From 1."""
    text: str
    """Foreign; bounded, and harmless to show."""


class SearchResult(msgspec.Struct, frozen=True, kw_only=True):
    """The lines found, by path and line."""

    found: tuple[Found, ...]
    total: int


async def _handle(call: Call) -> Envelope:
    given = call.arguments
    loaded = await loaded_of(call.cluster, call.caller, target_of(given.within))
    if isinstance(loaded, Diagnostic):
        return failed((loaded,))
    if not loaded.files:
        return failed(loaded.diagnostics)
    found = tuple(_lines(loaded.files, given.text))
    page = found[given.offset : given.offset + given.limit]
    end = given.offset + len(page)
    rest = {"text": given.text, "in": given.within, "limit": given.limit, "offset": end}
    following = Next(tool="config_search", arguments=rest, why="The rest of the lines.")
    return done(
        f"{count(len(found), 'line')}.",
        data=SearchResult(found=page, total=len(found)),
        next_calls=(following,) if end < len(found) else (),
    )


def _lines(files: Mapping[str, bytes], text: str) -> Iterator[Found]:
    wanted = text.casefold()
    for path in sorted(files):
        lines = files[path].decode("utf-8", "replace").split("\n")
        for number, line in enumerate(lines, start=1):
            if wanted in line.casefold():
                shown = show(Foreign(line.rstrip("\r")), limit=LINE_CELLS_MAX)
                yield Found(path=path, line=number, text=shown)


OPERATION = Operation(
    name="config_search",
    operation_class="read",
    action="config_read",
    arguments=Arguments,
    handler=_handle,
    describe="Look. Finds the lines of the configuration that hold a text.",
    resource=lambda given: resource_of(given.within),
    result=SearchResult,
    inside=True,
    mcp_tool="config_search",
    idempotent=True,
)

"""Whatever arguments a model makes up, a tool answers with an envelope and never with an exception."""

import tempfile
from pathlib import Path

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp import Client

from agentctl.faces.mcp_server.projection import TOOLSETS, tool_list
from agentctl.faces.mcp_server.server import make_server
from agentctl.testing.builders import Bench, folder_files
from agentctl.testing.consent import caller
from agentctl_tools.entrance import Entrance

AGENT = caller("agent:sarah", "agent", "mcp", on_behalf_of="sarah")
TOOLS = {t.name: sorted(t.input_schema["properties"]) for t in tool_list(frozenset(TOOLSETS))}
WORDS = (
    "cluster",
    "draft:x",
    "../../etc/passwd",
    "graph.supply",
    "supply.all_packages",
    "query.supply.all_packages",
    "supply",
    "0" * 64,
    "\x1b]52;c;eA==\x07",
    "\u202e",
    "",
    " ",
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(WORDS)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, dict[str, object]]:
    name = draw(st.sampled_from(sorted(TOOLS)))
    known = st.sampled_from(TOOLS[name] or ["x"])
    arguments: dict[str, object] = draw(
        st.dictionaries(known | st.text(max_size=6), values, max_size=6)
    )
    if name == "approval_wait":
        arguments["timeout_s"] = 0
    return name, arguments


async def answered(made: list[tuple[str, dict[str, object]]]) -> list[dict[str, object]]:
    with tempfile.TemporaryDirectory() as place:
        bench = Bench(Path(place))
        cluster = await bench.begun(folder_files("supply"))

        server = make_server(Entrance(cluster, AGENT), toolsets=frozenset(TOOLSETS))
        async with Client(server, raise_exceptions=True) as client:
            results = [await client.call_tool(name, arguments) for name, arguments in made]
        return [dict(r.structured_content or {}) for r in results]


@settings(deadline=None, max_examples=40)
@given(st.lists(calls(), min_size=1, max_size=12))
def test_a_tool_always_answers_with_an_envelope(made: list[tuple[str, dict[str, object]]]) -> None:
    for envelope in anyio.run(answered, made):
        assert set(envelope) == {"ok", "summary", "next", "data", "diagnostics", "more"}
        assert envelope["ok"] or envelope["diagnostics"]
        codes = [d["code"] for d in envelope["diagnostics"]]  # type: ignore[attr-defined]  # a list
        assert "internal_error" not in codes

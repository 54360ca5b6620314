"""Whatever an operation answers, a tool's result stays small and says that it was cut."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from agentctl.diagnostics.diagnostic import error
from agentctl.faces.mcp_server.narrow import RESULT_BYTES_MAX, result_of
from agentctl_tools.operation import Envelope, Next

texts = st.text(max_size=40) | st.text(alphabet="x\u202e\\", min_size=2_000, max_size=6_000)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: (
        st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=9), inner, max_size=8)
    ),
    max_leaves=40,
)


@given(json_values, st.integers(0, 400), st.integers(0, 9))
def test_a_result_never_passes_the_bound(data: object, wrong: int, calls: int) -> None:
    diagnostics = tuple(
        error("query_typecheck_error", f"query.g.q{n}", "x" * 100) for n in range(wrong)
    )
    follow = tuple(
        Next(tool="plan", arguments={"in": "d" * 900}, why="y" * 900) for _ in range(calls)
    )
    envelope = Envelope(ok=False, summary="s", data=data, diagnostics=diagnostics, next=follow)

    result = result_of(envelope, operation="queries", arguments={})

    assert len(msgspec.json.encode(result)) <= RESULT_BYTES_MAX
    whole = msgspec.json.decode(msgspec.json.encode(envelope))
    assert result == whole or result["data"]["cut"] is True


@given(json_values)
def test_a_result_that_fits_is_not_touched(data: object) -> None:
    envelope = Envelope(ok=True, summary="s", data=data)
    whole = msgspec.json.decode(msgspec.json.encode(envelope))

    result = result_of(envelope, operation="queries", arguments={})

    if len(msgspec.json.encode(whole)) <= RESULT_BYTES_MAX:
        assert result == whole


def test_what_was_cut_says_how_much_there_was() -> None:
    rows = [{"name": f"row {n}"} for n in range(5_000)]

    result = result_of(
        Envelope(ok=True, summary="s", data={"rows": rows}),
        operation="run_query",
        arguments={"query": "supply.all", "params": {"a": 1}},
    )

    assert result["data"]["rows_total"] == 5_000
    assert result["data"]["rows"] == rows[: len(result["data"]["rows"])]
    assert result["more"] == "agentctl://rows/supply.all/%7B%22a%22%3A1%7D"

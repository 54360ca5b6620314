"""The checker of histories: what some order of moments explains passes, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.testing.histories import Operation, Result, unexplained


def read(begins: float, ends: float, length: int, value: str | None) -> Operation:
    return Operation(writer=0, kind="read", begins=begins, ends=ends, length=length, value=value)


def write(
    begins: float, ends: float, expected: int, value: str, result: Result = "ok"
) -> Operation:
    return Operation(
        writer=0,
        kind="write",
        begins=begins,
        ends=ends,
        length=expected,
        value=value,
        result=result,
    )


GOOD: dict[str, list[Operation]] = {
    "nothing": [],
    "one after another": [write(0, 1, 0, "a"), read(2, 3, 1, "a"), write(4, 5, 1, "b")],
    "one of two wins": [write(0, 2, 0, "a"), write(1, 3, 0, "b", "failed"), read(4, 5, 1, "a")],
    "told in another order than it happened": [write(0, 9, 1, "b"), write(1, 8, 0, "a")],
    "unknown, and it happened": [write(0, 1, 0, "a", "unknown"), read(2, 3, 1, "a")],
    "unknown, and it did not happen": [write(0, 1, 0, "a", "unknown"), read(2, 3, 0, None)],
    "unknown, and it happened late": [
        write(0, 1, 0, "a", "unknown"),
        read(2, 3, 0, None),
        read(4, 5, 1, "a"),
    ],
    "refused, so it has no place": [write(0, 1, 5, "a", "refused"), read(2, 3, 0, None)],
}
BAD: dict[str, list[Operation]] = {
    "two writers won the same number": [write(0, 2, 0, "a"), write(1, 3, 0, "b")],
    "an update is lost": [write(0, 1, 0, "a"), write(2, 3, 1, "b"), read(4, 5, 1, "a")],
    "a read is older than a write that had ended": [write(0, 1, 0, "a"), read(2, 3, 0, None)],
    "a read of what nobody wrote": [write(0, 1, 0, "a"), read(2, 3, 1, "z")],
    "a read goes back": [write(0, 9, 0, "a"), read(1, 2, 1, "a"), read(3, 4, 0, None)],
    "a write failed and nobody was in its way": [write(0, 1, 0, "a", "failed")],
    "a write failed and is there": [write(0, 1, 0, "a", "failed"), read(2, 3, 1, "a")],
    "a write was refused and is there": [write(0, 1, 0, "a", "refused"), read(2, 3, 1, "a")],
    "a write expects what never was": [write(0, 1, 3, "a")],
    "an unknown write happened and is gone": [
        write(0, 1, 0, "a", "unknown"),
        read(2, 3, 1, "a"),
        read(4, 5, 0, None),
    ],
    "an unknown write happened twice": [
        write(0, 1, 0, "a", "unknown"),
        write(2, 3, 1, "b"),
        read(4, 5, 3, "a"),
    ],
    "a paused writer replaced the log": [
        read(0, 1, 0, None),
        write(2, 3, 0, "new"),
        write(4, 5, 0, "old"),
        read(6, 7, 1, "old"),
    ],
}


@pytest.mark.parametrize("name", GOOD)
def test_a_history_that_some_order_explains_passes(name: str) -> None:
    assert unexplained(GOOD[name]) is None


@pytest.mark.parametrize("name", BAD)
def test_a_history_that_no_order_explains_is_told(name: str) -> None:
    told = unexplained(BAD[name])

    assert told is not None
    assert "none of these can be next" in told


Step = tuple[str, float, float]
steps = st.lists(
    st.tuples(
        st.sampled_from(["read", "write", "behind", "unknown"]),
        st.floats(0, 3, allow_nan=False),
        st.floats(0, 3, allow_nan=False),
    ),
    max_size=14,
)


def history_of(planned: list[Step]) -> list[Operation]:
    """What writers would be told who act at moments 0, 1, 2 …, each call lasting around its moment."""
    told: list[Operation] = []
    length, value = 0, None
    for moment, (kind, early, late) in enumerate(planned):
        begins, ends, name = moment - early, moment + late, f"v{moment}"
        if kind == "read":
            told.append(read(begins, ends, length, value))
        elif kind == "behind":
            told.append(write(begins, ends, length + 1, name, "failed"))
        else:
            told.append(write(begins, ends, length, name, "ok" if kind == "write" else "unknown"))
            length, value = length + 1, name
    return told


@given(steps)
def test_whatever_really_happened_in_some_order_passes(planned: list[Step]) -> None:
    assert unexplained(history_of(planned)) is None


@given(steps)
def test_a_write_that_two_were_told_to_have_won_never_passes(planned: list[Step]) -> None:
    history = history_of(planned)
    twice = [write(o.begins, o.ends, o.length, "other") for o in history if _won(o)][:1]

    assert not twice or unexplained([*history, *twice]) is not None


def _won(operation: Operation) -> bool:
    return operation.kind == "write" and operation.result == "ok"

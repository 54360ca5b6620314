"""Ids of a schema's types and properties ascend, whatever the clock and chance give."""

from agentctl.ids import ascending, is_ulid, ulid


def test_an_id_that_would_not_ascend_is_the_one_after_the_last() -> None:
    """Source: the ULID specification, monotonicity."""
    given = iter(
        [ulid(5, b"\xff" * 10), ulid(5, bytes(10)), ulid(4, bytes(10)), ulid(7, bytes(10))]
    )
    mint = ascending(lambda: next(given))

    made = [mint() for _ in range(4)]

    assert made == [
        ulid(5, b"\xff" * 10),
        ulid(6, bytes(10)),
        ulid(6, bytes(9) + b"\x01"),
        ulid(7, bytes(10)),
    ]
    assert made == sorted(made)
    assert all(map(is_ulid, made))

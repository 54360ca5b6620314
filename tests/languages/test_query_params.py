"""Arguments of stored queries: strict, complete, and never guessed."""

import math
from collections.abc import Mapping

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.languages.query.params import BoundParams, bind_params
from agentctl.languages.query.plan import CheckedQuery, Param
from agentctl.languages.schema.temporal import (
    DATE_DAYS_MAX,
    DATE_DAYS_MIN,
    DATETIME_MS_MAX,
    DATETIME_MS_MIN,
    format_date,
    format_datetime,
    parse_date,
    parse_datetime,
)
from agentctl.languages.schema.types import PropertyType, Scalar


def bound(given_: Mapping[str, object], **types: PropertyType) -> BoundParams:
    params = tuple(Param(name=n, type=t) for n, t in types.items())
    query = CheckedQuery(name="q", params=params)
    return bind_params(query, given_, path="query.g.q")


def one(scalar: Scalar, value: object) -> object:
    """The bound value, or the code of the diagnostic."""
    result = bound({"x": value}, x=PropertyType(scalar=scalar))
    return result.diagnostics[0].code if result.diagnostics else result.values["x"]


def test_values_of_every_type_are_bound() -> None:
    assert one(Scalar.STRING, "x") == "x"
    assert one(Scalar.BOOL, value=False) is False
    assert one(Scalar.I32, -(2**31)) == -(2**31)
    assert one(Scalar.I64, "-9223372036854775808") == -(2**63)
    assert one(Scalar.U64, str(2**64 - 1)) == 2**64 - 1
    assert one(Scalar.F32, 1) == 1.0
    assert one(Scalar.F64, -1.5e300) == -1.5e300
    assert one(Scalar.DATE, "1970-01-02") == 1
    assert one(Scalar.DATETIME, "1970-01-01T01:00:00.5+01:00") == 500


def test_values_that_do_not_fit_are_refused() -> None:
    refused: list[tuple[Scalar, object]] = [
        (Scalar.STRING, 3),
        (Scalar.STRING, None),
        (Scalar.STRING, "\ud800"),
        (Scalar.BOOL, 1),
        (Scalar.BOOL, "true"),
        (Scalar.I32, 2**31),
        (Scalar.I32, 1.0),
        (Scalar.I32, True),
        (Scalar.I32, "1e3"),
        (Scalar.I32, " 1"),
        (Scalar.I32, "\u0663"),
        (Scalar.U32, -1),
        (Scalar.U64, 2**64),
        (Scalar.I64, "9" * 5000),
        (Scalar.F32, 1e39),
        (Scalar.F64, math.nan),
        (Scalar.F64, math.inf),
        (Scalar.F64, 10**400),
        (Scalar.F64, "1.5"),
        (Scalar.DATE, "2026-02-30"),
        (Scalar.DATE, 3),
        (Scalar.DATETIME, "2026-11-21"),
        (Scalar.DATETIME, "0001-01-01T00:00:00+14:00"),
    ]
    for scalar, value in refused:
        assert one(scalar, value) == "param_invalid", (scalar, value)


def test_null_and_silence_are_for_nullable_parameters_only() -> None:
    nullable = PropertyType(scalar=Scalar.I32, nullable=True)

    assert bound({}, x=nullable).values == {"x": None}
    assert bound({"x": None}, x=nullable).values == {"x": None}
    missing = bound({}, x=PropertyType(scalar=Scalar.I32))
    assert [(d.code, d.path) for d in missing.diagnostics] == [("param_missing", "query.g.q")]


def test_lists_and_vectors_are_tuples_of_their_members() -> None:
    days = PropertyType(scalar=Scalar.DATE, list=True)
    vector = PropertyType(scalar=Scalar.F32, vector_dim=3)
    blob = PropertyType(scalar=Scalar.BLOB)
    result = bound(
        {"d": ["1970-01-02", "1970-01-01"], "v": [1, 0.5, -2], "b": "base64:AA==", "e": []},
        d=days,
        v=vector,
        b=blob,
        e=PropertyType(scalar=Scalar.U64, list=True, nullable=True),
    )

    assert result.diagnostics == ()
    assert result.values == {"d": (1, 0), "v": (1.0, 0.5, -2.0), "b": "base64:AA==", "e": ()}
    assert bound({}, v=msgspec.structs.replace(vector, nullable=True)).values == {"v": None}


def test_what_is_wrong_with_a_list_is_said_by_its_place() -> None:
    numbers = PropertyType(scalar=Scalar.I32, list=True)
    vector = PropertyType(scalar=Scalar.F32, vector_dim=2)
    cases: list[tuple[PropertyType, object, str]] = [
        (numbers, 3, "the value given is not"),
        (numbers, "3", "the value given is not"),
        (numbers, [1, "x"], "the value given, in its member 2, is not"),
        (numbers, [None], "the value given, in its member 1, is not"),
        (numbers, [[1]], "the value given, in its member 1, is not"),
        (vector, [1.0], "a list of 1 members is not"),
        (vector, [1.0, math.nan], "the value given, in its member 2, is not"),
        (vector, [1.0, 1e39], "the value given, in its member 2, is not"),
        (PropertyType(scalar=Scalar.BLOB), 3, "the value given is not"),
    ]
    for type_, value, ending in cases:
        (found,) = bound({"x": value}, x=type_).diagnostics
        assert found.message == f"the parameter `x` is {type_}, and {ending}"
    (found,) = bound({"x": 3}, x=numbers).diagnostics
    assert found.remedy == ("Give a list, each member an integer from -2147483648 to 2147483647.")


def test_an_undeclared_parameter_is_refused_with_the_nearest_name() -> None:
    result = bound({"name": "a", "nmae": "b"}, name=PropertyType(scalar=Scalar.STRING))

    assert [(d.code, d.remedy) for d in result.diagnostics] == [
        ("param_unknown", "Did you mean `name`?")
    ]


def test_times_without_an_offset_are_utc_and_cut_below_the_millisecond() -> None:
    assert parse_datetime("1970-01-01T00:00:00.0019999") == 1
    assert parse_datetime("1970-01-01 00:01Z") == 60_000
    assert parse_datetime("1969-12-31T23:59:59.999Z") == -1
    assert parse_datetime("1970-01-01T24:00:00Z") is None


@settings(deadline=None)
@given(st.integers(DATE_DAYS_MIN, DATE_DAYS_MAX))
def test_days_are_written_as_they_are_read(days: int) -> None:
    assert parse_date(format_date(days)) == days


@settings(deadline=None)
@given(st.integers(DATETIME_MS_MIN, DATETIME_MS_MAX))
def test_times_are_written_as_they_are_read(milliseconds: int) -> None:
    text = format_datetime(milliseconds)

    assert len(text) == 24
    assert parse_datetime(text) == milliseconds


VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())


@settings(deadline=None)
@given(
    scalar=st.sampled_from(list(Scalar)),
    value=st.one_of(VALUES, st.lists(VALUES), st.dictionaries(st.text(), VALUES)),
    listed=st.booleans(),
    dim=st.none() | st.integers(1, 3),
)
def test_no_value_makes_binding_fail(
    scalar: Scalar, value: object, *, listed: bool, dim: int | None
) -> None:
    type_ = PropertyType(scalar=scalar, list=listed)
    if dim is not None:
        type_ = PropertyType(scalar=Scalar.F32, vector_dim=dim)
    result = bound({"x": value}, x=type_)

    assert bool(result.diagnostics) != ("x" in result.values)

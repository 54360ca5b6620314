"""Schedules and spans of time as cluster.yaml writes them."""

import pytest

from agentctl.domain.config.cron import Schedule, ScheduleFault, parse_schedule
from agentctl.domain.config.durations import duration_s


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0), ("90s", 90), ("30m", 1800), ("24h", 86_400), ("7d", 604_800), ("2w", 1_209_600),
        ("1d12h", None), ("1.5h", None), ("-1d", None), ("7", None), ("", None), ("7 d", None),
        ("7D", None), ("99999d", None), ("\u0667d", None),
    ],
)  # fmt: skip
def test_a_span_of_time_is_a_number_and_a_unit(text: str, seconds: int | None) -> None:
    assert duration_s(text) == seconds


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("0 3 * * *", "0 3 * * *"),
        ("  */15   0-6/2  1,15  JAN-mar  Mon-FRI ", "*/15 0-6/2 1,15 jan-mar mon-fri"),
        ("0 0 29 2 *", "0 0 29 2 *"),
        ("0 0 31 * 0", "0 0 31 * 0"),
        ("5/10 * * * 7", "5/10 * * * 7"),
        ("@daily", "0 0 * * *"),
        ("@Hourly", "0 * * * *"),
    ],
)
def test_a_schedule_has_one_spelling(text: str, spelled: str) -> None:
    assert parse_schedule(text) == Schedule(text=spelled)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a schedule has 5 fields (minute hour day month weekday), not 0"),
        ("* * * *", "a schedule has 5 fields (minute hour day month weekday), not 4"),
        ("60 * * * *", "`60` is no minute, which is from 0 to 59"),
        ("* 24 * * *", "`24` is no hour, which is from 0 to 23"),
        ("* * 0 * *", "`0` is no day of the month, which is from 1 to 31"),
        ("* * * 13 *", "`13` is no month, which is from 1 to 12"),
        ("* * * * 8", "`8` is no day of the week, which is from 0 to 7"),
        ("5-1 * * * *", "`5-1` runs backwards"),
        ("*/0 * * * *", "the step `/0` of the minute is not from 1 to 59"),
        ("1,,2 * * * *", "`` is no minute"),
        ("*-5 * * * *", "`*-5` is no minute"),
        ("a * * * *", "`a` is no minute, which is from 0 to 59"),
        ("0 0 30 feb *", "no month that it names has such a day, so it is never due"),
        ("0 0 31 2,4,6 *", "no month that it names has such a day, so it is never due"),
        (
            "@noon",
            "the words are @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly",
        ),
    ],
)
def test_what_is_no_schedule_says_why(text: str, message: str) -> None:
    assert parse_schedule(text) == ScheduleFault(message=message)

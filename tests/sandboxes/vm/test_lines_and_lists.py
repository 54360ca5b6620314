"""What goes over the serial line and what a guest lists, as values. Nothing is started here."""

import base64
import json
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.adapters.runners.vm.frames import (
    AnswerReader,
    Ended,
    FrameError,
    answer_bytes_max,
    outcome,
    request,
    run_request,
)
from agentctl.adapters.runners.vm.listing import Listing, ListingError, difference, read_listing
from agentctl.domain.sandbox.difference import ChangeDiff
from agentctl.domain.sandbox.provider import CommandOrder

ORDER = CommandOrder(argv=("true",), timeout=timedelta(seconds=1.5), output_bytes_max=100)
IDS = st.text("0123456789abcdef", min_size=16, max_size=16)


def frame(body: bytes) -> bytes:
    return b"\nagentctl %d %s\n" % (len(body), body)


def fed(reader: AnswerReader, data: bytes, cuts: list[int]) -> list[bytes]:
    """What the reader found in *data*, given in pieces."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    pieces = [data[a:b] for a, b in pairwise(places)]
    return [found for piece in pieces if (found := reader.feed(piece)) is not None]


@given(st.binary(max_size=200), IDS, IDS, st.lists(st.integers(0, 10_000), max_size=8))
def test_the_answer_is_found_behind_any_rubbish_and_in_any_pieces(
    rubbish: bytes, mine: str, other: str, cuts: list[int]
) -> None:
    body = json.dumps({"id": mine, "protocol": 1}).encode()
    foreign = json.dumps({"id": f"{other}x", "protocol": 1}).encode()
    cut_short = frame(body)[:20]

    found = fed(
        AnswerReader(mine, bytes_max=4096),
        rubbish + frame(foreign) + cut_short + frame(body),
        cuts,
    )

    assert found == [body]


@pytest.mark.parametrize(
    "line",
    [
        b'agentctl 3 {"id":"a"}\n',
        b'agentctl 10 {"id":"b"}\n',
        b"agentctl 6 {nope}\n",
        b'agentctl 10{"id":"a"}\n',
        b'{"id":"a"}\n',
    ],
)
def test_what_is_no_answer_to_the_request_is_passed_over(line: bytes) -> None:
    assert AnswerReader("a", bytes_max=100).feed(line) is None


def test_an_answer_that_does_not_end_is_cut_off() -> None:
    reader = AnswerReader("a", bytes_max=100)
    assert reader.feed(b"agentctl 999999999 {" + b"x" * 80) is None

    with pytest.raises(FrameError):
        reader.feed(b"x")


@given(
    stdout=st.binary(max_size=300),
    stderr=st.binary(max_size=300),
    code=st.integers(0, 255),
    late=st.booleans(),
)
def test_an_outcome_never_holds_more_than_was_asked_for(
    stdout: bytes, stderr: bytes, code: int, *, late: bool
) -> None:
    ended = Ended(
        id="a",
        exit_code=code,
        timed_out=late,
        stdout=base64.b64encode(stdout).decode(),
        stderr=base64.b64encode(stderr).decode(),
        stdout_dropped=7,
        stderr_dropped=0,
    )

    told = outcome(ended, ORDER)

    assert (told.stdout, told.stderr) == (stdout[:100], stderr[:100])
    assert told.stdout_dropped - 7 + len(told.stdout) == len(stdout)
    assert told.stderr_dropped + len(told.stderr) == len(stderr)
    assert (told.exit_code, told.ending == "timed_out") == (124 if late else code, late)
    assert answer_bytes_max(ORDER) >= 2 * len(base64.b64encode(bytes(100)))


def test_output_that_is_not_in_base64_is_no_output() -> None:
    ended = Ended(
        id="a",
        exit_code=0,
        timed_out=False,
        stdout="?",
        stderr="",
        stdout_dropped=0,
        stderr_dropped=0,
    )

    with pytest.raises(FrameError):
        outcome(ended, ORDER)


def test_a_request_tells_how_many_bytes_follow_it() -> None:
    line, _, body = run_request("ab", ORDER, home="/work").partition(b"\n")
    words = line.split()

    assert words[:5] == [b"agentctl", b"run", b"ab", b"1.500", b"100"]
    assert int(words[5]) == int(words[6]) == len(body)
    assert request("hello", "ab") == b"agentctl hello ab\n"


PATHS = st.binary(min_size=1, max_size=20).filter(lambda path: b"\0" not in path)
ENTRIES = st.dictionaries(
    PATHS,
    st.tuples(st.sampled_from(["file", "link"]), st.sampled_from(["0", "1", "2"])),
    max_size=6,
)


def listed(entries: dict[bytes, tuple[str, str]]) -> bytes:
    """What the agent prints of these files."""
    lines = []
    for path, (kind, content) in entries.items():
        mode = b"81a4" if kind == "file" else b"a1ff"
        digest = content.encode() * 64
        if b"\n" in path or b"\\" in path:
            lines.append(b"odd %s %s %s" % (mode, digest, base64.b64encode(path)))
            continue
        lines.append(b"mode %s %s" % (mode, path))
        if kind == "file":
            lines.append(b"file %s  %s" % (digest, path))
        else:
            lines.append(b"link %s %s" % (base64.b64encode(content.encode()), path))
    return b"\n".join(lines) + b"\n"


@given(ENTRIES, ENTRIES)
def test_a_difference_names_exactly_what_differs(
    old: dict[bytes, tuple[str, str]], new: dict[bytes, tuple[str, str]]
) -> None:
    before, after = read_listing(listed(old), b""), read_listing(listed(new), b"")

    told = difference(before, after)

    assert len(before.files) == len(old)
    assert len(told.files_added) == len(new.keys() - old.keys())
    assert len(told.files_removed) == len(old.keys() - new.keys())
    assert len(told.files_modified) == sum(old[p] != new[p] for p in old.keys() & new.keys())
    assert difference(after, before).files_modified == told.files_modified
    assert difference(before, before) == ChangeDiff()


def test_packages_are_those_that_dpkg_has_installed() -> None:
    status = (
        b"Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n\n"
        b"Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2:2.36\n\n"
        b"Package: libc6\nStatus: install ok installed\nArchitecture: i386\nVersion: 2:2.36\n\n"
    )

    assert read_listing(b"", status) == Listing(
        files={}, packages={"libc6:amd64": "2:2.36", "libc6:i386": "2:2.36"}
    )


@pytest.mark.parametrize("line", [b"nonsense", b"mode zz /a", b"file abc  /a", b"odd 81a4 - ?"])
def test_a_list_that_is_none_is_refused(line: bytes) -> None:
    with pytest.raises(ListingError):
        read_listing(line, b"")

"""Secrets leave as tokens, the same everywhere, and come back only at the tool. Case 9."""

import base64
import copy
import json
import pickle
import string
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from agentctl.domain.sandbox.provider import CommandOutcome
from agentctl.domain.sandbox.recorded_output import recorded
from agentctl.domain.sandbox.secret_stream import SEGMENT_LENGTH_MAX, StreamRedactor
from agentctl.domain.sandbox.secret_tokens import (
    TOKEN,
    CustomPattern,
    Known,
    Register,
    Rules,
)

PEM = "-----BEGIN EC PRIVATE KEY-----\n" + ("Ab1" * 20 + "\n") * 3 + "-----END EC PRIVATE KEY-----"
GITHUB = "ghp_" + "aB3" * 12
AWS = "AKIA" + "IOSFODNN7EXAMPLE"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLXBhcnQ"
HEX = "0123456789abcdef" * 2

CATEGORIES = {
    f"key:\n{PEM}\nend": (PEM, "PRIVATE_KEY"),
    json.dumps({"file": PEM}): (json.dumps(PEM)[1:-1], "PRIVATE_KEY"),
    f"remote {GITHUB} ok": (GITHUB, "GITHUB_TOKEN"),
    "github_pat_" + "a1B2" * 8: ("github_pat_" + "a1B2" * 8, "GITHUB_TOKEN"),
    f"id={AWS};": (AWS, "AWS_KEY"),
    f"cookie? {JWT}": (JWT, "JWT"),
    "sk-" + "a1" * 12: ("sk-" + "a1" * 12, "API_KEY"),
    "xoxb-123456789012-abcdef": ("xoxb-123456789012-abcdef", "SLACK_TOKEN"),
    "AGE-SECRET-KEY-1" + "QPZRY9X8" * 5: ("AGE-SECRET-KEY-1" + "QPZRY9X8" * 5, "AGE_KEY"),
    "postgres://bob:pa55-w0rd@db:5432/x": ("pa55-w0rd", "URL_CREDENTIAL"),
    "GET /x?a=1&access_token=s3cr3tvalue&b=2": ("s3cr3tvalue", "TOKEN"),
    "Authorization: Bearer abc.def-123": ("abc.def-123", "BEARER"),
    "authorization: Basic dXNlcjpwYXNzd29yZA==": ("dXNlcjpwYXNzd29yZA==", "BEARER"),
    "curl -H 'X: Bearer abc.def-123'": ("abc.def-123", "BEARER"),
    "password: hunter2": ("hunter2", "PASSWORD"),
    "  - password: correct horse battery  # mine": ("correct horse battery", "PASSWORD"),
    "db_password = 'a b c'": ("a b c", "PASSWORD"),
    '{"dbPassword":"a\\"b","x":1}': ('a\\"b', "PASSWORD"),
    '{"a":"{\\"clientSecret\\":\\"zz9\\"}"}': ("zz9", "SECRET"),
    "password: |\n  two\n  lines\nnext: 1": ("  two\n  lines", "PASSWORD"),
    "PGPASSWORD=abc psql": ("abc", "PASSWORD"),
    "MYSQL_PWD=abc mysql": ("abc", "PASSWORD"),
    "mysql --password letmein -h x": ("letmein", "PASSWORD"),
    "curl -u bob:letmein http": ("letmein", "PASSWORD"),
    "accessToken => abcd": ("abcd", "TOKEN"),
    'password="cut off by the end': ("cut off by the end", "PASSWORD"),
    f"api_key={HEX}": (HEX, "HEX_KEY"),
    f"the signing key is {HEX}.": (HEX, "HEX_KEY"),
    f"Enter token {HEX.upper()}": (HEX.upper(), "HEX_KEY"),
    "x " + "aB3d" * 10: ("aB3d" * 10, "KEY"),
}


@pytest.mark.parametrize("text", CATEGORIES)
def test_a_secret_is_known_by_its_form_or_by_its_name(text: str) -> None:
    secret, category = CATEGORIES[text]
    redacted, register = Register().redact(text)

    assert redacted == text.replace(secret, f"[REDACTED_{category}_1]")
    assert register.restore(redacted) == text


LEFT = [
    "password: ${DB_PASSWORD}",
    "password: $DB_PASSWORD",
    "token: null",
    'password=""',
    "password: ********",
    "max_tokens: 4096",
    "PWD=/sandbox OLDPWD=/",
    f"sha256 {HEX * 2}",
    f"commit {HEX}",
    "an ordinary line, with words: and = signs",
    "the password was changed",
    "[REDACTED]",
]


@pytest.mark.parametrize("text", LEFT)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Register().redact(text)[0] == text


def test_one_secret_has_one_token_everywhere_and_another_has_another() -> None:
    register = Register()
    first, register = register.redact("password=hunter2hunter2")
    later, register = register.redact("hunter2hunter2 and password=other-password")
    again, register = register.redact("password=other-password", fresh=True)

    assert first == "password=[REDACTED_PASSWORD_1]"
    assert later == "[REDACTED_PASSWORD_1] and password=[REDACTED_PASSWORD_2]"
    assert again == "password=[REDACTED_PASSWORD_2]"


def test_a_secret_that_is_named_late_is_found_early_too() -> None:
    redacted, _ = Register().redact("hunter2hunter2\npassword=hunter2hunter2")

    assert redacted == "[REDACTED_PASSWORD_1]\npassword=[REDACTED_PASSWORD_1]"


def test_a_short_value_goes_only_where_it_is_named() -> None:
    redacted, _ = Register().redact("pin on 12 of 12, password=12")

    assert redacted == "pin on 12 of 12, password=[REDACTED_PASSWORD_1]"


def test_the_longest_of_two_secrets_counts() -> None:
    rules = Rules(
        known=(
            Known(category="SHORT", value="abcd-efgh"),
            Known(category="LONG", value="abcd-efgh-ijkl"),
        )
    )
    redacted, register = Register(rules).redact("abcd-efgh abcd-efgh-ijkl xabcd-efgh-ijk")

    assert redacted == "[REDACTED_SHORT_1] [REDACTED_LONG_1] x[REDACTED_SHORT_1]-ijk"
    assert register.restore(redacted) == "abcd-efgh abcd-efgh-ijkl xabcd-efgh-ijk"


def test_of_two_that_overlap_nothing_is_left() -> None:
    rules = Rules(
        known=(Known(category="A", value="abcdef"), Known(category="B", value="defghijk"))
    )
    redacted, register = Register(rules).redact("xabcdefghijky")

    assert redacted == "x[REDACTED_B_1]y"
    assert register.restore(redacted) == "xabcdefghijky"


SECRET = 's3cr3t/"from\\ the+config é'
ENCODINGS = {
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "base64 for URLs": base64.urlsafe_b64encode(SECRET.encode()).decode(),
    "base64 of more": base64.b64encode(f"user:{SECRET}@host".encode()).decode(),
    "base64 after a path": "prefix/" + base64.b64encode(f"ab{SECRET}".encode()).decode(),
    "base64 in lines": base64.encodebytes(("x" * 100 + SECRET + "y" * 100).encode()).decode(),
    "base64 twice": base64.b64encode(base64.b64encode(SECRET.encode())).decode(),
    "hexadecimal": SECRET.encode().hex(),
    "hexadecimal in capitals": SECRET.encode().hex().upper(),
    "percent": quote(SECRET, safe=""),
    "percent in small letters": quote(SECRET, safe="").lower(),
    "JSON": json.dumps({"x": SECRET}),
    "JSON as it is": json.dumps({"x": SECRET}, ensure_ascii=False),
    "JSON within JSON": json.dumps(json.dumps({"x": SECRET})),
    "base64 of JSON": base64.b64encode(json.dumps({"x": SECRET}).encode()).decode(),
    "percent of base64": quote(base64.b64encode(SECRET.encode()).decode(), safe=""),
}


@pytest.mark.parametrize("how", sorted(ENCODINGS))
def test_an_encoding_hides_no_known_value(how: str) -> None:
    text = f"see {ENCODINGS[how]} there"
    redacted, register = Register(Rules(known=(Known(category="PASSWORD", value=SECRET),))).redact(
        text
    )

    assert TOKEN.search(redacted)
    assert not any(part in redacted for part in ("s3cr3t", "czNjcjN0", "733363723374"))
    assert ENCODINGS[how].strip() not in redacted
    assert register.restore(redacted) == text


@pytest.mark.parametrize("inner", [PEM, f"password={HEX}", f"token: {GITHUB}"])
def test_an_encoding_hides_no_form(inner: str) -> None:
    encoded = base64.b64encode(inner.encode()).decode()
    redacted, _ = Register().redact(f"data: {encoded} end")

    assert redacted == "data: [REDACTED_ENCODED_1] end" or "[REDACTED_KEY_1]" in redacted
    assert encoded[:20] not in redacted


def test_what_looks_like_a_token_and_is_none_of_ours_restores_to_itself() -> None:
    register = Register()
    redacted, register = register.redact("[REDACTED_PASSWORD_1] said the file", fresh=True)
    named, register = register.redact("password=hunter2hunter2")

    assert redacted == "[REDACTED_LITERAL_1] said the file"
    assert register.restore(redacted) == "[REDACTED_PASSWORD_1] said the file"
    assert register.restore(named) == "password=hunter2hunter2"


def test_a_token_of_ours_that_comes_from_outside_does_not_become_the_secret() -> None:
    _, register = Register().redact("password=hunter2hunter2")
    forged, register = register.redact("rm -rf [REDACTED_PASSWORD_1]", fresh=True)

    assert register.restore(forged) == "rm -rf [REDACTED_PASSWORD_1]"
    assert register.restore("[REDACTED_PASSWORD_1]") == "hunter2hunter2"
    assert (
        register.restore("[REDACTED_PASSWORD_99] [REDACTED_X_1]")
        == "[REDACTED_PASSWORD_99] [REDACTED_X_1]"
    )


def test_what_was_put_back_is_not_read_again() -> None:
    text = "password='[REDACTED_PASSWORD_2]' token=abcdefgh1 passphrase=zyxwvuts"
    redacted, register = Register().redact(text, fresh=True)

    assert "REDACTED_PASSWORD_2]'" not in redacted
    assert register.restore(redacted) == text


def test_allowed_values_stay_and_custom_patterns_go() -> None:
    rules = Rules(
        allowed=frozenset({"example-password", AWS}),
        patterns=(
            CustomPattern(category="BADGE", pattern=r"badge (?P<secret>[0-9]{6})"),
            CustomPattern(category="ROOM", pattern=r"R-[0-9]+|"),
        ),
    )
    redacted, _ = Register(rules).redact(f"password=example-password {AWS} badge 123456 in R-12")

    assert redacted == (
        f"password=example-password {AWS} badge [REDACTED_BADGE_1] in [REDACTED_ROOM_1]"
    )


@pytest.mark.parametrize(
    "rules",
    [
        Rules(patterns=(CustomPattern(category="A", pattern="("),)),
        Rules(patterns=(CustomPattern(category="small", pattern="x"),)),
        Rules(patterns=(CustomPattern(category="LITERAL", pattern="x"),)),
        Rules(known=(Known(category="A]B", value="abcdef"),)),
    ],
)
def test_a_rule_that_is_none_is_refused(rules: Rules) -> None:
    with pytest.raises(ValueError, match="is no "):
        Register(rules)


def test_values_are_redacted_at_any_depth_keys_too_and_come_back_as_they_were() -> None:
    value = {
        "password": "abc",
        "pin": 5,
        "apiKey": 123456789,
        "nested": [{"token": ["one", "two"], "note": f"see {GITHUB}"}, None, True, 1.5],
        GITHUB: {"secret": {"inner": "deep"}},
        "credentials": None,
    }
    redacted, register = Register().redact_value(value)

    assert redacted == {
        "password": "[REDACTED_PASSWORD_1]",
        "pin": 5,
        "apiKey": "[REDACTED_KEY_1]",
        "nested": [
            {
                "token": ["[REDACTED_TOKEN_1]", "[REDACTED_TOKEN_2]"],
                "note": "see [REDACTED_GITHUB_TOKEN_1]",
            },
            None,
            True,
            1.5,
        ],
        "[REDACTED_GITHUB_TOKEN_1]": {"secret": {"inner": "deep"}},
        "credentials": None,
    }
    assert register.restore(redacted) == value
    assert register.redact_value(redacted)[0] == redacted


def test_a_value_without_a_bottom_is_refused() -> None:
    value: object = "x"
    for _ in range(100):
        value = [value]
    with pytest.raises(ValueError, match="deep"):
        Register().redact_value(value)


def test_a_register_shows_stores_and_pickles_no_secret() -> None:
    known = Known(category="PASSWORD", value="from-the-config")
    rules = Rules(known=(known,))
    _, register = Register(rules).redact("password=hunter2hunter2")
    stored = msgspec.json.encode(register.digests(b"salt")).decode()
    stream = StreamRedactor(register=register, held="hunter2hunter2")
    shown = (
        f"{register!r} {known!r} {rules!r} {stream!r} {stored} {list(register._by_token.values())}"
    )

    assert "hunter2" not in shown
    assert "from-the-config" not in shown
    assert sorted(register.digests(b"salt").digests) == sorted(register.tokens)
    assert register.digests(b"salt") == register.digests(b"salt") != register.digests(b"other")
    for write in (pickle.dumps, copy.deepcopy, msgspec.json.encode):
        with pytest.raises(TypeError):
            write(register)


def test_a_register_is_a_value() -> None:
    register = Register()
    register.redact("password=hunter2hunter2")

    assert register.tokens == ()
    assert register.redact("hunter2hunter2")[0] == "hunter2hunter2"


words = st.text(
    st.sampled_from(
        string.ascii_letters + string.digits + " \n\t:=\"'\\,;{}[]_-./@%&?#|>é\U0001f600"
    ),
    max_size=30,
)
pieces = st.one_of(
    words,
    st.sampled_from(
        (
            *(
                "password",
                "token",
                ": ",
                "=",
                "Bearer ",
                "\n",
                "://a:",
                "@",
                "--",
                '"',
                "\\",
                "api_key",
            ),
            *("[REDACTED_PASSWORD_1]", "[REDACTED_", "_1]", "[REDACTED_LITERAL_1]"),
            *(PEM, PEM[:50], GITHUB, AWS, JWT, HEX, SECRET, *ENCODINGS.values()),
        )
    ),
)
texts = st.lists(pieces, max_size=12).map("".join)
RULES = Rules(
    known=(Known(category="PASSWORD", value=SECRET), Known(category="LINES", value="ab\ncd\nef"))
)


@given(text=texts, fresh=st.booleans())
@example(text="token: abc[REDACTED_PASSWORD_1]def", fresh=False)
@example(text='password: "[REDACTED_PASSWORD_1]"', fresh=True)
def test_redacting_twice_is_redacting_once_and_restoring_undoes_it(
    *, text: str, fresh: bool
) -> None:
    redacted, register = Register(RULES).redact(text, fresh=fresh)
    again, after = register.redact(redacted)

    assert again == redacted
    assert after.tokens == register.tokens
    if fresh or "[REDACTED_PASSWORD_1]" not in text:
        assert register.restore(redacted) == text


@given(texts, texts)
def test_no_known_value_is_left_anywhere(before: str, after: str) -> None:
    redacted, _ = Register(RULES).redact(before + SECRET + after, fresh=True)

    assert SECRET not in TOKEN.sub("", redacted)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 10**9) | texts,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(("password", "x", "token", GITHUB)), inner, max_size=3
            )
        ),
        max_leaves=8,
    )
)
def test_any_json_value_comes_back(value: object) -> None:
    redacted, register = Register(RULES).redact_value(value, fresh=True)

    assert register.restore(redacted) == value
    assert register.redact_value(redacted)[0] == redacted


def streamed(text: str, sizes: list[int]) -> tuple[str, Register]:
    stream, parts = StreamRedactor(register=Register(RULES)), []
    for size in [*sizes, len(text)]:
        part, stream = stream.feed(text[:size])
        text = text[size:]
        parts.append(part)
    rest, register = stream.end()
    return "".join((*parts, rest)), register


@given(texts, st.lists(st.integers(0, 40), max_size=30))
@example(f"a\n{PEM}\nb", [5, 20, 30, 40, 40])
@example("x ab\ncd\nef y", [5, 1, 1, 1])
def test_how_a_stream_is_cut_changes_nothing(text: str, sizes: list[int]) -> None:
    redacted, register = streamed(text, sizes)

    assert redacted == streamed(text, [])[0]
    assert register.restore(redacted) == text


@given(words, words, st.lists(st.integers(0, 9), max_size=60))
def test_no_cut_of_a_stream_shows_a_secret(before: str, after: str, sizes: list[int]) -> None:
    assume("\\" not in before + after)
    for secret in (SECRET, "ab\ncd\nef", PEM):
        redacted, _ = streamed(f"{before}{secret}{after}", sizes)
        shown = TOKEN.sub("", redacted)
        assert secret not in shown
        assert secret[2:-2] not in shown


def test_a_stream_without_an_end_of_line_is_covered_whole() -> None:
    text = "x" * (SEGMENT_LENGTH_MAX - 5) + " password=hunter2hunter2" + "y" * 100 + "\nnext\n"
    redacted, register = streamed(text, [1000] * 100)

    assert redacted == "[REDACTED_OVERSIZED_1][REDACTED_OVERSIZED_2]next\n"
    assert register.restore(redacted) == text


def test_a_commands_output_is_kept_without_secrets_and_says_what_was_dropped() -> None:
    outcome = CommandOutcome(
        ending="exited",
        exit_code=1,
        stdout=b"hunter2hunter2 \xff [REDACTED_PASSWORD_1] hunter2hun",
        stderr=b"password=hunter2hunter2\n",
        stdout_dropped=7,
    )
    stdout, stderr, register = recorded(outcome, Register())

    assert stderr == "password=[REDACTED_PASSWORD_1]\n"
    assert (
        stdout
        == "[REDACTED_PASSWORD_1] \\xff [REDACTED_LITERAL_1] \n[17 more bytes were dropped]\n"
    )
    assert register.restore(stderr) == "password=hunter2hunter2\n"


HARD = {
    "words": "tokentoken" * 20_000,
    "fields": "password: b #" * 8_000,
    "spaces": "password: b" + " " * 100_000 + "c",
    "quotes": 'a="b\\' * 30_000,
    "many": "\n".join(f"password=secretvalue{number}" for number in range(3_000)),
    "base64": base64.b64encode(bytes(range(256)) * 600).decode(),
    "digits": "0" * 100_000,
}


@pytest.mark.parametrize("kind", sorted(HARD))
def test_no_text_takes_more_time_than_its_length(kind: str) -> None:
    """Quadratic work on these would take minutes, which the run of the tests would end."""
    redacted, register = Register().redact(HARD[kind])

    assert register.restore(redacted) == HARD[kind]

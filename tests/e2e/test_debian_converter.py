"""examples/debian/convert.py: what apt knows becomes nodes and edges, and nothing is guessed.

Source of the forms: Debian Policy, chapters 5 and 7.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[2] / "examples" / "debian" / "convert.py"
if not PROGRAM.exists():
    pytest.skip("runs in a checkout, not beside a wheel", allow_module_level=True)


def _module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("debian_convert", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CONVERT = _module()

WEB = {
    "Package": "web",
    "Version": "1:2.0~rc1-3+b1",
    "Architecture": "all",
    "Priority": "optional",
    "Section": "contrib/net",
    "Maintainer": "Ann Other <Ann@Example.org>",
}


def _stanza(**more: str | None) -> str:
    fields = WEB | {name.replace("_", "-"): value for name, value in more.items()}
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value is not None)


def _converted(*stanzas: str) -> list[dict[str, Any]]:
    lines = "\n".join(stanzas).encode().splitlines(keepends=True)
    return list(CONVERT.converted(lines))


def _edges(found: list[dict[str, Any]], *kinds: str) -> list[tuple[str, str, str, Any]]:
    return [(e["edge"], e["from"], e["to"], e.get("data")) for e in found if e.get("edge") in kinds]


def test_a_package_has_what_its_stanza_says() -> None:
    found = _converted(
        _stanza(
            Source="webby (2.0)",
            Installed_Size="12",
            Essential="yes",
            Description="A web\n of lines",
        )
    )

    assert found == [
        {
            "type": "Package",
            "data": {
                "name": "web",
                "kind": "real",
                "version": "1:2.0~rc1-3+b1",
                "architecture": "all",
                "priority": "optional",
                "source": "webby",
                "summary": "A web of lines",
                "installed_kib": 12,
                "essential": True,
            },
        },
        {"type": "Section", "data": {"name": "contrib/net"}},
        {"edge": "InSection", "from": "web", "to": "contrib/net"},
        {"type": "Maintainer", "data": {"email": "ann@example.org", "name": "Ann Other"}},
        {"edge": "MaintainedBy", "from": "web", "to": "ann@example.org"},
    ]


def test_sections_and_maintainers_come_once() -> None:
    other = "Ann O. <ann@example.org>,"
    found = _converted(_stanza(), _stanza(Package="app", Maintainer=other))

    assert [line["type"] for line in found if "type" in line] == [
        "Package",
        "Section",
        "Maintainer",
        "Package",
    ]
    assert ("MaintainedBy", "app", "ann@example.org", None) in _edges(found, "MaintainedBy")


@pytest.mark.parametrize(
    ("written", "bounds"),
    [
        ("lib", {}),
        ("lib:any", {"arch": "any"}),
        ("lib (<< 2)", {"than": "earlier", "version": "2"}),
        ("lib (<= 2)", {"than": "earlier-or-equal", "version": "2"}),
        ("lib (= 1:2-3)", {"than": "exactly", "version": "1:2-3"}),
        ("lib:amd64(>=2~a+b.c)", {"arch": "amd64", "than": "later-or-equal", "version": "2~a+b.c"}),
        ("lib  ( >> 2 )", {"than": "later", "version": "2"}),
    ],
)
def test_a_relation_bounds_versions_and_architectures(written: str, bounds: dict[str, str]) -> None:
    found = _converted(_stanza(Depends=written))

    assert _edges(found, "DependsOn") == [
        ("DependsOn", "web", "lib", {"position": 1, "pre": False, **bounds})
    ]


def test_each_field_counts_its_own_clauses() -> None:
    found = _converted(_stanza(Depends="a1, b1,", Pre_Depends="c1", Recommends="d1"))

    assert _edges(found, "DependsOn", "Recommends") == [
        ("DependsOn", "web", "c1", {"position": 1, "pre": True}),
        ("DependsOn", "web", "a1", {"position": 1, "pre": False}),
        ("DependsOn", "web", "b1", {"position": 2, "pre": False}),
        ("Recommends", "web", "d1", {"position": 1}),
    ]


def test_alternatives_are_a_choice() -> None:
    found = _converted(_stanza(Depends="lib, mta (>= 2) | mail:any"))

    assert {
        "type": "Choice",
        "data": {
            "clause": "web depends 2",
            "relation": "depends",
            "text": "mta (>= 2) | mail:any",
        },
    } in found
    assert _edges(found, "Chooses", "Option") == [
        ("Chooses", "web", "web depends 2", None),
        ("Option", "web depends 2", "mta", {"rank": 1, "than": "later-or-equal", "version": "2"}),
        ("Option", "web depends 2", "mail", {"rank": 2, "arch": "any"}),
    ]


def test_names_that_are_no_package_are_virtual_or_missing() -> None:
    provider = _stanza(Package="postfix", Provides="mail, web, smtp (= 3)")
    found = _converted(_stanza(Depends="mail, gone"), provider)

    kinds = {n["data"]["name"]: n["data"]["kind"] for n in found if n.get("type") == "Package"}
    assert kinds == {
        "web": "real",
        "postfix": "real",
        "mail": "virtual",
        "smtp": "virtual",
        "gone": "missing",
    }
    assert _edges(found, "Provides") == [
        ("Provides", "postfix", "mail", {}),
        ("Provides", "postfix", "web", {}),
        ("Provides", "postfix", "smtp", {"version": "3"}),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no packages: apt has no lists"),
        ("Package web\n", "line 1: no field"),
        (" continued\n", "line 1: no field"),
        (_stanza() + "Version: 2\n", "line 7: no field, or a field for the second time"),
        (_stanza() + "\n" + _stanza(), "line 8: web for the second time"),
        (_stanza(Version=None), "line 1: a stanza without Version"),
        (_stanza(Version="two words"), "line 2: Version: 'two words' is not understood"),
        (_stanza(Maintainer="nobody"), "line 6: Maintainer: 'nobody' is not understood"),
        (_stanza(Installed_Size="1.5"), "line 7: Installed-Size: '1.5' is not understood"),
        (_stanza(Depends="lib (> 2)"), "line 7: Depends: 'lib (> 2)' is no relation"),
        (_stanza(Depends="lib, , b1"), "line 7: Depends: '' is no relation"),
        (_stanza(Depends="lib |"), "line 7: Depends: '' is no relation"),
        (_stanza(Provides="mail (>= 2)"), "line 7: Provides: 'mail (>= 2)' bounds a version"),
    ],
)
def test_what_is_not_understood_is_refused_by_line(text: str, said: str) -> None:
    with pytest.raises(CONVERT.MalformedError) as refused:
        _converted(text)

    assert str(refused.value).startswith(said)


def test_bytes_that_are_no_utf8_are_refused_by_line() -> None:
    with pytest.raises(CONVERT.MalformedError, match=r"^line 2: not UTF-8$"):
        list(CONVERT.converted([b"Package: web\n", b"Description: \xff\n"]))


def test_lines_come_while_the_input_is_still_open() -> None:
    def endless() -> Any:
        number = 0
        while True:
            number += 1
            yield from _stanza(Package=f"web{number}").encode().splitlines(keepends=True)
            yield b"\n"

    found = CONVERT.converted(endless())

    names = (line["data"]["name"] for line in found if line.get("type") == "Package")
    assert [next(names) for _ in range(3)] == ["web1", "web2", "web3"]


def test_the_program_ends_with_one_where_apt_has_no_lists() -> None:
    ended = subprocess.run(
        [sys.executable, PROGRAM], input=b"", capture_output=True, timeout=60, check=False
    )

    assert ended.returncode == 1
    assert ended.stdout == b""
    assert ended.stderr.startswith(b"convert.py: no packages: apt has no lists; `apt-get update`")

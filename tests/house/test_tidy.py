"""House rules that no linter knows. Source: design/style.md, after TigerBeetle's tidy."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DRAWERS = ("agentctl", "tools", "prompts", "tui", "evals")
FUNCTION_LINES_MAX = 60
MODULE_LINES_MAX = 500
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base"}

pytestmark = pytest.mark.skipif(
    not (ROOT / "pyproject.toml").exists(), reason="runs in a checkout, not beside a wheel"
)


def sources() -> Iterator[Path]:
    for drawer in DRAWERS:
        yield from (ROOT / drawer).rglob("*.py")


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_functions_fit_on_a_screen() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in sources()
        for node in functions(ast.parse(path.read_text(encoding="utf-8")))
        if (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES_MAX
    ]

    assert long == []


def test_a_module_holds_one_noun_on_at_most_500_lines() -> None:
    long = [
        str(path.relative_to(ROOT))
        for path in sources()
        if len(path.read_text(encoding="utf-8").splitlines()) > MODULE_LINES_MAX
        and "words" not in path.name
    ]

    assert long == []


def test_no_module_is_named_for_nothing() -> None:
    assert [p for p in sources() if p.stem in BANNED_NAMES] == []


def test_every_package_says_what_belongs_in_it() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in sources()
        if path.name == "__init__.py" and not ast.get_docstring(ast.parse(path.read_text()))
    ]

    assert silent == []


def test_no_room_is_empty() -> None:
    empty = [
        str(folder.relative_to(ROOT))
        for drawer in DRAWERS
        for folder in (ROOT / drawer).rglob("*")
        if folder.is_dir()
        and (folder / "__init__.py").exists()
        and not any(p.name != "__init__.py" for p in folder.iterdir() if p.name != "__pycache__")
    ]

    assert empty == []


def test_no_todo_and_no_deferred_annotations() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in sources()
        for word in ("TODO", "FIXME", "XXX", "from __future__ import annotations")
        if word in path.read_text(encoding="utf-8")
    ]

    assert found == []


def test_pins_and_build_files_name_no_address_to_fetch_from() -> None:
    files = [ROOT / "constraints.txt", ROOT / "pyproject.toml", ROOT / "Makefile", ROOT / ".ci/run"]
    found = [
        f"{path.name}: {line}"
        for path in files
        for line in path.read_text(encoding="utf-8").splitlines()
        if "://" in line or line.lstrip().startswith(("-i ", "--index", "--extra", "--find"))
    ]

    assert found == []

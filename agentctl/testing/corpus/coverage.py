"""What the corpus shows of the languages, the folder and the planner, and what it misses.

A production is accepted where it ran in a case without errors, and refused where a problem was
reported while it was on the stack. A rule or a code is accepted where a case says so
(``accepts:``, which the corpus test holds it to) and refused where a case raises it. A step of a
migration, or an addition to OmniGraph 0.10, is shown where it stands on a page.
`python -m agentctl.testing.corpus.coverage tests/corpus` prints it all.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec

import agentctl
from agentctl.diagnostics.codes import CODES
from agentctl.domain.plan.refusals import MIGRATION_RULES
from agentctl.languages.query.additions import FEATURES
from agentctl.languages.query.rules import RULES as QUERY_RULES
from agentctl.languages.schema.rules import RULES as SCHEMA_RULES
from agentctl.testing.corpus.answers import produced
from agentctl.testing.corpus.markdown import Case, read_page
from agentctl.testing.corpus.productions import productions, traced

RULES: Final = frozenset({*SCHEMA_RULES, *QUERY_RULES, *MIGRATION_RULES})
"""Every numbered rule of the languages and of migrations."""
ROOT: Final = Path(agentctl.__file__).parent
CODED: Final = ("languages/**/*.py", "domain/config/*.py")
"""Modules that raise codes of the languages and the folder."""
NOT_OF_A_FOLDER: Final = frozenset({"drafting.py", "patches.py"})
"""Modules of the config room that answer calls of a tool, not texts."""
PLANNERS: Final = ("domain/plan/migrat*.py", "domain/plan/kept.py", "domain/plan/refusals.py")
_STEP: Final = re.compile(r'(?:"kind": |\.step\(\s*|\.judging\(\s*)"([a-z_]+)"')
"""How the planner names a step, and how a page shows one."""
_FEATURE: Final = re.compile(r"(?m)^\S+ (?:added|differs) ([a-z-]+):")
"""How a page shows what differs from OmniGraph 0.10."""


class Family(msgspec.Struct, kw_only=True):
    """What the corpus shows of one family of names."""

    name: str
    members: frozenset[str]
    accepted: set[str]
    refused: set[str]

    @property
    def missing(self) -> tuple[str, ...]:
        """One line for each lack, sorted."""
        lacks = [f"{self.name}: {m} has no accepting case" for m in self.members - self.accepted]
        lacks += [f"{self.name}: {m} has no refusing case" for m in self.members - self.refused]
        return tuple(sorted(lacks))

    def __str__(self) -> str:
        whole = len(self.members & self.accepted & self.refused)
        return f"{self.name}: {whole} of {len(self.members)}"


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """What all the cases show."""

    cases: int
    families: tuple[Family, ...]
    unknown: tuple[str, ...]
    """Rules that a case raises or names and no registry holds."""

    @property
    def missing(self) -> tuple[str, ...]:
        """One line for each lack."""
        return (*(m for f in self.families for m in f.missing), *self.unknown)

    def __str__(self) -> str:
        return f"{self.cases} cases; " + "; ".join(str(f) for f in self.families)


def measure(cases: Iterable[Case]) -> Coverage:
    """Answers every case and returns what that shows."""
    grammar = productions()
    names = frozenset().union(*grammar.values())
    parsed = Family(name="production", members=names, accepted=set(), refused=set())
    rules = Family(name="rule", members=RULES, accepted=set(), refused=set())
    coded = Family(name="code", members=folder_codes(), accepted=set(), refused=set())
    added = Family(name="addition", members=addition_features(), accepted=set(), refused=set())
    steps = Family(name="step", members=step_kinds(), accepted=set(), refused=set())
    raised: set[str] = set()
    count = 0
    for case in cases:
        count += 1
        with traced(grammar) as trace:
            answer, texts = produced(case)
        parsed.refused |= trace.refused
        if not answer.refused:
            parsed.accepted |= trace.ran
        for family in (rules, coded):
            family.accepted |= case.accepts
            family.refused |= answer.rules
        raised |= case.accepts | answer.rules
        features = set(_FEATURE.findall(texts.get("additions", "")))
        added.accepted |= features
        added.refused |= features
        shown = texts.get("migration", "")
        steps.accepted |= set(_STEP.findall(shown))
        steps.refused |= set(_STEP.findall(shown))
    unknown = sorted(raised - rules.members - CODES.keys())
    return Coverage(
        cases=count,
        families=(parsed, rules, coded, added, steps),
        unknown=tuple(f"{name} is in no registry" for name in unknown),
    )


def folder_codes() -> frozenset[str]:
    """Returns the codes that the languages and the folder's loading name."""
    return frozenset(_strings(CODED)) & CODES.keys()


def addition_features() -> frozenset[str]:
    """Returns the names of what differs from OmniGraph 0.10, as the languages note them."""
    found = set(FEATURES)
    for call in (n for t in _trees(("languages/**/*.py",)) for n in ast.walk(t)):
        if not isinstance(call, ast.Call):
            continue
        words = [a.value if isinstance(a, ast.Constant) else None for a in call.args]
        for kind, name in pairwise(words):
            if kind in {"added", "differs"} and isinstance(name, str):
                found.add(name)
    return frozenset(found)


def step_kinds() -> frozenset[str]:
    """Returns the kinds of steps that the planner names."""
    return frozenset(
        kind for path in _modules(PLANNERS) for kind in _STEP.findall(path.read_text("utf-8"))
    )


def _modules(patterns: Iterable[str]) -> Iterator[Path]:
    for pattern in patterns:
        yield from (p for p in sorted(ROOT.glob(pattern)) if p.name not in NOT_OF_A_FOLDER)


def _trees(patterns: Iterable[str]) -> Iterator[ast.Module]:
    for path in _modules(patterns):
        yield ast.parse(path.read_text(encoding="utf-8"))


def _strings(patterns: Iterable[str]) -> Iterator[str]:
    for tree in _trees(patterns):
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


if __name__ == "__main__":
    shown = measure(c for page in sorted(Path(sys.argv[1]).glob("*.md")) for c in read_page(page))
    sys.stdout.write("\n".join((*shown.missing, str(shown))) + "\n")

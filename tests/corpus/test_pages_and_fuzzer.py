"""The corpus and the fuzzer themselves: a page that is wrong is refused, a planted mistake is found."""

import math
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from agentctl.testing.corpus.coverage import measure
from agentctl.testing.corpus.markdown import PageError, read_page, rewrite
from agentctl.testing.fuzz.edges import Counter
from agentctl.testing.fuzz.grammar import derive, grammar_of
from agentctl.testing.fuzz.mutate import INPUT_BYTES_MAX
from agentctl.testing.fuzz.session import Session, new_mutator

PAGE = """# A page

```pg
node Shared {}
```

## One sentence

accepts: PG010, T1

```gq name=own.gq
query q() { }
```

```descriptor
```

## Another sentence

refuses: PG005

```pg
node Own {}
```

```diagnostics
s.pg:1:1-1:2 error[x] told
```
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.md"
    path.write_text(PAGE, encoding="utf-8")
    return path


def test_a_case_has_its_own_sources_and_those_of_its_page_that_it_does_not_replace(
    page: Path,
) -> None:
    first, second = read_page(page)

    assert (str(first), str(second)) == ("page: One sentence", "page: Another sentence")
    assert [(b.file, b.text) for b in first.sources] == [
        ("s.pg", "node Shared {}\n"),
        ("own.gq", "query q() { }\n"),
    ]
    assert [(b.file, b.text) for b in second.sources] == [("s.pg", "node Own {}\n")]
    assert first.accepts == {"PG010", "T1"}
    assert second.refuses == {"PG005"}
    assert first.wants("descriptor")
    assert not first.wants("diagnostics")


def test_an_answer_is_written_into_its_case_alone(page: Path) -> None:
    first, second = read_page(page)

    rewrite(page, first, {"diagnostics": "", "descriptor": "[]\n"})
    rewrite(page, second, {"diagnostics": ""})
    rewrite(page, first, {"diagnostics": "new\n", "descriptor": "[1]\n"})

    again, emptied = read_page(page)
    assert {b.word: b.text for b in again.expected} == {
        "descriptor": "[1]\n",
        "diagnostics": "new\n",
    }
    assert emptied.expected == ()
    assert again.sources == first.sources
    assert page.read_text("utf-8").count("## ") == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("## A\n\n```pg\nnode A {}\n", "never closed"),
        ("## A\n\n```sql\n```\n", "no block is called sql"),
        ("## A\n\n## A\n", "two cases say: A"),
    ],
)
def test_a_page_that_is_wrong_is_refused(page: Path, text: str, message: str) -> None:
    page.write_text(text, encoding="utf-8")

    with pytest.raises(PageError, match=message):
        read_page(page)


def test_what_no_case_shows_is_missing(page: Path) -> None:
    coverage = measure(read_page(page))

    assert coverage.cases == 2
    assert "rule: PG001 has no refusing case" in coverage.missing
    assert "rule: T1 has no refusing case" in coverage.missing
    assert "rule: T1 has no accepting case" not in coverage.missing
    assert "step: add_type has no accepting case" in coverage.missing


def test_a_mistake_behind_several_branches_is_found_and_shrunk() -> None:
    counter = Counter()

    def run(data: bytes) -> None:
        for depth, letter in enumerate(b"bug"):
            if data[depth : depth + 1] != bytes([letter]):
                return
            counter.hit(depth + 1)
        raise ValueError

    session = Session(run, counter, new_mutator(7, lambda random: random.randbytes(3)))
    session.start([b"some seed"], [])

    outcome = session.fuzz(until=math.inf, executions=30_000)

    assert [f.data for f in outcome.failures.values()] == [b"bug"]
    assert "ValueError" in next(iter(outcome.failures.values())).what
    assert {data[:2] for data in outcome.kept.values()} == {b"bu"}


def test_one_seed_is_one_course_of_inputs() -> None:
    def course() -> list[bytes]:
        mutator = new_mutator(3, lambda random: b"generated %d" % random.randrange(9))
        mutator.learn(b"node A { a: I32 }")
        return [mutator.make([b"node A {}", b"query q() {}"]) for _ in range(200)]

    assert course() == course()
    assert len(set(course())) > 150


def test_no_input_grows_beyond_its_bound_however_often_it_is_nested() -> None:
    mutator = new_mutator(5, lambda _: b"x" * 5_000)

    longest = max(len(mutator.make([b"x" * INPUT_BYTES_MAX])) for _ in range(2_000))

    assert longest == INPUT_BYTES_MAX


def test_a_grammar_derives_its_words_and_ends() -> None:
    grammar = grammar_of("list := '[' item* ']' | '[' list ']'\nitem := 'a' | 'b' list?")

    texts = {derive(grammar, "list", Random(seed), spaces=(" ",)) for seed in range(200)}

    assert all(set(text) <= set("[]ab ") for text in texts)
    assert all(text.count("[") == text.count("]") for text in texts)
    assert len(texts) > 20


def test_the_command_tells_seeds_executions_and_edges(tmp_path: Path) -> None:
    asked = ["0.0001", "policy", "--seed", "1", "--kept", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "agentctl.testing.fuzz", *asked],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )

    assert done.stdout.startswith("policy: seed 1, ")
    for word in ("seeds", "executions", "edges at the start", "inputs kept", "0 failures"):
        assert word in done.stdout

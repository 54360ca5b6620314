"""A change set replayed on its base gives the sandbox's files, byte for byte, or changes nothing."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.sandbox.changeset import (
    ChangeSetBase,
    ChangeSetBody,
    ChangeSetError,
    ChangeSetResult,
    applied,
    changeset,
    changeset_bytes,
    changeset_digest,
    changeset_of_files,
    decode_changeset,
    divergence,
)
from agentctl.domain.sandbox.folder_patch import patched_paths
from agentctl.domain.sandbox.merge_plan import MergePlan, MergeSource, merge_plan
from agentctl.domain.sandbox.row_difference import ChangedRow, fold_rows

BASE = ChangeSetBase(cluster_id="z6cluster", seq=7, source_digest="s0", config_digest="c0")
RESULT = ChangeSetResult(source_digest="s1", config_digest="c1", resource_digests={"schema.g": "1"})
OLD = {
    "cluster.yaml": b"version: 1\n",
    "a.pg": b"node A { k: String @key }\nnode B {}\n",
    "q.gq": b"one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\neleven\n",
    "gone.gq": b"query gone() {}\n",
}
NEW = {
    "cluster.yaml": b"version: 1",
    "a.pg": b"node A { k: String @key n: I32? }\r\nnode B {}\n",
    "q.gq": b"one\n2\nthree\nfour\nfive\nsix\nseven\neight\nnine\n10\neleven\n",
    "made/by me.gq": b"query made() {}\n",
    "made/empty.gq": b"",
}


def body_of(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> ChangeSetBody:
    body = changeset_of_files(before, after, base=BASE, merge=MergePlan(), result=RESULT)
    assert isinstance(body, ChangeSetBody), body
    return body


def with_patch(patch: str) -> ChangeSetBody:
    return msgspec.structs.replace(body_of({}, {}), patch=patch)


def test_a_patch_is_one_that_people_read() -> None:
    assert body_of(OLD, NEW).patch == snapshot("""\
diff --git a/a.pg b/a.pg
--- a/a.pg
+++ b/a.pg
@@ -1,2 +1,2 @@
-node A { k: String @key }
+node A { k: String @key n: I32? }\r
 node B {}
diff --git a/cluster.yaml b/cluster.yaml
--- a/cluster.yaml
+++ b/cluster.yaml
@@ -1 +1 @@
-version: 1
+version: 1
\\ No newline at end of file
diff --git a/gone.gq b/gone.gq
deleted file mode 100644
--- a/gone.gq
+++ /dev/null
@@ -1 +0,0 @@
-query gone() {}
diff --git a/made/by me.gq b/made/by me.gq
new file mode 100644
--- /dev/null
+++ b/made/by me.gq
@@ -0,0 +1 @@
+query made() {}
diff --git a/made/empty.gq b/made/empty.gq
new file mode 100644
diff --git a/q.gq b/q.gq
--- a/q.gq
+++ b/q.gq
@@ -1,5 +1,5 @@
 one
-two
+2
 three
 four
 five
@@ -7,5 +7,5 @@
 seven
 eight
 nine
-ten
+10
 eleven
""")


def test_a_replay_gives_every_file_and_touches_no_other() -> None:
    beside = {"notes.md": b"\xff\x00"}

    assert applied(OLD | beside, body_of(OLD, NEW)) == NEW | beside
    assert applied(NEW, body_of(NEW, OLD)) == OLD
    assert applied(OLD, body_of(OLD, OLD)) == OLD
    assert body_of(OLD, OLD).patch == ""


def test_git_applies_the_same_patch(tmp_path: Path) -> None:
    before = OLD | {"leer/stadt ä.gq": b"x\n", "was empty.gq": b"", "emptied.gq": b"y"}
    after = NEW | {"leer/stadt ä.gq": b"x", "emptied.gq": b""}
    for path, data in before.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(data)

    subprocess.run(
        ["git", "-c", "core.autocrlf=false", "apply", "--whitespace=nowarn", "-"],
        cwd=tmp_path,
        input=body_of(before, after).patch.encode(),
        check=True,
    )

    found = {
        str(p.relative_to(tmp_path)): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()
    }
    assert found == after


@pytest.mark.parametrize(
    ("files", "path", "message"),
    [
        (
            OLD | {"q.gq": OLD["q.gq"].replace(b"ten", b"TEN")},
            "q.gq",
            "hunk 2 of `q.gq` does not fit: line 10 is 'TEN\\n', but the diff expects 'ten\\n'",
        ),
        (
            OLD | {"q.gq": b"zero\n" + OLD["q.gq"]},
            "q.gq",
            "hunk 1 of `q.gq` does not fit: line 1 is 'zero\\n', but the diff expects 'one\\n'",
        ),
        (
            {path: data for path, data in OLD.items() if path != "a.pg"},
            "a.pg",
            "`a.pg` is not there, which the patch does not expect",
        ),
        (
            {path: data for path, data in OLD.items() if path != "gone.gq"},
            "gone.gq",
            "`gone.gq` is not there, which the patch does not expect",
        ),
        (
            OLD | {"made/empty.gq": b""},
            "made/empty.gq",
            "`made/empty.gq` is there already, which the patch does not expect",
        ),
        (
            OLD | {"gone.gq": OLD["gone.gq"] + b"more\n"},
            "gone.gq",
            "`gone.gq` has more than the lines that the patch removes",
        ),
        (OLD | {"a.pg": b"\xff"}, "a.pg", "`a.pg` is not text in UTF-8"),
    ],
)
def test_a_patch_that_does_not_fit_names_the_file_and_the_hunk(
    files: dict[str, bytes], path: str, message: str
) -> None:
    before = dict(files)

    refused = applied(files, body_of(OLD, NEW))

    assert isinstance(refused, Diagnostic)
    assert (refused.code, refused.path, refused.message) == ("change_set_conflict", path, message)
    assert files == before


PATCH = body_of({"f.gq": b"a\n"}, {"f.gq": b"b\n"}).patch


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ("x\n" + PATCH, "the patch does not begin with a file"),
        (PATCH + PATCH, "the patch has `f.gq` twice"),
        (
            PATCH.replace("f.gq", "../f.gq"),
            "the patch is about 'a/../f.gq b/../f.gq', which is no file of config",
        ),
        (
            PATCH.replace("f.gq", "__cluster/state.json"),
            "the patch is about 'a/__cluster/state.json b/__cluster/state.json', which is no file of config",
        ),
        (
            PATCH.replace("b/f.gq\n---", "b/g.gq\n---"),
            "the patch is about 'a/f.gq b/g.gq', which is no file of config",
        ),
        (
            PATCH.replace("+++ b/f.gq", "+++ b/g.gq"),
            "the patch of `f.gq` has no hunk, or another header than files of config have",
        ),
        (
            PATCH.replace("--- a/f.gq", "old mode 100644\nnew mode 100755\n--- a/f.gq"),
            "the patch of `f.gq` has no hunk, or another header than files of config have",
        ),
        (
            PATCH.partition("---")[0],
            "the patch of `f.gq` has no hunk, or another header than files of config have",
        ),
        (PATCH + "GIT binary patch\n", "hunk 1 of `f.gq` does not fit: no hunk begins here; one file is edited at a time"),
        (PATCH.replace("@@ -1 +1 @@", "@@ -1 +2 @@"), "hunk 1 of `f.gq` does not fit: the hunk says line 2 of the new file, but it is 1"),
    ],
)  # fmt: skip
def test_a_patch_of_another_form_is_refused_whole(patch: str, message: str) -> None:
    refused = applied({"f.gq": b"a\n"}, with_patch(patch))

    assert isinstance(refused, Diagnostic)
    assert (refused.code, refused.message) == ("change_set_conflict", message)


def test_a_patch_names_its_files() -> None:
    assert patched_paths(body_of(OLD, NEW).patch) == (
        "a.pg",
        "cluster.yaml",
        "gone.gq",
        "made/by me.gq",
        "made/empty.gq",
        "q.gq",
    )
    assert isinstance(patched_paths("x"), Diagnostic)


@pytest.mark.parametrize("data", [b"\xff", b"a\0b"])
def test_what_is_no_text_cannot_be_in_a_change_set(data: bytes) -> None:
    refused = changeset_of_files({}, {"f.gq": data}, base=BASE, merge=MergePlan(), result=RESULT)

    assert isinstance(refused, Diagnostic)
    assert (refused.code, refused.path) == ("change_set_not_text", "f.gq")
    assert changeset_of_files(
        {"f.gq": data}, {"f.gq": data}, base=BASE, merge=MergePlan(), result=RESULT
    ) == body_of({}, {})


@pytest.mark.parametrize("path", ["/etc/x.gq", "../x.gq", ".env", "__cluster/x", "a\nb", "a//b"])
def test_what_is_no_config_cannot_be_in_a_change_set(path: str) -> None:
    refused = changeset_of_files({}, {path: b"x"}, base=BASE, merge=MergePlan(), result=RESULT)

    assert isinstance(refused, Diagnostic)
    assert refused.code == "path_not_config"


def test_a_line_that_does_not_fit_is_told_without_its_secret() -> None:
    secret = "ghp_" + "a1B2" * 6
    refused = applied({"f.gq": f"key {secret}\n".encode()}, with_patch(PATCH))

    assert isinstance(refused, Diagnostic)
    assert "line 1 is 'key [redacted]\\n'" in refused.message


PARTS = st.lists(st.from_regex(r"[a-zäß日 _-]{1,4}", fullmatch=True), min_size=1, max_size=2)
PATHS = PARTS.map("/".join).filter(lambda p: p.strip(" ") == p and " /" not in p and "/ " not in p)
LINES = st.lists(
    st.sampled_from(["a", "b", "", " x", "-y", "+z", "@@ -1 +1 @@", "\\ No newline", "é\r"])
    | st.sampled_from(["--- a/f", "+++ b/f", "diff --git a/f b/f", "\x0c", "\u2028", "\x85", "\r"])
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\n"), max_size=4),
    max_size=10,
)
TEXTS = st.builds(
    lambda lines, end: ("\n".join(lines) + ("\n" if lines and end else "")).encode(),
    LINES,
    st.booleans(),
)
FOLDERS = st.dictionaries(PATHS, TEXTS, max_size=4)


@st.composite
def edited(draw: st.DrawFn) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """A folder, and what became of it."""
    before = draw(FOLDERS)
    after = {path: draw(st.just(data) | TEXTS) for path, data in before.items()}
    for path in draw(st.sets(st.sampled_from([*before]))) if before else ():
        del after[path]
    return before, after | draw(FOLDERS)


@given(edited())
@example(({"f": b""}, {}))
@example(({}, {"f": b""}))
@example(({"f": b"a\r\nb"}, {"f": b"a\nb\r\n"}))
@example(({"f": b"a"}, {"f": b"a\n"}))
@example(({"f": b"-- x\n"}, {"f": b"++ x\n"}))
def test_a_replay_is_byte_exact(folders: tuple[dict[str, bytes], dict[str, bytes]]) -> None:
    before, after = folders
    body = body_of(before, after)

    assert applied(before, body) == after
    assert applied(after, body_of(after, before)) == before
    assert decode_changeset(changeset_bytes(body)) == body


@given(edited(), st.data())
def test_on_another_base_a_patch_fits_whole_or_changes_nothing(
    folders: tuple[dict[str, bytes], dict[str, bytes]], data: st.DataObject
) -> None:
    before, after = folders
    other = before | data.draw(FOLDERS)
    kept = dict(other)

    found = applied(other, body_of(before, after))

    assert other == kept
    if isinstance(found, Diagnostic):
        assert found.code == "change_set_conflict"
    else:
        differing = {p for p in {*before, *after} if before.get(p) != after.get(p)}
        assert {p: d for p, d in found.items() if p not in differing} == {
            p: d for p, d in other.items() if p not in differing
        }
        assert all(path in found for path in differing if path in after)


@given(st.text(max_size=200) | st.text("@-+ \\ab\n", max_size=60).map(lambda t: PATCH + t))
@settings(max_examples=200)
def test_any_text_is_applied_or_refused(patch: str) -> None:
    found = applied({"f.gq": b"a\n"}, with_patch(patch))

    assert isinstance(found, Diagnostic | dict)


CLUSTER = """\
version: 1
graphs: {social: {schema: social.pg, queries: {people: {file: people.gq}}}}
policies: {p: {file: p.yaml, applies_to: [graph.social]}}
"""
FILES = {
    "cluster.yaml": CLUSTER,
    "social.pg": "node Person { name: String @key }\n",
    "people.gq": "query people() { match { $p: Person } return { $p.name } }\n",
    "p.yaml": "version: 1\n",
}


def test_a_replay_on_a_fresh_clone_gives_the_digests_of_the_sandbox(loaded: Any) -> None:
    """Source: sandboxes 5, case 14."""
    changed = FILES | {
        "cluster.yaml": CLUSTER.replace("people.gq}", "people.gq}, ages: {file: q/ages.gq}"),
        "social.pg": "node Person { name: String @key age: I32? }",
        "q/ages.gq": "query ages() { match { $p: Person } return { $p.age } }\n",
    }
    base, sandbox = loaded(FILES).desired, loaded(changed).desired

    body = changeset(base, sandbox, cluster_id="z6", seq=3, merge=MergePlan())
    assert isinstance(body, ChangeSetBody)
    clone = applied({path: text.encode() for path, text in FILES.items()}, body)
    assert not isinstance(clone, Diagnostic)
    again = loaded(clone)

    assert divergence(body, again) is None
    assert again.desired.resource_digests == sandbox.resource_digests
    assert again.source_digest == sandbox.source_digest == body.result.source_digest
    assert (body.base.seq, body.base.config_digest) == (3, base.config_digest)


def test_a_replay_that_gives_something_else_is_told(loaded: Any) -> None:
    base = loaded(FILES).desired
    body = changeset(base, base, cluster_id="z6", seq=None, merge=MergePlan())
    assert isinstance(body, ChangeSetBody)
    result = body.result
    forged = [
        msgspec.structs.replace(result, source_digest="x"),
        msgspec.structs.replace(result, config_digest="x"),
        msgspec.structs.replace(
            result, resource_digests={**result.resource_digests, "policy.p": "x"}
        ),
    ]
    found = [divergence(msgspec.structs.replace(body, result=r), loaded(FILES)) for r in forged]
    broken = divergence(body, loaded(FILES | {"people.gq": "query ("}))

    assert [(d.code, d.path) for d in found if d is not None] == [
        ("change_set_diverged", "source"),
        ("change_set_diverged", "config"),
        ("change_set_diverged", "policy.p"),
    ]
    assert broken is not None
    assert broken.message.endswith("the files do not load without errors")
    assert divergence(body, loaded(FILES)) is None


def test_a_change_set_is_named_by_all_that_it_says() -> None:
    rows = fold_rows([ChangedRow(graph="g", type_name="A", key="k", before=None, after={})])
    source = MergeSource(graph="g", branch="sandbox/01S", commit=4, into_commit=2)
    merge = merge_plan([source], rows, protected=("graph.g",))
    body = msgspec.structs.replace(body_of(OLD, NEW), merge=merge)
    digests = {
        changeset_digest(body),
        changeset_digest(body_of(OLD, NEW)),
        changeset_digest(body_of(NEW, OLD)),
        changeset_digest(msgspec.structs.replace(body, base=msgspec.structs.replace(BASE, seq=8))),
        changeset_digest(
            msgspec.structs.replace(body, result=msgspec.structs.replace(RESULT, config_digest="d"))
        ),
    }

    assert decode_changeset(changeset_bytes(body)) == body
    assert changeset_digest(decode_changeset(changeset_bytes(body))) == changeset_digest(body)
    assert len(digests) == 5


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"more": 1}, {"patch": None}, {"base": {}}, {"merge": {"x": 1}}]
)
def test_what_has_another_form_is_no_change_set(change: dict[str, object]) -> None:
    plain = json.loads(changeset_bytes(body_of({}, {}))) | change
    data = json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()

    for other in (data, changeset_bytes(body_of(OLD, NEW)) + b"\n"):
        with pytest.raises(ChangeSetError):
            decode_changeset(other)

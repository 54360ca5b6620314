"""Unified diffs are applied exactly, or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.domain.config.patches import PatchFault, apply_patch, render_patch

TEXT = "a\nb\nc\nd\n"
GOOD = """\
--- a/f.txt
+++ b/f.txt
@@ -1,3 +1,4 @@
 a
-b
+B
+B2
 c
"""


def test_a_diff_that_fits_is_applied() -> None:
    assert apply_patch(TEXT, GOOD, path="f.txt") == "a\nB\nB2\nc\nd\n"


def test_a_diff_needs_no_headers_and_may_leave_blank_context_bare() -> None:
    assert apply_patch("a\n\nb\n", "@@ -1,3 +1,3 @@\n a\n\n-b\n+c", path="f") == "a\n\nc\n"


def test_a_new_file_comes_from_nothing() -> None:
    diff = "--- /dev/null\n+++ b/f\n@@ -0,0 +1,2 @@\n+x\n+y\n"

    assert apply_patch("", diff, path="f") == "x\ny\n"


def test_a_missing_last_newline_is_part_of_the_text() -> None:
    diff = "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n"

    assert apply_patch("a", diff, path="f") == "a\n"
    assert isinstance(apply_patch("a\n", diff, path="f"), PatchFault)


@pytest.mark.parametrize(
    ("diff", "message"),
    [
        ("", "the diff has no hunk"),
        ("B\n", "no hunk begins here; one file is edited at a time"),
        ("--- a/f.txt\n+++ b/f.txt\n", "the diff has no hunk"),
        (GOOD.replace(" c", " x"), "line 3 is 'c\\n', but the diff expects 'x\\n'"),
        (GOOD.replace("-1,3 +1,4", "-2,3 +2,4"), "line 2 is 'b\\n', but the diff expects 'a\\n'"),
        (GOOD.replace("+1,4", "+2,4"), "the hunk says line 2 of the new file, but it is 1"),
        (GOOD.replace("-1,3", "-1,4"), "the hunk has fewer lines than its header says"),
        (GOOD.replace("+1,4", "+1,3"), "the hunk has other lines than its header counts"),
        (GOOD.replace("f.txt", "g.txt"), "the diff is about `a/g.txt`, not `f.txt`"),
        (GOOD.replace("+++ b/f.txt", "+++ /dev/null"), "the diff removes the file; ask for its removal instead"),
        (GOOD + GOOD, "a second file begins here; one file is edited at a time"),
        (GOOD.replace("\n a", "\n*a"), "a line of a hunk begins with a blank, `-` or `+`"),
        (GOOD + "@@ -1 +1 @@\n-a\n+z\n", "line 1 of the hunk is not in the rest of the file"),
        ("@@ -9 +9 @@\n-x\n+y\n", "line 9 of the hunk is not in the rest of the file"),
        ("@@ -4,2 +4,2 @@\n d\n-x\n+y\n", "the file ends before line 5, where the diff expects 'x\\n'"),
    ],
)  # fmt: skip
def test_a_diff_that_does_not_fit_is_refused_whole(diff: str, message: str) -> None:
    refused = apply_patch(TEXT, diff, path="f.txt")

    assert isinstance(refused, PatchFault)
    assert refused.message == message


LINES = st.lists(st.sampled_from(["a", "b", "", " x", "-y", "+z", "@@", "é\r"]), max_size=12)
TEXTS = st.builds(
    lambda lines, end: "\n".join(lines) + ("\n" if lines and end else ""), LINES, st.booleans()
)


@given(TEXTS, TEXTS)
def test_what_is_rendered_is_applied_to_the_same_text(old: str, new: str) -> None:
    diff = render_patch("f", old, new)

    assert apply_patch(old, diff, path="f") == new if old != new else diff == ""


@given(TEXTS, st.text(st.sampled_from("@ -+,12\nab\\"), max_size=80))
def test_no_diff_raises(text: str, diff: str) -> None:
    assert isinstance(apply_patch(text, diff, path="f"), str | PatchFault)

"""Runs the official conformance suites against the fixture and judges them: `make conformance`.

Of two releases: the stable one at the wire of 2025-11-25, and the newest alpha at the wires of
2025-11-25 and 2026-07-28, each with exactly the scenarios that the revision requires of a server. No
expected failures are handed over. What a revision runs without counting it (extensions as `tasks-*`,
scenarios that are pending or younger than the revision) is run and reported.
"""

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
import yaml

from agentctl.testing.shell import line_of

NODE_BIN: Final = "AGENTCTL_NODE_BIN"
"""Names the folder of programs that `.ci/node` made."""
ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = {"stable": "conformance-stable", "newest": "conformance-newest"}
TIMEOUT_S: Final = 300.0
_RESULT: Final = re.compile(r"server-(?P<scenario>.+)-\d{4}-\d\d-\d\dT[\d-]+Z")


class Suite(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one release."""

    release: str
    """A key of `PACKAGES`."""
    revision: str

    @property
    def arguments(self) -> tuple[str, ...]:
        """What chooses the scenarios; the stable release knows no requirement sets."""
        if self.release == "stable":
            return ("--suite", "all")
        return ("--requirements", self.revision)


SUITES: Final = (
    Suite(release="stable", revision="2025-11-25"),
    Suite(release="newest", revision="2025-11-25"),
    Suite(release="newest", revision="2026-07-28"),
)


class Check(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One check of a scenario, as the suite wrote it."""

    id: str
    status: str
    """`SUCCESS`, `FAILURE`, `WARNING` (a SHOULD), `SKIPPED` or `INFO`."""
    error_message: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What one run found."""

    title: str
    required: tuple[str, ...]
    """The scenarios that the revision requires of a server."""
    checks: Mapping[str, tuple[Check, ...]]
    """By scenario."""

    @property
    def failed(self) -> tuple[str, ...]:
        """The required scenarios that did not run, checked nothing, or failed a check."""
        return tuple(name for name in self.required if not self._passes(name))

    @property
    def unscored(self) -> tuple[str, ...]:
        """What was run without being required."""
        return tuple(sorted(set(self.checks) - set(self.required)))

    def counted(self, name: str) -> Counter[str]:
        """Returns how many checks of a scenario ended how."""
        return Counter(check.status for check in self.checks.get(name, ()))

    def _passes(self, name: str) -> bool:
        counted = self.counted(name)
        return counted["SUCCESS"] > 0 and counted["FAILURE"] == 0

    def lines(self) -> Iterator[str]:
        """Yields the report for people."""
        passed = len(self.required) - len(self.failed)
        yield f"{self.title}: {passed} of {len(self.required)} required server scenarios pass"
        for name in (*self.required, *self.unscored):
            counted = self.counted(name)
            mark = "ok  " if self._passes(name) else "FAIL"
            if name in self.unscored:
                mark = "pass" if self._passes(name) else "not "
            scored = "" if name in self.required else "  (reported, not required)"
            told = ", ".join(f"{counted[s]} {s.lower()}" for s in sorted(counted) if s != "INFO")
            yield f"  {mark} {name}: {told or 'did not run'}{scored}"
            yield from self._remarks(name)

    def _remarks(self, name: str) -> Iterator[str]:
        for check in self.checks.get(name, ()):
            loud = {"WARNING", "FAILURE"} if name in self.required else {"WARNING"}
            if check.status in loud:
                yield f"       {check.status.lower()} {check.id}: {check.error_message[:200]}"


def read_report(title: str, required: Sequence[str], folder: Path) -> Report:
    """Returns the report of the results that a suite left in *folder*."""
    checks: dict[str, tuple[Check, ...]] = {}
    for path in sorted(folder.glob("*/checks.json")):
        found = _RESULT.fullmatch(path.parent.name)
        assert found is not None, f"no result of a server scenario: {path.parent.name}"
        told = msgspec.json.decode(path.read_bytes(), type=list[Check])
        checks[found["scenario"]] = (*checks.get(found["scenario"], ()), *told)
    return Report(title=title, required=tuple(required), checks=checks)


def required_of(node_modules: Path, revision: str) -> tuple[str, ...]:
    """Returns the server scenarios of a revision's frozen requirement set."""
    path = node_modules / PACKAGES["newest"] / "requirements" / f"{revision}.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    return tuple(str(name) for name in document["server"])


def run_suite(suite: Suite, url: str, *, node_bin: Path, out: Path) -> Report:
    """Runs a suite against the server at *url*."""
    node_modules = node_bin.parent
    package = node_modules / PACKAGES[suite.release]
    version = msgspec.json.decode((package / "package.json").read_bytes())["version"]
    subprocess.run(
        [
            str(node_bin / "node"),
            str(package / "dist" / "index.js"),
            "server",
            *("--url", url, "--output-dir", str(out), *suite.arguments),
        ],
        cwd=out,
        env={"PATH": f"{node_bin}:{os.environ['PATH']}", "HOME": str(out)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        timeout=TIMEOUT_S,
        check=False,  # the checks that it wrote are judged, not its exit code
    )
    title = f"conformance {version} at {suite.revision}"
    return read_report(title, required_of(node_modules, suite.revision), out)


@contextmanager
def fixture(home: Path) -> Iterator[str]:
    """Serves the fixture over a fresh cluster, in a process and a home of its own; yields its URL."""
    environment = os.environ | {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}
    folder = home / "supply"
    common: dict[str, Any] = {"cwd": ROOT, "env": environment, "stdin": subprocess.DEVNULL}
    init = [sys.executable, "-m", "agentctl", "init", str(folder), "--no-passphrase"]
    subprocess.run(init, check=True, capture_output=True, **common)
    argv = [sys.executable, "-m", "tests.conformance_mcp.fixture_server", str(folder)]
    with (home / "fixture.log").open("wb") as log:
        process: subprocess.Popen[str] = subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=log, encoding="utf-8", **common
        )
    try:
        url = line_of(process).strip()
        assert url, (home / "fixture.log").read_text(encoding="utf-8")
        yield url
    finally:
        process.terminate()
        try:
            process.wait(10)
        finally:
            process.kill()
            if process.stdout is not None:
                process.stdout.close()


def main() -> int:
    """Runs all suites, prints their reports, and returns the exit code."""
    named = os.environ.get(NODE_BIN)
    if named is None:
        sys.stderr.write(f"{NODE_BIN} names no folder of programs; `make conformance` makes one\n")
        return 2
    failed = []
    with (
        TemporaryDirectory(prefix="agentctl-conformance-") as scratch,
        fixture(Path(scratch)) as url,
    ):
        for suite in SUITES:
            out = Path(scratch) / f"{suite.release}-{suite.revision}"
            out.mkdir()
            report = run_suite(suite, url, node_bin=Path(named), out=out)
            sys.stdout.write("\n".join(report.lines()) + "\n\n")
            failed += [f"{report.title}: {name}" for name in report.failed]
    for name in failed:
        sys.stdout.write(f"failed: {name}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

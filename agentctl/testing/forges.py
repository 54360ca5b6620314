"""Forges of one's own, for tests: the pull requests of GitHub and of Gitea over a real bare repository.

Each listens on the loopback interface, asks for its token, refuses what the real one refuses, and
fails when it is told to. Its branches are those of the repository that is pushed to.
"""

import contextlib
import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import parse_qs, urlsplit

import msgspec

from agentctl.domain.config.remotes import ForgeKind, ForgeProfile

TOKEN: Final = "tok-of-nobody-0123456789"  # noqa: S105  # of a server that lives for seconds
TOKEN_NAME: Final = "FORGE_TOKEN"  # noqa: S105  # the variable's name
_API: Final[Mapping[ForgeKind, str]] = {"github": "/api/v3", "gitea": "/api/v1"}
_SCHEME: Final[Mapping[ForgeKind, str]] = {"github": "Bearer", "gitea": "token"}
Json = dict[str, Any]
_Reply = tuple[int, object]


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What the forge answers instead, from its `at`-th request on, counted from 1."""

    at: int
    status: int = 500
    times: int | None = None
    """How many requests; None for all."""
    after: bool = False
    """Whether what was asked is done all the same."""
    retry_after: str | None = None

    def hits(self, count: int) -> bool:
        """Returns whether the *count*-th request fails."""
        return count >= self.at and (self.times is None or count < self.at + self.times)


class FakeForge:
    """One repository at a forge."""

    def __init__(self, kind: ForgeKind, repository: Path, *, repo: str = "supply/cluster") -> None:
        self.kind = kind
        self.repo = repo
        self.repository = repository
        """The bare repository that its branches are in."""
        self.pulls: list[Json] = []
        self.asked: list[str] = []
        """Method and path of each request, in order."""
        self.fault: Fault | None = None
        self.port = 0
        self.page_max = 50
        self._numbers = 0
        self._lock = threading.Lock()

    @property
    def profile(self) -> ForgeProfile:
        """What cluster.yaml says of it."""
        api = f"http://127.0.0.1:{self.port}{_API[self.kind]}"
        return ForgeProfile(kind=self.kind, api=api, repo=self.repo, token="${" + TOKEN_NAME + "}")

    def fail(self, fault: Fault | None) -> None:
        """Fails so from now on; requests are counted anew."""
        with self._lock:
            self.fault = fault
            self.asked.clear()

    def merge(self, number: int) -> None:
        """Merges a pull request, as a person would: the base gets a merge commit."""
        pull = self._pull(number)
        head, base = self._tip(pull["head"]["ref"]), self._tip(pull["base"]["ref"])
        assert head is not None
        assert base is not None
        tree = self._git("merge-tree", "--write-tree", base, head).splitlines()[0]
        who = ("-c", "user.name=sarah", "-c", "user.email=sarah@localhost")
        words = ("commit-tree", tree, "-p", base, "-p", head, "-m", f"Merge #{number}")
        made = self._git(*who, *words).strip()
        self._git("update-ref", f"refs/heads/{pull['base']['ref']}", made, base)
        pull |= {"state": "closed", "merged": True, "merged_at": "2026-01-01T00:00:00Z"}

    def close(self, number: int) -> None:
        """Closes a pull request without merging it."""
        self._pull(number)["state"] = "closed"

    def reopen(self, number: int) -> None:
        """Opens a closed pull request again."""
        self._pull(number)["state"] = "open"

    def delete(self, number: int) -> None:
        """Takes a pull request away altogether."""
        self.pulls.remove(self._pull(number))

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> _Reply:
        """Returns the status and the JSON of an answer; 0 where a fault takes its place."""
        parts = urlsplit(target)
        with self._lock:
            self.asked.append(f"{method} {parts.path}")
            fault = self.fault
            if fault is not None and fault.hits(len(self.asked)):
                if fault.after:
                    self._right_answer(method, parts.path, parse_qs(parts.query), headers, body)
                said = f"it broke while it looked at {headers.get('authorization')}\x1b[31m"
                return fault.status, {"message": said}
            return self._right_answer(method, parts.path, parse_qs(parts.query), headers, body)

    def _right_answer(  # noqa: PLR0911  # one return a route
        self,
        method: str,
        path: str,
        query: Mapping[str, list[str]],
        headers: Mapping[str, str],
        body: bytes,
    ) -> _Reply:
        if headers.get("authorization") != f"{_SCHEME[self.kind]} {TOKEN}":
            return 401, {"message": "Bad credentials"}
        if self.kind == "github" and not headers.get("user-agent"):
            return 403, {"message": "Request forbidden by administrative rules."}
        root = f"{_API[self.kind]}/repos/{self.repo}"
        match method, path.removeprefix(root).split("/") if path.startswith(root) else None:
            case "GET", [""]:
                return 200, {"full_name": self.repo}
            case "GET", ["", "pulls"]:
                return 200, self._listed({name: values[0] for name, values in query.items()})
            case "POST", ["", "pulls"]:
                return self._opened(json.loads(body))
            case "GET", ["", "pulls", number]:
                found = [pull for pull in self.pulls if str(pull["number"]) == number]
                return (200, self._shown(found[0])) if found else (404, {"message": "Not Found"})
            case _:
                return 404, {"message": "Not Found"}

    def _listed(self, query: Mapping[str, str]) -> list[Json]:
        newest = sorted(self.pulls, key=lambda pull: -pull["number"])
        state = query.get("state", "open")
        found = [pull for pull in newest if state in {"all", pull["state"]}]
        if self.kind == "github":
            owner = self.repo.partition("/")[0]
            if "head" in query:
                found = [p for p in found if query["head"] == f"{owner}:{p['head']['ref']}"]
            if "base" in query:
                found = [p for p in found if query["base"] == p["base"]["ref"]]
        size = min(
            int(query.get("limit" if self.kind == "gitea" else "per_page", "30")), self.page_max
        )
        start = (int(query.get("page", "1")) - 1) * size
        return [self._shown(pull) for pull in found[start : start + size]]

    def _opened(self, asked: Json) -> _Reply:
        missing = [name for name in ("title", "head", "base") if not asked.get(name)]
        head, base = self._tip(asked.get("head", "")), self._tip(asked.get("base", ""))
        if missing or len(asked["title"]) > 255:
            return 422, {"message": "Validation Failed", "errors": [{"field": "title"}]}
        if head is None or base is None:
            field = "head" if head is None else "base"
            if self.kind == "gitea":
                return 404, {"message": f"branch does not exist [{field}]"}
            errors = [{"resource": "PullRequest", "field": field, "code": "invalid"}]
            return 422, {"message": "Validation Failed", "errors": errors}
        if any(p["state"] == "open" and p["head"]["ref"] == asked["head"] for p in self.pulls):
            return self._exists(asked["head"])
        if self._git("rev-list", "--count", f"{base}..{head}").strip() == "0":
            errors = [{"message": f"No commits between {asked['base']} and {asked['head']}"}]
            return 422, {"message": "Validation Failed", "errors": errors}
        self._numbers += 1
        pull: Json = {
            "number": self._numbers,
            "title": asked["title"],
            "body": asked.get("body", ""),
            "state": "open",
            "merged": False,
            "merged_at": None,
            "head": {"ref": asked["head"], "repo": {"full_name": self.repo}},
            "base": {"ref": asked["base"], "repo": {"full_name": self.repo}},
        }
        self.pulls.append(pull)
        return 201, self._shown(pull)

    def _exists(self, head: str) -> _Reply:
        if self.kind == "gitea":
            return 409, {"message": "pull request already exists for these targets"}
        owner = self.repo.partition("/")[0]
        told = f"A pull request already exists for {owner}:{head}."
        errors = [{"resource": "PullRequest", "code": "custom", "message": told}]
        return 422, {"message": "Validation Failed", "errors": errors}

    def _shown(self, pull: Json) -> Json:
        """Returns it as the API does; GitHub's tells `merged` only of one, and `merged_at` of all."""
        if pull["state"] == "open":
            pull["head"]["sha"] = self._tip(pull["head"]["ref"])
        word = "pull" if self.kind == "github" else "pulls"
        shown = {
            **pull,
            "html_url": f"http://127.0.0.1:{self.port}/{self.repo}/{word}/{pull['number']}",
        }
        if self.kind == "github":
            del shown["merged"]
        return shown

    def _pull(self, number: int) -> Json:
        return next(pull for pull in self.pulls if pull["number"] == number)

    def _tip(self, branch: str) -> str | None:
        with contextlib.suppress(subprocess.CalledProcessError):
            return self._git("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}").strip()
        return None

    def _git(self, *words: str) -> str:
        return subprocess.run(  # noqa: S603  # our own words, no shell
            ["git", "-C", str(self.repository), *words],  # noqa: S607
            check=True,
            capture_output=True,
            text=True,
        ).stdout


@contextlib.contextmanager
def fake_forge(
    kind: Literal["github", "gitea"], repository: Path, *, repo: str = "supply/cluster"
) -> Iterator[FakeForge]:
    """Runs a forge for the bare *repository* until the end of the block."""
    forge = FakeForge(kind, repository, repo=repo)
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(forge)) as server:
        forge.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield forge
        finally:
            server.shutdown()
            thread.join()


def _handler(forge: FakeForge) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as it is declared
            """Says nothing."""

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, told = forge.answer(self.command, self.path, headers, body)
            data = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            if forge.fault is not None and forge.fault.retry_after is not None:
                self.send_header("retry-after", forge.fault.retry_after)
            self.end_headers()
            self.wfile.write(data)

    return Handler

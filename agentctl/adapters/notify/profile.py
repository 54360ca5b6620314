"""The `notify:` section of the operator's profile, which lies outside every cluster's folder.

``$XDG_CONFIG_HOME/agentctl/profile.yaml``. Nothing of it is ever in a digest, and a secret stands in
it as a reference ``${NAME}`` only. Source: access-and-faces 3.5, control-plane 3.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import yaml

from agentctl.diagnostics.diagnostic import Diagnostic, warning
from agentctl.domain.approval.notices import Event

PROFILE: Final = "profile.yaml"
PROFILE_BYTES_MAX: Final = 1 << 16
_REFERENCE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Target(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to tell people; exactly one of `command`, `url` and `file`."""

    command: tuple[str, ...] = ()
    """Gets the notice as JSON on stdin; no shell."""
    url: str | None = None
    """Gets the notice by POST, with its signature in a header."""
    secret: str | None = None
    """``${NAME}``; what the signature of a webhook is made with."""
    file: str | None = None
    """Gets one line of JSON a notice."""
    events: tuple[Event, ...] = ()
    """Which ones; empty for all."""

    @property
    def name(self) -> str:
        """How messages name it; never with what a URL may carry besides its host."""
        if self.url is not None:
            return f"webhook {urlsplit(self.url).hostname}"
        return f"command {self.command[0]}" if self.command else f"file {self.file}"

    @property
    def secret_name(self) -> str | None:
        """The environment variable that holds the secret."""
        found = _REFERENCE.fullmatch(self.secret) if self.secret is not None else None
        return found[1] if found is not None else None


class _Profile(msgspec.Struct, frozen=True, kw_only=True):
    notify: tuple[Target, ...] = ()


class Targets(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to tell, and what is wrong with the section where nobody is told for that."""

    targets: tuple[Target, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


def profile_path(environ: Mapping[str, str], home: Path) -> Path:
    """Returns where the operator's profile is, in ``~/.config`` where XDG says nothing."""
    base = environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if base.startswith("/") else home / ".config") / "agentctl" / PROFILE


def read_targets(path: Path) -> Targets:
    """Returns whom the profile says to tell; nobody where there is none."""
    try:
        with path.open("rb") as file:
            data = file.read(PROFILE_BYTES_MAX + 1)
    except FileNotFoundError:
        return Targets()
    except OSError as failure:
        return _invalid(path, f"it cannot be read: {failure.strerror}")
    if len(data) > PROFILE_BYTES_MAX:
        return _invalid(path, f"it is longer than {PROFILE_BYTES_MAX} bytes")
    try:
        written: Any = yaml.safe_load(data)
        profile = msgspec.convert(written if written is not None else {}, _Profile)
    except (yaml.YAMLError, UnicodeDecodeError):
        return _invalid(path, "it is no YAML")
    except msgspec.ValidationError as wrong:
        return _invalid(path, str(wrong))
    faults = [why for target in profile.notify if (why := _fault(target)) is not None]
    return _invalid(path, faults[0]) if faults else Targets(targets=profile.notify)


def _fault(target: Target) -> str | None:
    ways = [way for way in (target.command, target.url, target.file) if way]
    named = target.secret_name is not None
    checks = (
        (len(ways) == 1, "each entry of notify has one of command, url and file"),
        ((target.file or "/").startswith("/"), "a file of notify is named by its whole path"),
        (target.secret is None or named, "a secret is a reference ${NAME}, never the value itself"),
        (target.secret is None or target.url is not None, "only a url has a secret"),
        (target.url is None or named, "a url of notify is signed: it needs a secret"),
        (target.url is None or _is_safe(target.url), "a url of notify begins with https://, or is"
         " of this machine, and carries no password"),
    )  # fmt: skip
    return next((why for holds, why in checks if not holds), None)


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    return (parts.scheme == "https" or local) and parts.username is None and parts.password is None


def _invalid(path: Path, why: str) -> Targets:
    told = warning(
        "notify_invalid",
        str(path),
        f"nobody is told: {why}",
        remedy="agentctl explain notify_invalid",
    )
    return Targets(diagnostics=(told,))

"""Hands a notice to a command, a signed webhook or a file; what fails is told and blocks nothing.

The signature of a webhook is ``Agentctl-Signature: sha256=<hex>``, HMAC-SHA256 over the exact body.
Redirects are not followed, answers are not read. Source: access-and-faces 3.5.
"""

import hashlib
import hmac
import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import anyio

from agentctl.adapters.notify.profile import Target
from agentctl.canonical import canonical_bytes
from agentctl.diagnostics.diagnostic import Diagnostic, warning
from agentctl.domain.approval.notices import Notice

TIMEOUT_S: Final = 5.0
"""For each target; a command that takes longer is left to itself no more."""
SIGNATURE: Final = "Agentctl-Signature"
_MODE: Final = 0o600
_KEPT: Final = ("PATH", "HOME", "LANG", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY")
"""What of the environment a command sees: no secret of the process is in it."""


async def deliver(
    notice: Notice, targets: Iterable[Target], environ: Mapping[str, str]
) -> tuple[Diagnostic, ...]:
    """Tells every target that wants the event, one after the other; returns what did not work."""
    body = canonical_bytes(notice)
    failed: list[Diagnostic] = []
    for target in targets:
        if target.events and notice.event not in target.events:
            continue
        try:
            with anyio.fail_after(TIMEOUT_S):
                why = await _hand_over(target, body, environ)
        except TimeoutError:
            why = f"it took longer than {TIMEOUT_S:g} s"
        if why is not None:
            failed.append(_failed(notice, target, why))
    return tuple(failed)


def signature_of(body: bytes, secret: str) -> str:
    """Returns what the header of a webhook says about its body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


async def _hand_over(target: Target, body: bytes, environ: Mapping[str, str]) -> str | None:
    if target.command:
        return await _run(target.command, body, environ)
    if target.url is not None:
        return await _post(target, target.url, body, environ)
    assert target.file is not None
    return await anyio.to_thread.run_sync(_append, Path(target.file), body + b"\n")


async def _run(command: tuple[str, ...], body: bytes, environ: Mapping[str, str]) -> str | None:
    seen = {name: environ[name] for name in _KEPT if name in environ}
    try:
        done = await anyio.run_process(
            list(command),
            input=body,
            env=seen,
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except OSError as failure:
        return f"it cannot be run: {failure.strerror}"
    return None if done.returncode == 0 else f"it ended with {done.returncode}"


async def _post(target: Target, url: str, body: bytes, environ: Mapping[str, str]) -> str | None:
    import httpx2

    name = target.secret_name
    secret = environ.get(name, "") if name is not None else ""
    if not secret:
        return f"the variable {name} is not set, so nothing can be signed"
    headers = {"Content-Type": "application/json", SIGNATURE: signature_of(body, secret)}
    try:
        async with httpx2.AsyncClient(follow_redirects=False, timeout=TIMEOUT_S) as client:
            answer = await client.post(url, content=body, headers=headers)
    except httpx2.HTTPError as failure:
        return f"it cannot be reached: {type(failure).__name__}"
    return None if answer.is_success else f"it answered {answer.status_code}"


def _append(path: Path, line: bytes) -> str | None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _MODE)
        with os.fdopen(descriptor, "ab") as file:
            file.write(line)
    except OSError as failure:
        return f"it cannot be written: {failure.strerror}"
    return None


def _failed(notice: Notice, target: Target, why: str) -> Diagnostic:
    return warning(
        "notify_failed",
        notice.resource,
        f"{target.name} was not told of {notice.event}: {why}",
        remedy="agentctl notify --test",
    )

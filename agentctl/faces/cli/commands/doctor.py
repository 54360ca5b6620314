"""`agentctl doctor`."""

from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.options import example, shared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentctl_tools.doctor import DoctorAnswer


@click.command(
    "doctor",
    epilog=example("agentctl doctor", "agentctl doctor --trust", "agentctl doctor --storage"),
)
@click.option("--trust", is_flag=True, help="Only what holds against whom on this machine.")
@click.option("--storage", is_flag=True, help="Only the storage root, and its bucket policy.")
@click.option("--sandboxes", is_flag=True, help="Only what sandboxes of commands need here.")
@shared
def command(trust: bool, storage: bool, sandboxes: bool, **_: object) -> None:  # noqa: FBT001  # flags
    """Check that the cluster is whole, and say what holds against whom on this machine."""
    from agentctl.faces.cli.session import run_operation

    only = trust or storage or sandboxes
    show = _storage_text if storage else _sandboxes_text if sandboxes else _text
    asked = {
        "trust_only": only,
        "storage": storage or not only,
        "sandboxes": sandboxes or not only,
    }
    run_operation("doctor", asked, show=show)


def _text(data: "DoctorAnswer") -> str:
    lines = [data.trust_line]
    if data.audit_length is not None:
        lines.append(f"audit: {data.audit_length} records")
    return "\n".join([*lines, *_storage_lines(data), *_sandbox_lines(data)])


def _storage_text(data: "DoctorAnswer") -> str:
    lines = [*_storage_lines(data), *_sandbox_lines(data)]
    if data.bucket_policy is not None:
        lines += ["", "Bucket policy that enforces it; put your account and role in:", ""]
        lines.append(data.bucket_policy)
    return "\n".join(lines)


def _sandboxes_text(data: "DoctorAnswer") -> str:
    return "\n".join(_sandbox_lines(data))


def _storage_lines(data: "DoctorAnswer") -> "Iterator[str]":
    if not data.storage:
        return
    yield f"storage: {data.storage_uri}"
    for ability in data.storage:
        yield f"  {ability.holds:<7}  {ability.name}: {ability.says}"


def _sandbox_lines(data: "DoctorAnswer") -> "Iterator[str]":
    if not data.sandboxes:
        return
    yield "sandboxes of commands:"
    for ability in data.sandboxes:
        yield f"  {ability.holds:<7}  {ability.name}: {ability.says}"

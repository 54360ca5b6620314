"""The difference between two snapshots of a sandbox, with every list filled. Source: sandboxes 4, Diff.

Pure: who calls it has loaded the config of both, read the schemas, folded the rows
(`row_difference`) and read the commands. Equal snapshots have no difference, and the difference
backwards is the same one with its sides exchanged.
"""

from collections.abc import Iterable, Mapping

import msgspec

from agentctl.domain.config.model import DesiredCluster
from agentctl.domain.ops.redaction import redact_text
from agentctl.domain.sandbox.difference import ChangeDiff, CommandSummary, RowChanges
from agentctl.domain.sandbox.schema_difference import schema_difference
from agentctl.domain.sandbox.service_difference import service_difference
from agentctl.languages.schema.ir import SchemaIr


class SnapshotView(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot holds, as far as a difference looks at it."""

    files: Mapping[str, str]
    """SHA-256 of the config's files, by path."""
    config: DesiredCluster | None
    """What they declare; None where they have errors."""
    schemas: Mapping[str, SchemaIr]
    """By graph id, with identities: as the graphs hold them, or `wanted_schemas`."""


def diff(
    before: SnapshotView,
    after: SnapshotView,
    *,
    rows: Iterable[RowChanges] = (),
    commands: Iterable[CommandSummary] = (),
) -> ChangeDiff:
    """Returns what differs.

    Args:
        before: the earlier snapshot.
        after: the later one.
        rows: what became of the rows, by `RowFold`.
        commands: those that were run between the two.
    """
    was, now = before.files, after.files
    packages = schema_difference(before.schemas, after.schemas)
    return ChangeDiff(
        files_added=tuple(sorted(path for path in now if path not in was)),
        files_modified=tuple(sorted(path for path in now if was.get(path, now[path]) != now[path])),
        files_removed=tuple(sorted(path for path in was if path not in now)),
        packages_added=packages.added,
        packages_changed=packages.changed,
        packages_removed=packages.removed,
        services_changed=service_difference(
            before.config, after.config, same_files=dict(was) == dict(now)
        ),
        rows=tuple(
            sorted(
                (r for r in rows if r.added or r.changed or r.removed),
                key=lambda r: (r.graph, r.type_name),
            )
        ),
        commands_run=tuple(
            sorted(
                (msgspec.structs.replace(c, cmd=redact_text(c.cmd)) for c in commands),
                key=lambda c: (c.at, c.cmd, c.exit_code),
            )
        ),
    )

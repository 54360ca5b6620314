"""External blobs: where a graph's blobs may lie outside of it.

Bases are ``s3://`` or ``file://`` URIs without user, query or fragment; one under another is
refused, since it would say two things about one place. Source: control-plane 1.1, 1.8 and 1.11.
"""

import posixpath
import re
from typing import Final, NamedTuple, cast
from urllib.parse import unquote

from agentctl.diagnostics.bag import Bag
from agentctl.diagnostics.diagnostic import Diagnostic, Related, error, warning
from agentctl.diagnostics.span import Span
from agentctl.domain.config.model import BlobBase, BlobScope, DesiredCluster
from agentctl.domain.config.secrets import looks_secret
from agentctl.domain.config.snapshot import FolderSnapshot
from agentctl.domain.config.written import WrittenBlobBase, WrittenCluster, WrittenGraph
from agentctl.ids import graph_address

_URI: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)", re.ASCII)
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)


def normal_blob_base(written: str) -> str | None:
    """Returns the one spelling of a base's URI, None where it is none that blobs may lie under.

    The scheme is in small letters; a path has no ``.``, ``..`` or empty part and no final ``/``;
    ``file://localhost/`` is ``file:///``.
    """
    text = written.strip()
    match = _URI.fullmatch(text)
    if match is None or any(ord(character) < 32 for character in text):
        return None
    scheme, authority, path = match.group(1).lower(), match.group(2), match.group(3)
    path = posixpath.normpath("/" + path.lstrip("/")) if path else "/"
    tail = "" if path == "/" else path
    if scheme == "s3":
        return f"s3://{authority}{tail}" if _BUCKET.fullmatch(authority) else None
    if scheme == "file" and authority.lower() in {"", "localhost"} and match.group(3):
        return f"file://{path}"
    return None


def blob_folder(uri: str) -> str | None:
    """Returns the absolute path of a ``file://`` base in its one spelling, None for another one."""
    return unquote(uri.removeprefix("file://")) if uri.startswith("file://") else None


class _Base(NamedTuple):
    key: str
    """Sorts a base just before those under it."""
    place: int
    base: BlobBase
    where: Span | None


def external_blobs(graph: WrittenGraph, snapshot: FolderSnapshot, bag: Bag) -> tuple[BlobBase, ...]:
    """Returns the bases that a graph allows, sorted by URI; faults go to the bag."""
    path = graph_address(graph.id.text)
    found: list[_Base] = []
    for place, written in enumerate(graph.external_blobs):
        if not written.base or not written.scope:
            continue
        uri = normal_blob_base(written.base)
        fault = _base_fault(written, uri, snapshot)
        if fault is not None or uri is None:
            message, remedy = fault or ("", "")
            where = written.where
            bag.add(error("invalid_external_blob_base", path, message, where=where, remedy=remedy))
            continue
        base = BlobBase(uri=uri, scope=cast("BlobScope", written.scope))
        found.append(_Base(uri.rstrip("/") + "/", place, base, written.where))
    found.sort(key=lambda one: (one.key, one.place))
    _overlaps(found, path, bag)
    return tuple(sorted(one.base for one in found))


def _base_fault(
    written: WrittenBlobBase, uri: str | None, snapshot: FolderSnapshot
) -> tuple[str, str] | None:
    if uri is None:
        shown = "an external blob base" if looks_secret(written.base) else f"`{written.base}`"
        message = f"{shown} is no place that blobs may lie under"
        return message, "Write `s3://bucket/prefix` or `file:///folder`, without user or query."
    folder = blob_folder(uri)
    if folder is None:
        return None
    if written.scope == "server_safe":
        message = f"`{written.base}` is a folder of one machine, which is not `server_safe`"
        return message, "Write `scope: embedded_only`, or use `s3://`."
    if folder not in snapshot.folders:
        return f"there is no folder `{folder}`", "Make the folder, or correct the path."
    return None


def _overlaps(found: list[_Base], path: str, bag: Bag) -> None:
    wide: _Base | None = None
    for one in found:
        if wide is None or not one.key.startswith(wide.key):
            wide = one
            continue
        message = f"`{one.base.uri}` and `{wide.base.uri}` overlap"
        related: tuple[Related, ...] = ()
        if wide.where is not None:
            related = (Related(where=wide.where, message=f"`{wide.base.uri}` stands here"),)
        remedy = "Keep the wider one, or make them disjoint."
        bag.add(
            error(
                "invalid_external_blob_policy",
                path,
                message,
                where=one.where,
                related=related,
                remedy=remedy,
            )
        )


def deny_warnings(desired: DesiredCluster, written: WrittenCluster) -> tuple[Diagnostic, ...]:
    """Returns one warning for each graph that allows no external blobs; only `validate` tells it."""
    where = {graph.id.text: graph.id.where for graph in written.graphs}
    return tuple(
        warning(
            "external_blob_ingress_default_deny",
            graph_address(graph.id),
            f"`graphs.{graph.id}` allows no external blobs",
            where=where.get(graph.id),
            remedy="Name places under `external_blobs.allow`, if blobs are to lie outside.",
        )
        for graph in desired.graphs
        if not graph.external_blobs
    )

"""What to read of a folder, as cluster.yaml names it."""

from collections.abc import Iterable, Iterator

from agentctl.domain.config.blobs import blob_folder, normal_blob_base
from agentctl.domain.config.cluster_file import ParsedConfig
from agentctl.domain.config.cluster_table import CLUSTER
from agentctl.domain.config.forms import Form, ListForm, MapForm, PathForm, Section
from agentctl.domain.config.given import Entries, Fieldset, Given, Items, Text
from agentctl.domain.config.paths import is_state_path, normal_path
from agentctl.domain.config.snapshot import Wanted
from agentctl.domain.config.written import QueryMap, QueryPath, QueryPaths, WrittenCluster

_READ_AS_WRITTEN = frozenset({"graphs", "policies"})
"""Sections whose paths are taken from the written form."""


def wanted(parsed: ParsedConfig) -> Wanted:
    """Returns what to read of the folder, as far as cluster.yaml could be read itself."""
    written = parsed.written
    if written is None:
        return Wanted(files=(), directories=())
    files: list[Text | None] = [policy.file for policy in written.policies]
    directories: list[Text] = []
    for graph in written.graphs:
        files.append(graph.schema)
        match graph.queries:
            case QueryPath(path=path):
                directories.append(path)
            case QueryPaths(paths=paths):
                directories.extend(paths)
            case QueryMap(entries=entries):
                files.extend(entry.file for entry in entries)
    files.extend(_paths_of_sections(written))
    return Wanted(
        files=_normal(file for file in files if file is not None),
        directories=_normal(directories),
        env_file=normal_path(written.env_file.text) if written.env_file else None,
        folders=tuple(sorted(_blob_folders(written))),
    )


def _paths_of_sections(written: WrittenCluster) -> Iterator[Text]:
    root = written.root
    for name, field in CLUSTER.fields.items():
        given = root.fields.get(name) if root is not None else None
        if given is not None and name not in _READ_AS_WRITTEN:
            yield from _paths(field.form, given)


def _paths(form: Form, given: Given) -> Iterator[Text]:
    match form, given:
        case PathForm(), Text():
            yield given
        case Section(), Fieldset():
            for name, field in form.fields.items():
                if name in given.fields:
                    yield from _paths(field.form, given.fields[name])
        case ListForm(), Items():
            for value in given.values:
                yield from _paths(form.item, value)
        case MapForm(), Entries():
            for entry in given.values:
                yield from _paths(form.value, entry.value)
        case _:
            pass


def _blob_folders(written: WrittenCluster) -> set[str]:
    uris = (normal_blob_base(b.base) for graph in written.graphs for b in graph.external_blobs)
    folders = (blob_folder(uri) for uri in uris if uri is not None)
    return {folder for folder in folders if folder is not None}


def _normal(texts: Iterable[Text]) -> tuple[str, ...]:
    paths = {normal_path(text.text) for text in texts}
    return tuple(sorted(path for path in paths if not is_state_path(path)))

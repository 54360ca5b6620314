"""What a folder has that OmniGraph 0.10 refuses, or takes for something else, as diagnostics.

The languages note what they read (`Addition`); the configuration file's own additions are found by
its table, which says of each field since when it is. Source: languages 3.1, 3.2, control-plane 3.1.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from agentctl.diagnostics.bag import sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic, error, warning
from agentctl.domain.config.cluster_table import CLUSTER
from agentctl.domain.config.forms import Form, MapForm, Section
from agentctl.domain.config.given import Entries, Fieldset, Given, Text
from agentctl.domain.config.written import WrittenCluster
from agentctl.languages.text.addition import Addition

OMNIGRAPH: Final = "omnigraph-0.10"
"""The name of the one other program that folders are compared with."""


def refused_by_omnigraph(additions: Iterable[Addition]) -> tuple[Diagnostic, ...]:
    """Returns an error for each construct that OmniGraph 0.10 refuses, sorted, each once."""
    return sort_diagnostics(
        error(
            "omnigraph_refuses",
            found.where.file,
            found.message,
            where=found.where,
            remedy=found.remedy,
        )
        for found in additions
        if found.kind == "added"
    )


def differing_in_omnigraph(additions: Iterable[Addition]) -> tuple[Diagnostic, ...]:
    """Returns a warning for each construct that OmniGraph 0.10 takes for something else."""
    return sort_diagnostics(
        warning(
            "omnigraph_reads_otherwise",
            found.where.file,
            found.message,
            where=found.where,
            remedy=found.remedy,
        )
        for found in additions
        if found.kind == "differs"
    )


def config_additions(written: WrittenCluster) -> tuple[Addition, ...]:
    """Returns what cluster.yaml has that OmniGraph 0.10 does not, in order of the file."""
    fields = () if written.root is None else _added(written.root, CLUSTER, "")
    files = (policy.file for policy in written.policies if policy.file is not None)
    return tuple(sorted((*fields, *_cedar_files(files)), key=lambda a: a.where))


def _cedar_files(files: Iterable[Text]) -> Iterator[Addition]:
    for file in files:
        if file.text.endswith(".cedar") and file.where is not None:
            yield Addition(
                kind="added",
                feature="cedar-file",
                where=file.where,
                message=f"`{file.text}`, a policy in Cedar; 0.10 reads YAML only",
                remedy="Write the policy as YAML.",
            )


def _added(given: Given, form: Form, path: str) -> Iterator[Addition]:
    match given, form:
        case Fieldset(), Section():
            for name, value in given.fields.items():
                field = form.fields.get(name)
                if field is None:
                    continue
                inner = f"{path}.{name}" if path else name
                if field.since is None:
                    yield from _added(value, field.form, inner)
                else:
                    yield Addition(
                        kind="added",
                        feature="cluster-field",
                        where=given.keys[name],
                        message=f"`{inner}`, a field that 0.10 does not know and refuses",
                        remedy="Take it out, or keep it in a folder of its own for agentctl.",
                    )
        case Entries(), MapForm():
            for entry in given.values:
                yield from _added(entry.value, form.value, f"{path}.{entry.key.text}")
        case _:
            return

"""The one table of cluster.yaml: every field with its form and what it is for.

`cluster_file` reads the file by it, `agentctl json-schema` prints it for editors, and
`docs/cluster-yaml.md` repeats its sentences. Source: control-plane 1.1 and 3.1, seeds/000.
"""

from typing import Final

from agentctl.domain.config.forms import (
    BooleanForm,
    ChoiceForm,
    EnvFileForm,
    Field,
    ListForm,
    MapForm,
    PathForm,
    ReferenceForm,
    Refused,
    SecretForm,
    Section,
    TextForm,
    UntaggedForm,
    VersionForm,
)
from agentctl.domain.config.publication_table import PUBLICATION
from agentctl.domain.config.sections_table import (
    ALIAS,
    APPLY,
    APPROVAL,
    BINDING,
    DASHBOARD,
    EMBEDDING,
    FORGET,
    MOVE,
    OPS,
    PIPELINE,
    PROTECT,
)
from agentctl.domain.config.sources_table import SOURCE_PROVIDER, STORAGE_PROVIDER

EMBEDDING_KINDS: Final = ("openai-compatible", "openai", "gemini", "mock")
BLOB_SCOPES: Final = ("server_safe", "embedded_only")

_EXPOSED: Final = Refused(
    message="`{name}` is no field of a cluster",
    remedy="Exposure is a policy decision: take the field out, and allow `invoke_query` in a rule"
    " of a policy that applies to the graph.",
)
_EXPOSURE: Final = {"expose": _EXPOSED, "mcp": _EXPOSED}

_EMBEDDING_PROVIDER: Final = Section(
    code="invalid_embedding_provider",
    fields={
        "kind": Field(
            form=ChoiceForm(values=EMBEDDING_KINDS, code="invalid_embedding_provider"),
            about="Which interface the provider speaks.",
            default="openai-compatible",
            alias="provider",
            since=None,
        ),
        "base_url": Field(
            form=TextForm(
                pattern=r"https?://[^\s/?#@]+[^\s@]*",
                what="http or https URL",
                example="Write the whole address, such as `https://host/v1`.",
                code="invalid_embedding_provider",
            ),
            about="Where requests, and with them the key, are sent. Each kind has a default.",
            since=None,
        ),
        "model": Field(
            form=TextForm(code="invalid_embedding_provider"),
            about="The model that is asked. Each kind but `mock` has a default.",
            since=None,
        ),
        "api_key": Field(
            form=SecretForm(code="embedding_api_key_inline"),
            about="A reference to the key. Every kind but `mock` needs one.",
            since=None,
        ),
    },
)

_PROVIDERS: Final = Section(
    fields={
        "embedding": Field(
            form=MapForm(value=_EMBEDDING_PROVIDER, noun="provider", kind="embedding_provider"),
            about="Services that make vectors of text, by name.",
            since=None,
        ),
        "source": Field(
            form=MapForm(value=SOURCE_PROVIDER, noun="provider", kind="source_provider"),
            about="Places that pipelines read from, by name.",
        ),
        "storage": Field(
            form=MapForm(value=STORAGE_PROVIDER, noun="provider", kind="storage_provider"),
            about="Places to store archives and exports in, by name.",
        ),
    }
)

_QUERY: Final = Section(
    fields={
        "file": Field(
            form=PathForm(strict=True),
            about="The file that declares the query.",
            required=True,
            since=None,
        ),
    },
    refused=_EXPOSURE,
)

_QUERIES: Final = UntaggedForm(
    text=PathForm(strict=True),
    items=ListForm(item=PathForm(strict=True)),
    entries=MapForm(value=_QUERY, noun="query", kind="query"),
)

_BLOB_BASE: Final = Section(
    fields={
        "base": Field(
            form=TextForm(code="invalid_external_blob_base"),
            about="A URI under which blobs may lie: `s3://bucket/prefix` or `file:///folder`.",
            required=True,
            since=None,
        ),
        "scope": Field(
            form=ChoiceForm(values=BLOB_SCOPES),
            about="Whether a server may read there, or only a process of the operator's own.",
            required=True,
            since=None,
        ),
    }
)

_GRAPH: Final = Section(
    fields={
        "schema": Field(
            form=PathForm(), about="The file of its schema, in `.pg`.", required=True, since=None
        ),
        "queries": Field(
            form=_QUERIES,
            about="Its stored queries: a folder or a file of `.gq`, a list of them, or a mapping of"
            " names to `{file: PATH}`.",
            since=None,
        ),
        "embedding_provider": Field(
            form=ReferenceForm(kind="embedding_provider"),
            about="The embedding provider that it uses.",
            since=None,
        ),
        "external_blobs": Field(
            form=Section(
                fields={
                    "allow": Field(
                        form=ListForm(item=_BLOB_BASE),
                        about="Places that blobs may be referred to in. Without one, none may.",
                        since=None,
                    )
                }
            ),
            about="Blobs outside of the graph.",
            since=None,
        ),
    },
    refused={
        "streaming": Refused(
            code="removed_streaming_declaration",
            message="`{place}.streaming` was removed",
            remedy="Take it out.",
        ),
        **_EXPOSURE,
    },
)

_POLICY: Final = Section(
    fields={
        "file": Field(
            form=PathForm(),
            about="The bundle: YAML, or Cedar where its name ends in `.cedar`.",
            required=True,
            since=None,
        ),
        "applies_to": Field(
            form=ListForm(item=TextForm(blank=True), filled=True, code="policy_missing_applies_to"),
            about="List `cluster`, or graphs: `<graph>` or `graph.<graph>`.",
            required=True,
            since=None,
        ),
    }
)

CLUSTER: Final = Section(
    fields={
        "version": Field(
            form=VersionForm(code="unsupported_cluster_config_version"),
            about="The format of this file: 1.",
            required=True,
            since=None,
        ),
        "metadata": Field(
            form=Section(
                fields={
                    "name": Field(
                        form=TextForm(code="empty_metadata_name"),
                        about="A label for people; nothing depends on it.",
                        since=None,
                    )
                }
            ),
            about="What the cluster is called.",
            since=None,
        ),
        "storage": Field(
            form=TextForm(blank=True),
            about="The storage root: a folder, `file:///folder` or `s3://bucket/prefix`. By default"
            " the folder of this file.",
            since=None,
        ),
        "state": Field(
            form=Section(
                fields={
                    "backend": Field(
                        form=ChoiceForm(values=("cluster",), code="unsupported_state_backend"),
                        about="Where the ledger is kept: in the storage root, the only place.",
                        since=None,
                    ),
                    "lock": Field(
                        form=BooleanForm(),
                        about="Accepted for OmniGraph's sake; the ledger is safe without.",
                        since=None,
                    ),
                }
            ),
            about="How the ledger is kept.",
            since=None,
        ),
        "env_file": Field(
            form=EnvFileForm(),
            about="A file of `NAME=value` lines that `${NAME}` may be taken from; never committed.",
        ),
        "providers": Field(
            form=_PROVIDERS, about="Services and places outside of the cluster.", since=None
        ),
        "graphs": Field(
            form=MapForm(value=_GRAPH, noun="graph", kind="graph"),
            about="The graphs, by id.",
            since=None,
        ),
        "policies": Field(
            form=MapForm(value=_POLICY, noun="policy", kind="policy"),
            about="Policy bundles, by name.",
            since=None,
        ),
        "apply": Field(form=APPLY, about="How an apply goes about its work."),
        "pipelines": Field(
            form=MapForm(value=PIPELINE, noun="pipeline", kind="pipeline"),
            about="Ways from a source into graphs, by name. A run is not part of an apply.",
        ),
        "embeddings": Field(
            form=MapForm(value=EMBEDDING, noun="embedding", kind="embedding"),
            about="Vector properties that are filled by a provider, by name.",
        ),
        "ui": Field(
            form=Section(
                fields={
                    "dashboards": Field(
                        form=MapForm(value=DASHBOARD, noun="dashboard", kind="ui"),
                        about="Dashboards, by name.",
                    )
                }
            ),
            about="What people look at.",
        ),
        "aliases": Field(
            form=MapForm(value=ALIAS, noun="alias", kind="alias"),
            about="Stored queries with some parameters given, by name.",
        ),
        "bindings": Field(
            form=ListForm(item=BINDING),
            about="Where queries are offered. Who may run one is for policies to say.",
        ),
        "approvals": Field(
            form=MapForm(value=APPROVAL, noun="approval rule", kind="approval"),
            about="Rules for decisions about gated changes, by name. All that match hold.",
        ),
        "ops": Field(
            form=OPS, about="How long operations and detached graphs are kept, and where."
        ),
        "publication": Field(
            form=PUBLICATION, about="Where changes that were tried in a sandbox may be published."
        ),
        "protect": Field(form=PROTECT, about="Resources whose loss is always gated."),
        "moved": Field(
            form=ListForm(item=MOVE),
            about="Resources that got another address; their data stays as it is.",
        ),
        "forget": Field(
            form=FORGET,
            about="Resources that leave the ledger while their data stays.",
        ),
    },
    refused=_EXPOSURE,
)
"""The whole file."""

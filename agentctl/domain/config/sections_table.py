"""The tables of the sections of cluster.yaml that OmniGraph 0.10 only reserves.

`cluster_table` puts them together. Source: control-plane 3.1, seeds/000 for `ops`.
"""

from typing import Final

from agentctl.domain.config.forms import (
    AddressForm,
    BooleanForm,
    ChoiceForm,
    DurationForm,
    Field,
    IntegerForm,
    JsonForm,
    ListForm,
    MapForm,
    PathForm,
    ReferenceForm,
    ScheduleForm,
    SecretForm,
    Section,
    SurfaceForm,
    TextForm,
)

CONCURRENCY_MAX: Final = 16
DECIDER_COUNT_MAX: Final = 20
KEPT_COUNT_MAX: Final = 1_000_000
CLASSES: Final = ("narrowing", "irreversible", "authority")
"""The classes of changes that are gated. Source: control-plane 3.3."""
ASSURANCES: Final = ("demo", "file", "agent", "touch")
"""How a decision's key is kept, from the weakest to the strongest. Source: control-plane 3.4."""

APPLY: Final = Section(
    fields={
        "concurrency": Field(
            form=IntegerForm(minimum=1, maximum=CONCURRENCY_MAX),
            about="How many independent changes may run at once.",
        ),
        "groups": Field(
            form=MapForm(value=ListForm(item=AddressForm(), filled=True), noun="group"),
            about="Declared resources, as typed addresses, that are applied all or not at all.",
        ),
    }
)

_TARGET: Final = Section(
    code="invalid_pipeline",
    fields={
        "graph": Field(
            form=ReferenceForm(kind="graph"), about="The graph to write to.", required=True
        ),
        "type": Field(
            form=TextForm(), about="The node or edge type of that graph to write.", required=True
        ),
        "mode": Field(
            form=ChoiceForm(values=("append", "merge", "overwrite")),
            about="Whether rows are added, put in place of those with their key, or in place of"
            " all.",
            required=True,
        ),
        "map": Field(
            form=MapForm(value=TextForm(), noun="property", free=True),
            about="Columns of the source by property; of an edge also for `from` and `to`. Others"
            " have the property's own name.",
        ),
    },
)

PIPELINE: Final = Section(
    code="invalid_pipeline",
    fields={
        "source": Field(
            form=ReferenceForm(kind="source_provider", typed=True),
            about="The source provider that it reads, as a typed address.",
            required=True,
        ),
        "transform": Field(
            form=Section(
                fields={
                    "sql": Field(
                        form=PathForm(), about="A file with one SQL statement.", required=True
                    )
                }
            ),
            about="What is done to the rows on their way.",
        ),
        "targets": Field(
            form=ListForm(item=_TARGET, filled=True),
            about="Where the rows go.",
            required=True,
        ),
        "schedule": Field(
            form=ScheduleForm(),
            about="When it is due: five fields of cron, in UTC, or a word such as `@daily`.",
        ),
        "branch": Field(
            form=TextForm(
                pattern=r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*",
                what="name of a branch",
                example="Use letters, digits, `_`, `-`, `.` and `/`.",
            ),
            about="The branch that is written. By default `main`.",
        ),
    },
)

EMBEDDING: Final = Section(
    code="invalid_embedding",
    fields={
        "provider": Field(
            form=ReferenceForm(kind="embedding_provider"),
            about="The embedding provider that is asked.",
            required=True,
        ),
        "model": Field(form=TextForm(), about="The model that makes the vectors.", required=True),
        "graph": Field(
            form=ReferenceForm(kind="graph"), about="The graph of the property.", required=True
        ),
        "property": Field(
            form=TextForm(
                pattern=r"[A-Za-z_][A-Za-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*",
                what="property",
                example="Write `Type.property`.",
            ),
            about="The vector property, as `Type.property`.",
            required=True,
        ),
    },
)

DASHBOARD: Final = Section(
    fields={
        "file": Field(form=PathForm(), about="The file that describes it.", required=True),
        "queries": Field(
            form=ListForm(item=ReferenceForm(kind="query")),
            about="The stored queries that it shows.",
        ),
    }
)

ALIAS: Final = Section(
    code="invalid_alias",
    fields={
        "query": Field(form=ReferenceForm(kind="query"), about="The stored query.", required=True),
        "params": Field(
            form=MapForm(value=JsonForm(), noun="parameter", free=True),
            about="Values of its parameters. A caller gives the others.",
        ),
    },
)

BINDING: Final = Section(
    fields={
        "query": Field(form=ReferenceForm(kind="query"), about="The stored query.", required=True),
        "surface": Field(
            form=SurfaceForm(),
            about="Where it is offered: `mcp`, `http` or a dashboard `ui.<name>`.",
            required=True,
        ),
        "name": Field(
            form=TextForm(
                pattern=r"[A-Za-z_][A-Za-z0-9_-]{0,63}",
                what="name",
                example="Begin with a letter or `_`, then letters, digits, `_` and `-`, at most 64.",
            ),
            about="What it is called there; once on each surface.",
        ),
    }
)

APPROVAL: Final = Section(
    fields={
        "match": Field(
            form=Section(
                fields={
                    "classes": Field(
                        form=ListForm(item=ChoiceForm(values=CLASSES), unordered=True),
                        about="Classes of changes. By default every one that is gated.",
                    ),
                    "resources": Field(
                        form=ListForm(item=AddressForm(wildcard=True), unordered=True),
                        about="Typed addresses, a last part `*` for every name. By default all.",
                    ),
                }
            ),
            about="Which changes the rule is about.",
        ),
        "need": Field(
            form=Section(
                fields={
                    "count": Field(
                        form=IntegerForm(minimum=1, maximum=DECIDER_COUNT_MAX),
                        about="How many people must approve.",
                        default=1,
                    ),
                    "roles": Field(
                        form=ListForm(item=TextForm(), unordered=True),
                        about="Groups of which each approver is in one. By default anybody's.",
                        default=(),
                    ),
                }
            ),
            about="Who must approve.",
        ),
        "separate": Field(
            form=BooleanForm(),
            about="Whether requester and approver must be different people.",
            default=False,
        ),
        "assurance": Field(
            form=ChoiceForm(values=ASSURANCES),
            about="How well an approver's key must be kept.",
            default="file",
        ),
        "tolerance": Field(
            form=Section(
                fields={
                    "percent": Field(
                        form=IntegerForm(minimum=0, maximum=100),
                        about="By how many percent what is lost may grow.",
                        default=1,
                    ),
                    "rows": Field(
                        form=IntegerForm(minimum=0, maximum=1_000_000_000),
                        about="By how many rows it may grow; the lesser of the two counts.",
                        default=100,
                    ),
                }
            ),
            about="How far the effect may move between the approval and the apply.",
        ),
        "expires": Field(
            form=DurationForm(),
            about="How long a request stays open.",
            default=86_400,
        ),
        "promoted_from": Field(
            form=TextForm(
                pattern=r"[A-Za-z_][A-Za-z0-9_-]*",
                what="environment",
                example="Begin with a letter or `_`, then letters, digits, `_` and `-`.",
            ),
            about="The environment that must have applied the same change before.",
        ),
    }
)

_ARCHIVE: Final = Section(
    fields={
        "backend": Field(
            form=ChoiceForm(values=("s3", "local")),
            about="What kind of place archives are kept in.",
            default="s3",
        ),
        "tool": Field(
            form=ChoiceForm(values=("restic", "kopia")),
            about="What writes them.",
            default="restic",
        ),
        "endpoint": Field(
            form=TextForm(
                pattern=r"https?://[^\s/?#@]+[^\s@]*",
                what="http or https URL",
                example="Write the whole address, such as `https://host`.",
            ),
            about="The address of a service that speaks S3.",
        ),
        "bucket": Field(form=TextForm(), about="The bucket."),
        "prefix": Field(form=TextForm(), about="What its keys begin with.", default="ops"),
        "path": Field(
            form=TextForm(),
            about="Of `local`: a folder, relative to the cluster's; default `.ops-archive`.",
        ),
        "password": Field(
            form=SecretForm(),
            about="A reference to the password; default `${AGENTCTL_ARCHIVE_PASSWORD}`.",
        ),
    }
)

_RETENTION: Final = Section(
    fields={
        "keep_last": Field(
            form=IntegerForm(minimum=0, maximum=KEPT_COUNT_MAX),
            about="How many of the newest operations are kept.",
            default=50,
        ),
        "keep_monthly": Field(
            form=IntegerForm(minimum=0, maximum=KEPT_COUNT_MAX),
            about="For how many months one is kept.",
            default=12,
        ),
        "keep_yearly": Field(
            form=IntegerForm(minimum=0, maximum=KEPT_COUNT_MAX),
            about="For how many years one is kept.",
            default=3,
        ),
        "detached": Field(
            form=DurationForm(zero=True),
            about="How long a deleted graph can be restored; `0` deletes it at once.",
            default=604_800,
        ),
    }
)

OPS: Final = Section(
    fields={
        "archive": Field(form=_ARCHIVE, about="Where operations are archived."),
        "retention": Field(form=_RETENTION, about="What is kept, and for how long."),
    }
)

PROTECT: Final = ListForm(item=AddressForm(), unordered=True)

MOVE: Final = Section(
    code="invalid_moved",
    fields={
        "from": Field(
            form=AddressForm(kinds=("graph", "query", "policy")),
            about="The address that it had, which is not declared any more.",
            required=True,
        ),
        "to": Field(
            form=AddressForm(kinds=("graph", "query", "policy")),
            about="The address that it has, of the same kind and declared.",
            required=True,
        ),
    },
)

FORGET: Final = ListForm(item=AddressForm(), unordered=True)

"""The tables of source and storage providers, with the options of each kind.

Source: control-plane 3.1, which leaves the options to us.
"""

from typing import Final

from agentctl.domain.config.forms import (
    Cases,
    ChoiceForm,
    DurationForm,
    Field,
    ListForm,
    MapForm,
    SecretForm,
    Section,
    TextForm,
)

SOURCE_KINDS: Final = ("file", "http", "s3", "postgres", "github", "python-env")
STORAGE_KINDS: Final = ("s3", "file")

_FORMAT: Final = Field(
    form=ChoiceForm(values=("csv", "ndjson", "json", "parquet")),
    about="The format of what is read. By default the ending of the name tells.",
)
_REGION: Final = Field(form=TextForm(), about="The region of the bucket.")

_FILE: Final = Section(
    fields={
        "path": Field(
            form=TextForm(), about="The file, or files by `*`, relative to this one.", required=True
        ),
        "format": _FORMAT,
    }
)
_HTTP: Final = Section(
    fields={
        "path": Field(form=TextForm(), about="What follows `base_url`."),
        "method": Field(form=ChoiceForm(values=("GET", "POST")), about="How it is asked for."),
        "headers": Field(
            form=MapForm(
                value=TextForm(), noun="header", free=True, promising=TextForm(refers=True)
            ),
            about="Headers to send; one that holds a secret has a reference: `Bearer ${TOKEN}`.",
        ),
        "timeout": Field(form=DurationForm(), about="How long an answer may take."),
        "format": _FORMAT,
    }
)
_S3: Final = Section(
    fields={
        "bucket": Field(form=TextForm(), about="The bucket.", required=True),
        "prefix": Field(form=TextForm(), about="What its keys begin with."),
        "region": _REGION,
        "format": _FORMAT,
    }
)
_POSTGRES: Final = Section(
    fields={
        "schema": Field(form=TextForm(), about="The schema of the table. By default `public`."),
        "table": Field(form=TextForm(), about="The table or view that is read.", required=True),
        "cursor": Field(form=TextForm(), about="A column that grows, to read only what is new."),
    }
)
_GITHUB: Final = Section(
    fields={
        "repository": Field(
            form=TextForm(
                pattern=r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+",
                what="repository",
                example="Write `owner/name`.",
            ),
            about="The repository, as `owner/name`.",
            required=True,
        ),
        "read": Field(
            form=ChoiceForm(values=("files", "issues", "pulls", "commits", "releases")),
            about="What of it is read.",
            required=True,
        ),
        "ref": Field(form=TextForm(), about="A branch, tag or commit."),
        "path": Field(form=TextForm(), about="The folder or file in it."),
    }
)
_PYTHON_ENV: Final = Section(
    fields={
        "path": Field(
            form=TextForm(), about="The environment. By default the one that agentctl runs in."
        ),
        "packages": Field(
            form=ListForm(item=TextForm(), unordered=True),
            about="The packages to read. By default all of them.",
        ),
    }
)

SOURCE_PROVIDER: Final = Section(
    code="invalid_source_provider",
    fields={
        "kind": Field(
            form=ChoiceForm(values=SOURCE_KINDS), about="What kind of source it is.", required=True
        ),
        "base_url": Field(
            form=TextForm(),
            about="The address of the service; `http` and `postgres` need one, `file` and"
            " `python-env` have none.",
        ),
        "credentials": Field(
            form=SecretForm(),
            about="A reference to what the service wants to know; `file` and `python-env` have"
            " none.",
        ),
    },
    cases=Cases(
        by="kind",
        field="options",
        about="What else a source of that kind takes.",
        sections={
            "file": _FILE,
            "http": _HTTP,
            "s3": _S3,
            "postgres": _POSTGRES,
            "github": _GITHUB,
            "python-env": _PYTHON_ENV,
        },
    ),
)

STORAGE_PROVIDER: Final = Section(
    code="invalid_storage_provider",
    fields={
        "kind": Field(
            form=ChoiceForm(values=STORAGE_KINDS), about="What kind of place it is.", required=True
        ),
        "uri": Field(
            form=TextForm(),
            about="The place: `s3://bucket/prefix` or `file:///folder`, as the kind says.",
            required=True,
        ),
        "endpoint": Field(
            form=TextForm(
                pattern=r"https?://[^\s/?#@]+[^\s@]*",
                what="http or https URL",
                example="Write the whole address, such as `https://host`.",
            ),
            about="The address of a service that speaks S3, other than the usual one.",
        ),
        "region": _REGION,
    },
)

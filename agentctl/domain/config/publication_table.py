"""The table of the section `publication`: where changes tried in a sandbox may be published.

`cluster_table` puts it in its place. Source: sandboxes 4, Publication.
"""

from typing import Final

from agentctl.domain.config.forms import ChoiceForm, Field, MapForm, SecretForm, Section, TextForm
from agentctl.domain.config.remotes import BRANCH_BASE, FORGE_KINDS

_FORGE: Final = Section(
    code="invalid_remote",
    fields={
        "kind": Field(
            form=ChoiceForm(values=FORGE_KINDS),
            about="Which API it speaks; Forgejo speaks Gitea's.",
            required=True,
        ),
        "api": Field(
            form=TextForm(),
            about="Where its API begins, such as `https://host/api/v1`.",
            required=True,
        ),
        "repo": Field(
            form=TextForm(
                pattern=r"[A-Za-z0-9_][A-Za-z0-9_.-]*/[A-Za-z0-9_.-]*[A-Za-z0-9_-][A-Za-z0-9_.-]*",
                what="repository",
                example="Write `owner/name`.",
            ),
            about="The repository, as `owner/name`.",
            required=True,
        ),
        "token": Field(
            form=SecretForm(),
            about="A reference to a token that may open pull requests there.",
            required=True,
        ),
    },
)

REMOTE: Final = Section(
    code="invalid_remote",
    fields={
        "url": Field(
            form=TextForm(),
            about="What git pushes to: a whole path, `file://…`, `ssh://…` or `user@host:path`.",
            required=True,
        ),
        "branch_base": Field(
            form=TextForm(
                pattern=r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*",
                what="name of a branch",
                example="Use letters, digits, `_`, `-`, `.` and `/`.",
            ),
            about="The branch that a publication is to be merged into.",
            default=BRANCH_BASE,
        ),
        "forge": Field(
            form=_FORGE,
            about="How a pull request is opened there. Without it, a branch is pushed and no more.",
        ),
    },
)

PUBLICATION: Final = Section(
    fields={
        "remotes": Field(
            form=MapForm(value=REMOTE, noun="remote", kind="remote"),
            about="Places to publish to, by name.",
        )
    }
)

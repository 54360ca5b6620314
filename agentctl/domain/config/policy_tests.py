"""Files of policy tests: who asks for what, and what the bundles must answer.

`policy test` runs them; here is what such a file holds, read as strictly as a bundle.
Source: access-and-faces 1.
"""

from typing import Final, Literal, cast

import msgspec

from agentctl.diagnostics.bag import Bag
from agentctl.diagnostics.diagnostic import Diagnostic, Related, error
from agentctl.diagnostics.span import Span
from agentctl.domain.config.faults import FolderBag
from agentctl.domain.config.fields import Reader
from agentctl.domain.config.forms import ChoiceForm, Field, ListForm, Section, TextForm, VersionForm
from agentctl.domain.config.given import Fieldset, Text
from agentctl.domain.config.policy_file import BRANCH_ACTIONS, EVERY_ACTION, TARGET_ACTIONS
from agentctl.domain.config.reading import read_file
from agentctl.domain.config.yaml_tree import MapNode, parse_yaml

_CODE: Final = "policy_invalid"
_TWO_BRANCHES: Final = frozenset({"branch_create", "branch_merge"})

_CASE: Final = Section(
    fields={
        "id": Field(form=TextForm(), about="Its name, once in the file.", required=True),
        "actor": Field(form=TextForm(), about="Who asks.", required=True),
        "action": Field(
            form=ChoiceForm(values=tuple(sorted(EVERY_ACTION))),
            about="What is asked for.",
            required=True,
        ),
        "branch": Field(form=TextForm(), about="The branch that is read, written or left."),
        "target_branch": Field(form=TextForm(), about="The branch that is changed."),
        "expect": Field(
            form=ChoiceForm(values=("allow", "deny")), about="The answer.", required=True
        ),
    }
)

POLICY_TESTS: Final = Section(
    fields={
        "version": Field(
            form=VersionForm(code=_CODE), about="The format of this file: 1.", required=True
        ),
        "cases": Field(form=ListForm(item=_CASE), about="The cases.", required=True),
    }
)
"""The table of the file."""


class PolicyCase(msgspec.Struct, frozen=True, kw_only=True):
    """One question with its answer."""

    id: str
    actor: str
    action: str
    branch: str | None = None
    target_branch: str | None = None
    expect: Literal["allow", "deny"]
    where: Span


class PolicyTests(msgspec.Struct, frozen=True, kw_only=True):
    """A file of policy tests."""

    cases: tuple[PolicyCase, ...]
    """In the order of the file; those with mistakes are left out."""
    diagnostics: tuple[Diagnostic, ...]


def parse_policy_tests(data: bytes, *, file: str) -> PolicyTests:
    """Returns the cases of *file* and every fault of it, all `policy_invalid` but repeated keys."""
    document = parse_yaml(data, file=file, code=_CODE)
    bag = FolderBag(document.diagnostics)
    cases: list[PolicyCase] = []
    if isinstance(document.root, MapNode):
        reader = Reader(bag, code=_CODE, path=file)
        found = read_file(document.root, POLICY_TESTS, reader, file=file)
        cases = [c for given in found.sections("cases") if (c := _case(given, bag, file))]
        _once(found, bag, file)
    elif not document.diagnostics:
        remedy = "Begin it with `version: 1`."
        bag.add(error(_CODE, file, "the file is no mapping of fields", remedy=remedy))
    return PolicyTests(cases=tuple(cases), diagnostics=bag.sorted())


def _case(given: Fieldset, bag: Bag, file: str) -> PolicyCase | None:
    name, actor, action = given.word("id"), given.word("actor"), given.text("action")
    expect = given.word("expect")
    if name is None or actor is None or action is None or expect is None:
        return None
    for field, takes in (
        ("branch", BRANCH_ACTIONS | _TWO_BRANCHES),
        ("target_branch", TARGET_ACTIONS),
    ):
        text = given.text(field)
        if text is not None and action.text not in takes:
            message = f"`{action.text}` has no `{field}`"
            bag.add(error(_CODE, file, message, where=text.where, remedy="Take it out."))
    return PolicyCase(
        id=name,
        actor=actor,
        action=action.text,
        branch=given.word("branch"),
        target_branch=given.word("target_branch"),
        expect=cast("Literal['allow', 'deny']", expect),
        where=given.where,
    )


def _once(found: Fieldset, bag: Bag, file: str) -> None:
    first: dict[str, Text] = {}
    for given in found.sections("cases"):
        name = given.text("id")
        if name is None:
            continue
        other = first.setdefault(name.text, name)
        if other is name or other.where is None:
            continue
        bag.add(
            error(
                _CODE,
                file,
                f"two cases have the id `{name.text}`",
                where=name.where,
                related=(Related(where=other.where, message="it stands first here"),),
                remedy="Rename one of them.",
            )
        )

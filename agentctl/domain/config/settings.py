"""The sections that are no resources but are about some: apply, protect, moved, forget, env_file.

Source: control-plane 3.1.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, Related, error, warning
from agentctl.domain.config.faults import meant
from agentctl.domain.config.given import Fieldset, Items, Text
from agentctl.domain.config.model import ApplyGroup, ApplySettings, Move
from agentctl.domain.config.normal import Surroundings
from agentctl.domain.config.paths import CLUSTER_FILE, STATE_FOLDERS, normal_path
from agentctl.domain.config.references import KIND_WORDS, a_kind, typed_address
from agentctl.domain.config.snapshot import FolderSnapshot
from agentctl.ids import Address, Kind, ParsedAddress

_OWN_FILE: Final = "Keep secrets in a file of their own, such as `.env`."
_MOVABLE: Final[tuple[Kind, ...]] = ("graph", "query", "policy")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the sections say, resolved."""

    apply: ApplySettings
    protect: tuple[Address, ...]
    moved: tuple[Move, ...]
    forget: tuple[Address, ...]


def resolve_settings(root: Fieldset, around: Surroundings) -> Settings:
    """Returns what apply, protect, moved and forget say; faults go to the bag."""
    moved = _moved(root, around)
    return Settings(
        apply=_apply(root.section("apply"), around),
        protect=_protect(root.texts("protect"), around),
        moved=tuple(sorted(moved, key=lambda move: (move.source, move.target))),
        forget=_forget(root.texts("forget"), moved, around),
    )


def check_env_file(
    written: Text | None, snapshot: FolderSnapshot, named: Iterable[str]
) -> tuple[Diagnostic, ...]:
    """Returns what is wrong with the file of secrets; *named* are the files that are config."""
    if written is None:
        return ()
    key = normal_path(written.text)
    fault: str | None = None
    if key == CLUSTER_FILE or key in named:
        fault = f"`{key}` holds secrets by `env_file`, and is config as well"
    elif key == "." or key.split("/")[0].casefold() in STATE_FOLDERS:
        fault = f"`{key}` is state or data, which hold no secrets"
    if fault is not None:
        where = written.where
        return (error("path_not_config", CLUSTER_FILE, fault, where=where, remedy=_OWN_FILE),)
    if key in snapshot.outside:
        message = f"`{key}` is outside the cluster folder"
        remedy = "Name a file of the folder, such as `.env`."
        return (
            error("path_outside_folder", CLUSTER_FILE, message, where=written.where, remedy=remedy),
        )
    if key in snapshot.tracked:
        message = f"`{key}` holds secrets, and git tracks it"
        remedy = f"git rm --cached -- {key}"
        detail = "Whoever has the repository has its values; give out new ones."
        return (
            warning(
                "env_file_tracked",
                CLUSTER_FILE,
                message,
                detail=detail,
                where=written.where,
                remedy=remedy,
            ),
        )
    return ()


def _apply(given: Fieldset, around: Surroundings) -> ApplySettings:
    groups: list[ApplyGroup] = []
    taken: dict[str, Text] = {}
    for entry in given.entries("groups"):
        members: set[Address] = set()
        texts = entry.value.values if isinstance(entry.value, Items) else ()
        for text in texts:
            if not isinstance(text, Text):
                continue
            found = _declared(text, around)
            other = taken.setdefault(text.text, text) if found is not None else text
            if other is not text:
                message = f"`{text.text}` is in an apply group already"
                around.bag.add(_twice(message, text, other))
            elif found is not None:
                members.add(found)
        name = entry.key
        groups.append(ApplyGroup(name=name.text, members=tuple(sorted(members)), where=name.where))
    return ApplySettings(
        concurrency=given.whole("concurrency"),
        groups=tuple(sorted(groups, key=lambda group: group.name.encode())),
    )


def _declared(text: Text, around: Surroundings) -> Address | None:
    parsed = typed_address(text, around.known, kinds=(), path=CLUSTER_FILE, bag=around.bag)
    if parsed is None:
        return None
    if not around.known.may_exist(parsed, text.text):
        around.bag.add(_not_declared(text, parsed, around))
        return None
    return Address(text.text)


def _not_declared(text: Text, parsed: ParsedAddress, around: Surroundings) -> Diagnostic:
    message = f"the {KIND_WORDS[parsed.kind]} `{text.text}` is not declared"
    otherwise = "Declare it, or take it out here."
    remedy = meant(
        around.bag, CLUSTER_FILE, text.text, around.known.of_kind(parsed.kind), otherwise=otherwise
    )
    return error("dangling_reference", CLUSTER_FILE, message, where=text.where, remedy=remedy)


def _protect(texts: tuple[Text, ...], around: Surroundings) -> tuple[Address, ...]:
    found: dict[str, Text] = {}
    for text in texts:
        parsed = typed_address(text, around.known, kinds=(), path=CLUSTER_FILE, bag=around.bag)
        if parsed is None:
            continue
        if found.setdefault(text.text, text) is not text:
            around.bag.add(_twice(f"`{text.text}` is listed twice", text, found[text.text]))
        elif not around.known.may_exist(parsed, text.text):
            message = f"`{text.text}` is protected and not declared"
            names = around.known.of_kind(parsed.kind)
            otherwise = "Take it out once its deletion was applied."
            remedy = meant(around.bag, CLUSTER_FILE, text.text, names, otherwise=otherwise)
            code = "reference_not_declared"
            around.bag.add(warning(code, CLUSTER_FILE, message, where=text.where, remedy=remedy))
    return tuple(sorted(Address(text) for text in found))


def _moved(root: Fieldset, around: Surroundings) -> list[Move]:
    moves: list[Move] = []
    taken: dict[str, Text] = {}
    for given in root.sections("moved"):
        ends = [given.text("from"), given.text("to")]
        parsed = [_end(end, around) for end in ends]
        source, target = ends
        if source is None or target is None or parsed[0] is None or parsed[1] is None:
            continue
        fault = _move_fault(source, target, (parsed[0], parsed[1]), around)
        if fault is not None:
            around.bag.add(fault)
            continue
        if _moved_before(source, target, taken, around):
            continue
        moves.append(
            Move(source=Address(source.text), target=Address(target.text), where=given.where)
        )
    return moves


def _moved_before(source: Text, target: Text, taken: dict[str, Text], around: Surroundings) -> bool:
    for key, end in ((f"from {source.text}", source), (f"to {target.text}", target)):
        other = taken.setdefault(key, end)
        if other is not end:
            around.bag.add(_twice(f"`{end.text}` is moved twice", end, other))
            return True
    return False


def _end(text: Text | None, around: Surroundings) -> ParsedAddress | None:
    if text is None:
        return None
    return typed_address(text, around.known, kinds=_MOVABLE, path=CLUSTER_FILE, bag=around.bag)


def _move_fault(
    source: Text, target: Text, parsed: tuple[ParsedAddress, ParsedAddress], around: Surroundings
) -> Diagnostic | None:
    code = "invalid_moved"
    if parsed[0].kind != parsed[1].kind:
        message = f"{a_kind(parsed[0].kind)} does not become {a_kind(parsed[1].kind)}"
        remedy = "Name two addresses of one kind."
        return error(code, CLUSTER_FILE, message, where=target.where, remedy=remedy)
    if source.text in around.known.addresses:
        message = f"`{source.text}` is moved, and still declared"
        remedy = "Take its declaration out, or the move."
        return error(code, CLUSTER_FILE, message, where=source.where, remedy=remedy)
    if not around.known.may_exist(parsed[1], target.text):
        message = f"`{target.text}` is moved to, and not declared"
        names = around.known.of_kind(parsed[1].kind)
        hint = meant(around.bag, CLUSTER_FILE, target.text, names, otherwise="Declare it.")
        return error(code, CLUSTER_FILE, message, where=target.where, remedy=hint)
    return None


def _forget(
    texts: tuple[Text, ...], moved: list[Move], around: Surroundings
) -> tuple[Address, ...]:
    sources = {move.source for move in moved}
    found: dict[str, Text] = {}
    for text in texts:
        parsed = typed_address(text, around.known, kinds=(), path=CLUSTER_FILE, bag=around.bag)
        if parsed is None:
            continue
        if found.setdefault(text.text, text) is not text:
            around.bag.add(_twice(f"`{text.text}` is listed twice", text, found[text.text]))
        elif text.text in around.known.addresses:
            message = f"`{text.text}` is to be forgotten, and still declared"
            remedy = "Take its declaration out, or the line here."
            around.bag.add(
                error("invalid_forget", CLUSTER_FILE, message, where=text.where, remedy=remedy)
            )
        elif text.text in sources:
            message = f"`{text.text}` is to be forgotten, and moved"
            remedy = "Keep one of the two."
            around.bag.add(
                error("invalid_forget", CLUSTER_FILE, message, where=text.where, remedy=remedy)
            )
    return tuple(sorted(Address(text) for text in found))


def _twice(message: str, text: Text, other: Text) -> Diagnostic:
    related: tuple[Related, ...] = ()
    if other.where is not None:
        related = (Related(where=other.where, message="it stands first here"),)
    return error(
        "duplicate_reference",
        CLUSTER_FILE,
        message,
        where=text.where,
        related=related,
        remedy="Keep one of them.",
    )

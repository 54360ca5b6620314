"""Playbooks as values: what a task may be, what of a sandbox's commands becomes one, and their YAML.

A task is one tool call without its place: the run says where. Pure. Source: seeds/002, Playbook, and
sandboxes 4, Playbook.
"""

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal

import msgspec

from agentctl.domain.sandbox.records import Command, Playbook, PlaybookTask

Target = Literal["cluster", "sandbox"]
"""Where a playbook may run: in a sandbox only, or for real too."""

TASKS_MAX: Final = 500
NAME_MAX: Final = 200
GIVEN_BY_RUN: Final = frozenset({"in", "idempotency_key", "intent"})
"""Arguments that a run gives, so that no task has them."""

_TOKEN: Final = re.compile(r"\[REDACTED(?:_[A-Z0-9]+)+\]")
_NO_LINES: Final = re.compile(r"[^\n\x20-\x7e\xa0-\u2027\u202a-\ufefe\uff00-\U0010ffff]")
"""Characters that lines do not keep: PyYAML escapes them in double quotes and nowhere else."""
_LINE_WIDTH: Final = 1 << 30
_OF_THE_PLAN: Final = frozenset({"plan_id", "plan_file", "exact"})
"""They name a plan that was made in the sandbox; a run makes its own."""
_WRITES: Final = "sandbox_write"
_SNAPSHOT: Final = "sandbox_snapshot"
_RESTORE: Final = "sandbox_restore"
_BASE: Final = "base"


class TaskDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A task that has no id and no position yet."""

    name: str
    module: str
    params: Mapping[str, Any]


def drafts_of(commands: Iterable[Command], writes: frozenset[str]) -> tuple[TaskDraft, ...]:
    """Returns the tasks that do again what was done in a sandbox.

    What failed, what only looked, and what a restore took back are left out. What a sandbox alone has
    (`sandbox_write`) becomes what does the same anywhere.

    Args:
        commands: of the sandbox, oldest first.
        writes: the names of the operations that may be tasks and that write.
    """
    found: list[TaskDraft] = []
    lengths = {_BASE: 0}
    for command in commands:
        if command.exit_code != 0 or command.tool is None:
            continue
        arguments = _arguments(command)
        if command.tool == _SNAPSHOT:
            lengths[str(arguments.get("name"))] = len(found)
        elif command.tool == _RESTORE:
            del found[lengths.get(str(arguments.get("name")), len(found)) :]
            lengths = {name: at for name, at in lengths.items() if at <= len(found)}
        else:
            module, params = _anywhere(command.tool, arguments)
            if module in writes:
                found.append(TaskDraft(name=_named(module, params), module=module, params=params))
    return tuple(found)


def parameters_missing(params: object) -> tuple[str, ...]:
    """Returns where in *params* the token of a secret stands, as paths, in order."""
    return tuple(path for path, text in _texts(params, "$") if _TOKEN.search(text))


def render(playbook: Playbook, tasks: Iterable[PlaybookTask]) -> str:
    """Returns a playbook as YAML of the seed's form; reading it gives the same tasks."""
    import yaml

    play = {
        "name": playbook.name,
        "hosts": playbook.hosts,
        "become": playbook.become,
        "tasks": [{"name": task.name, task.module: _plain(task.params)} for task in tasks],
    }
    return yaml.dump(
        [play], Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=_LINE_WIDTH
    )


@functools.cache
def _dumper() -> Any:  # noqa: ANN401  # a class of PyYAML's, which is loaded here
    """Returns PyYAML's safe dumper, which writes several lines as lines and no aliases."""
    import yaml

    class Lines(yaml.SafeDumper):
        def ignore_aliases(self, _data: object) -> bool:
            return True

    def text(dumper: Any, value: str) -> Any:  # noqa: ANN401  # PyYAML's own
        style = "|" if "\n" in value else None
        style = '"' if _NO_LINES.search(value) else style
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Lines.add_representer(str, text)
    return Lines


def _anywhere(tool: str, arguments: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Returns the operation, and its arguments, that does the same in a sandbox and for real."""
    left_out = GIVEN_BY_RUN | (_OF_THE_PLAN if tool == "apply" else frozenset())
    given = {name: value for name, value in arguments.items() if name not in left_out}
    if tool != _WRITES:
        return tool, {name: value for name, value in given.items() if value is not None}
    if given.get("query") is not None:
        return "mutate", {name: given[name] for name in ("query", "params", "branch")}
    return "load_rows", {name: given[name] for name in ("graph", "rows", "mode", "branch")}


def _named(module: str, params: Mapping[str, Any]) -> str:
    about = next((params[key] for key in ("path", "query", "graph") if key in params), None)
    return module if about is None else f"{module} {about}"[:NAME_MAX]


def _arguments(command: Command) -> dict[str, Any]:
    if command.arguments_json is None:
        return {}
    return msgspec.json.decode(command.arguments_json, type=dict[str, Any])


def _texts(value: object, path: str) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield path, value
        case Mapping():
            for key, item in value.items():
                yield from _texts(key, f"{path}.{key}")
                yield from _texts(item, f"{path}.{key}")
        case list() | tuple():
            for number, item in enumerate(value):
                yield from _texts(item, f"{path}[{number}]")
        case _:
            pass


def _plain(value: object) -> object:
    """Returns a JSON value in the types that YAML is written from."""
    match value:
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return value

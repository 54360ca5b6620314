"""Writes docs/diagnostics.md and docs/cli.md from the registries; `make docs` runs it."""

from pathlib import Path

import click

from agentctl.diagnostics.codes import CODES

DOCS = Path(__file__).parents[2] / "docs"


def diagnostics_page() -> str:
    """Returns docs/diagnostics.md."""
    lines = [
        "# Diagnostics",
        "",
        "Generated from `agentctl/diagnostics/codes.py` by `make docs`.",
        "`agentctl explain CODE` prints the entry.",
        "A code is stable: it is never renamed and never gets a second meaning.",
        "",
    ]
    for name in sorted(CODES):
        lines += [f"## {name}", "", CODES[name].about, ""]
    return "\n".join(lines).rstrip() + "\n"


def commands_page() -> str:
    """Returns docs/cli.md."""
    from agentctl.faces.cli.main import cli

    lines = ["# Commands", "", "Generated from the command line's own help by `make docs`.", ""]
    lines += _section(cli, "agentctl", None)
    return "\n".join(lines).rstrip() + "\n"


def _section(command: click.Command, name: str, parent: click.Context | None) -> list[str]:
    context = click.Context(
        command, info_name=name.rsplit(maxsplit=1)[-1], parent=parent, max_content_width=90
    )
    lines = [f"## {name}", "", "```text", command.get_help(context).rstrip(), "```", ""]
    if isinstance(command, click.Group):
        for verb in command.list_commands(context):
            inner = command.get_command(context, verb)
            assert inner is not None
            lines += _section(inner, f"{name} {verb}", context)
    return lines


def main() -> None:
    """Writes both pages."""
    (DOCS / "diagnostics.md").write_text(diagnostics_page(), encoding="utf-8")
    (DOCS / "cli.md").write_text(commands_page(), encoding="utf-8")


if __name__ == "__main__":
    main()

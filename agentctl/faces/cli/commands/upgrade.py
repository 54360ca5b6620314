"""`agentctl upgrade`."""

from typing import Any

import click

from agentctl.faces.cli.options import example, shared


@click.command("upgrade", epilog=example("agentctl upgrade --check"))
@click.option(
    "--check", is_flag=True, help="Only look; as long as no format has changed, all of it."
)
@shared
def command(check: bool, **_: object) -> None:  # noqa: FBT001  # a flag
    """Show the number of every format in the storage, and what this release reads and writes.

    Formats are written anew only by an upgrade. No format has a second number yet that it could
    write, so there is nothing to do beyond the look.
    """
    from agentctl.faces.cli.session import run_operation

    del check
    run_operation("upgrade_check", {}, show=_text)


def _text(data: Any) -> str:  # noqa: ANN401  # an UpgradeCheck, which the tools own
    from agentctl.views.table import table

    rows = [
        (f.name, str(f.objects), ", ".join(map(str, f.found)), str(f.writes), f.where)
        for f in data.formats
    ]
    listed = table(("FORMAT", "OBJECTS", "FOUND", "WRITES", "WHERE"), rows, right=frozenset({1}))
    ledger = f"The ledger asks for a reader of {data.min_reader} and a writer of {data.min_writer}"
    asked = f"{ledger}; this release has {data.release_reads}.\n" if data.min_reader else ""
    verdict = "Nothing to upgrade." if data.ok and not data.needed else ""
    return listed + asked + verdict

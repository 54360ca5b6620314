"""A remote counts as it was applied, behind its gate; what a folder says since does not."""

from pathlib import Path

from agentctl.domain.config.remotes import remote_of
from agentctl.engine.apply import apply
from agentctl.testing.builders import Bench, ask, decide, folder_files, recorded, wanting

ADDRESS = "remote.origin"


def files(url: str) -> dict[str, str | None]:
    text = (
        "version: 1\ngraphs: {supply: {schema: supply.pg, queries: supply.gq}}\n"
        f"publication: {{remotes: {{origin: {{url: '{url}'}}}}}}\n"
    )
    return folder_files("supply") | {"cluster.yaml": text}


async def test_what_the_catalog_holds_is_the_remote_that_was_consented_to(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await bench.begun(files("git@good:o/r.git"))
    await decide(cluster, await ask(cluster, bench.agent, ADDRESS))
    await apply(cluster, bench.agent, wanting())
    bench.write(files("git@evil:o/r.git"))
    held_back = await apply(cluster, bench.agent, wanting())

    applied = (await recorded(cluster)).applied_revision.resources[ADDRESS]
    fields = await cluster.catalog.read_fields(ADDRESS, applied.digest)

    assert [n.resource for n in held_back.approvals_required] == [ADDRESS]
    assert fields is not None
    assert remote_of("origin", fields).url == "git@good:o/r.git"

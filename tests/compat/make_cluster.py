"""Makes the small cluster that a release leaves behind for its successors: one of everything.

    python -m tests.compat.make_cluster 0.1.0

writes ``tests/compat/clusters/0.1.0.tar.gz``. Run once for each release, before its formats change;
what is there is never made again.
"""

import gzip
import io
import sys
import tarfile
import tempfile
from pathlib import Path

import anyio

from agentctl.engine import freeze_ops
from agentctl.engine.apply import apply
from agentctl.engine.data import load
from agentctl.testing.builders import (
    QUERY,
    ROWS,
    WIDER_SCHEMA,
    Bench,
    ask,
    cluster_yaml,
    decide,
    folder_files,
    wanting,
)
from agentctl.testing.consent import key_of
from agentctl_tools.door import call

CLUSTERS = Path(__file__).parent / "clusters"
SECOND_QUERY = QUERY.replace("all_packages", "again")


async def make(path: Path) -> Bench:
    """Makes the cluster below *path*, on disk, and returns its bench."""
    bench = Bench(path, where="lance")
    cluster = await bench.begun(folder_files("supply", "parts"))
    assert (await apply(cluster, bench.sarah, wanting(idempotency_key="first"))).converged
    rows = ROWS.splitlines(keepends=True)
    report, _ = await load(cluster, bench.sarah, "supply", rows, mode="append", intent="first rows")
    assert report.commit is not None
    bench.write({"supply.pg": WIDER_SCHEMA, "supply.gq": QUERY + "\n" + SECOND_QUERY})
    assert (await apply(cluster, bench.sarah, wanting())).converged
    bench.write({"cluster.yaml": cluster_yaml("supply"), "parts.pg": None, "parts.gq": None})
    await decide(cluster, await ask(cluster, bench.agent, "graph.parts"))
    assert (await apply(cluster, bench.sarah, wanting())).converged
    frozen = await freeze_ops.freeze(cluster, bench.agent, "cluster", "a look")
    assert frozen.freeze is not None
    thawed = await freeze_ops.thaw(
        cluster, bench.sarah, frozen.freeze.id, "looked", signer=key_of("sarah")
    )
    assert thawed.ok
    await freeze_ops.freeze(cluster, bench.agent, "graph.supply", "no rows for now")
    edit = {"path": "supply.gq", "content": QUERY}
    edited = await call(cluster, bench.sarah, "draft_edit", edit)
    assert edited.ok, edited.diagnostics
    return bench


def packed(folder: Path) -> bytes:
    """Returns *folder* as a tar file that depends on its contents alone."""
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            entry = tarfile.TarInfo(str(path.relative_to(folder)))
            data = path.read_bytes()
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def main(release: str) -> None:
    """Writes the cluster of *release*, which must not be there yet."""
    target = CLUSTERS / f"{release}.tar.gz"
    assert not target.exists(), f"{target} is there; a release's cluster is made once"
    with tempfile.TemporaryDirectory() as place:
        bench = anyio.run(make, Path(place))
        CLUSTERS.mkdir(exist_ok=True)
        target.write_bytes(packed(bench.path))


if __name__ == "__main__":
    main(sys.argv[1])

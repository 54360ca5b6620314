"""A storage root on S3 is right in a folder, and told where a command would have to open it."""

from pathlib import Path

import anyio
import pytest

from agentctl.adapters.backends.open import open_store
from agentctl.adapters.sources.directory import Folder
from agentctl.engine.cluster import ClusterOpenError, open_cluster
from agentctl.engine.folder_load import load_folder
from agentctl.testing.clock import StillWorld


async def test_a_folder_on_s3_validates_and_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "a.pg").write_text("node A { k: String @key }\n")
    (tmp_path / "cluster.yaml").write_text(
        "version: 1\nstorage: s3://bucket/prefix\ngraphs: {g: {schema: a.pg}}\n"
    )
    answer = (await anyio.to_thread.run_sync(load_folder, tmp_path, None))[0]

    with pytest.raises(ClusterOpenError) as refused:
        await open_cluster(
            Folder(tmp_path),
            make_store=open_store,
            make_graphs=lambda _: pytest.fail("no store, no graphs"),
            world=StillWorld(),
            verify=lambda *_: None,
        )

    assert answer.ok
    assert [d.code for d in answer.diagnostics] == ["external_blob_ingress_default_deny"]
    assert [(d.code, str(d.where)) for d in refused.value.diagnostics] == [
        ("not_supported_yet", "cluster.yaml:2:10")
    ]

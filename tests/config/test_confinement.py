"""What of a disk is config, and what never is. Source: control-plane 3.1 (Confinement)."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.adapters.sources.directory import Folder
from agentctl.domain.config.paths import leaves_folder, normal_path

SCHEMA = "node A { k: String @key }\n"


def cluster(schema: str) -> str:
    return f'version: 1\ngraphs: {{g: {{schema: "{schema}"}}}}\n'


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    place = tmp_path.with_name(tmp_path.name + "-outside")
    place.mkdir()
    (place / "a.pg").write_text(SCHEMA)
    return place


async def test_an_absolute_path_and_one_above_are_for_the_operator_alone(
    load: Any, outside: Path, tmp_path: Path, told: Any
) -> None:
    above = f"../{tmp_path.name}/../{outside.name}/a.pg"
    for path, normal in (
        (str(outside / "a.pg"), str(outside / "a.pg")),
        (above, f"../{outside.name}/a.pg"),
    ):
        operator = await load({"cluster.yaml": cluster(path)}, confined=False)
        agent = await load({}, confined=True)

        assert operator.diagnostics == ()
        assert operator.files[normal] == SCHEMA.encode()
        assert told(agent) == [
            f"cluster.yaml:2:22 error path_outside_folder: `{normal}` is outside the cluster folder"
        ]
        assert normal not in agent.files


async def test_a_link_out_of_the_folder_is_not_followed_for_an_agent(
    load: Any, outside: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.pg").symlink_to(outside / "a.pg")
    (tmp_path / "q").symlink_to(outside, target_is_directory=True)
    (outside / "x.gq").write_text("query x() { match { $a: A } return { $a.k } }\n")
    text = "version: 1\ngraphs: {g: {schema: a.pg, queries: q}}\n"
    operator = await load({"cluster.yaml": text}, confined=False)
    agent = await load({}, confined=True)

    assert operator.diagnostics == ()
    assert {d.code for d in agent.diagnostics if d.severity == "error"} == {"path_outside_folder"}
    assert list(agent.files) == ["cluster.yaml"]


async def test_a_link_in_a_queries_folder_is_judged_too(
    load: Any, outside: Path, tmp_path: Path
) -> None:
    (outside / "x.gq").write_text("query x() { match { $a: A } return { $a.k } }\n")
    (tmp_path / "q").mkdir()
    (tmp_path / "q" / "x.gq").symlink_to(outside / "x.gq")
    loaded = await load(
        {
            "cluster.yaml": "version: 1\ngraphs: {g: {schema: a.pg, queries: q}}\n",
            "a.pg": SCHEMA,
        }
    )

    assert [d.code for d in loaded.diagnostics] == ["path_outside_folder"]


async def test_a_link_inside_the_folder_is_followed(load: Any, tmp_path: Path) -> None:
    (tmp_path / "a.pg").symlink_to("real.pg")
    loaded = await load({"cluster.yaml": cluster("a.pg"), "real.pg": SCHEMA})

    assert loaded.diagnostics == ()


async def test_cluster_yaml_may_not_be_a_link_out_for_an_agent(
    load: Any, outside: Path, tmp_path: Path
) -> None:
    (outside / "cluster.yaml").write_text("version: 1\n")
    (tmp_path / "cluster.yaml").symlink_to(outside / "cluster.yaml")

    assert [d.code for d in (await load({}, confined=True)).diagnostics] == ["path_outside_folder"]
    assert (await load({}, confined=False)).diagnostics == ()


@pytest.mark.parametrize(
    "path",
    [
        "__cluster/state.json", "graphs/g.omni/_schema.pg", "ops/x", "sandboxes/a/blobs/b", ".env",
        "sub/.env.prod", "./x/../__cluster/a", "sub/__cluster/a", "GRAPHS/a.pg",
    ],
)  # fmt: skip
async def test_state_data_and_secrets_are_never_config_even_for_the_operator(
    load: Any, path: str
) -> None:
    loaded = await load({"cluster.yaml": cluster(path), path: SCHEMA}, confined=False)

    assert [(d.code, str(d.where)) for d in loaded.diagnostics] == [
        ("path_not_config", "cluster.yaml:2:22")
    ]
    assert list(loaded.files) == ["cluster.yaml"]


async def test_a_link_to_state_is_state(load: Any, tmp_path: Path) -> None:
    (tmp_path / "a.pg").symlink_to("__cluster/secret.pg")
    loaded = await load(
        {"cluster.yaml": cluster("a.pg"), "__cluster/secret.pg": SCHEMA}, confined=False
    )

    assert [d.code for d in loaded.diagnostics] == ["path_not_config"]


async def test_a_pipe_does_not_block_and_a_device_is_not_read(load: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pg")
    pipe = await load({"cluster.yaml": cluster("pipe.pg")})
    device = await load({"cluster.yaml": cluster("/dev/zero")}, confined=False)

    assert [(d.code, d.message) for d in pipe.diagnostics] == [
        ("schema_file_missing", "`pipe.pg` cannot be read: it is no regular file")
    ]
    assert [d.message for d in device.diagnostics] == [
        "`/dev/zero` cannot be read: it is no regular file"
    ]


async def test_loops_of_links_and_names_too_long_are_told(load: Any, tmp_path: Path) -> None:
    (tmp_path / "loop.pg").symlink_to("loop.pg")
    loop = await load({"cluster.yaml": cluster("loop.pg")})
    long = await load({"cluster.yaml": cluster("x" * 300 + ".pg")})

    assert [d.code for d in loop.diagnostics] == ["schema_file_missing"]
    assert [d.code for d in long.diagnostics] == ["schema_file_missing"]


async def test_an_environment_file_is_told_because_it_would_not_be_read(load: Any) -> None:
    loaded = await load(
        {"cluster.yaml": cluster("a.pg"), "a.pg": SCHEMA, "cluster.prod.yaml": "storage: x\n"}
    )

    assert [(d.severity, d.code, str(d.where)) for d in loaded.diagnostics] == [
        ("warning", "future_phase_field", "cluster.prod.yaml:1:1")
    ]
    assert loaded.desired is not None


async def test_an_overlay_stands_before_the_folder(load: Any, tmp_path: Path) -> None:
    files = {"cluster.yaml": cluster("a.pg"), "a.pg": SCHEMA, "q/x.gq": "broken"}
    text = b"version: 1\ngraphs: {g: {schema: b.pg, queries: q}}\n"
    query = b"query y() { match { $a: A } return { $a.k } }\n"
    loaded = await load(
        files,
        overlay={
            "cluster.yaml": text,
            "b.pg": SCHEMA.encode(),
            "a.pg": None,
            "q/x.gq": None,
            "q/y.gq": query,
        },
    )
    untouched = await Folder(tmp_path).load(confined=True)

    assert loaded.diagnostics == ()
    assert sorted(loaded.files) == ["b.pg", "cluster.yaml", "q/y.gq"]
    assert sorted(untouched.files) == ["a.pg", "cluster.yaml"]


async def test_a_removed_cluster_file_is_missing(load: Any) -> None:
    loaded = await load(
        {"cluster.yaml": cluster("a.pg"), "a.pg": SCHEMA}, overlay={"cluster.yaml": None}
    )

    assert [d.code for d in loaded.diagnostics] == ["cluster_config_read_error"]


async def test_a_file_that_is_not_utf8_is_told(load: Any) -> None:
    loaded = await load({"cluster.yaml": b"version: 1\n# \xff\n"})
    schema = await load({"cluster.yaml": cluster("a.pg"), "a.pg": b"node \xff"})

    assert [(d.code, str(d.where)) for d in loaded.diagnostics] == [
        ("invalid_cluster_yaml", "cluster.yaml:2:3")
    ]
    assert [d.code for d in schema.diagnostics] == ["schema_parse_error"]


@given(st.text(st.sampled_from("ab./"), max_size=20))
def test_a_normal_path_names_the_same_place_and_is_its_own_normal_path(path: str) -> None:
    normal = normal_path(path)

    assert normal == normal_path(normal)
    if path:
        assert os.path.normpath("/base/x/" + path if not path.startswith("/") else path) == (
            os.path.normpath("/base/x/" + normal if not normal.startswith("/") else normal)
        ) or path.startswith("//")
    assert leaves_folder(normal) == (normal.startswith("/") or normal.split("/")[0] == "..")

"""Two people, their own homes and keys, one folder: rules from cluster.yaml to the applied deletion.

Real processes on real terminals. Source: control-plane 3.1, 3.4; access-and-faces 3.1, 3.5.
"""

from pathlib import Path

import pytest

from agentctl.testing.builders import cluster_yaml, folder_files
from agentctl.testing.shell import Shell

pytestmark = pytest.mark.slow

TWO_OF_OPS = """
approvals:
  deletions:
    match: {classes: [irreversible]}
    need: {count: 2, roles: [ops]}
"""


class Team:
    """Sarah, who made the cluster, and tom, whom she enrolled; both work in one folder."""

    def __init__(self, root: Path) -> None:
        self.sarah = Shell(root / "sarah")
        self.sarah.folder = root / "cluster"
        self.sarah.begun(folder_files("supply", "spare"))
        self.me = next(
            i["id"]
            for i in self.sarah.json("identity", "list")["identities"]
            if i["kind"] == "human"
        )
        self.tom = Shell(root / "tom")
        self.tom.folder = self.sarah.folder
        public = self.tom.done("identity", "key", "tom", "--no-passphrase")
        (root / "tom.pub").write_text(public)
        self.signs(
            "identity", "new", "tom", "--key", root / "tom.pub", "--group", "ops", about="tom"
        )
        self.signs("identity", "groups", self.me, "ops", about=self.me)

    def signs(self, *arguments: str | Path, about: str) -> str:
        """Runs a change of the chain that sarah signs on her terminal."""
        code, told = self.sarah.on_a_terminal(*arguments, typed=[(f"Type {about}", about)])
        assert code == 0, told
        return told

    def approves(self, who: Shell, resource: str, *more: str) -> tuple[int, str]:
        """Looks at a request on a terminal and types the resource's name."""
        name = resource.partition(".")[2]
        return who.on_a_terminal("approve", resource, *more, typed=[(f"Type {name}", name)])

    def rule(self, text: str) -> None:
        """Applies an approval rule, which is a change of authority that sarah decides."""
        self.sarah.write({"cluster.yaml": cluster_yaml("supply", "spare") + text})
        code, told = self.approves(self.sarah, "approval.deletions")
        assert code == 0, told
        self.sarah.done("apply", "--require-converged")

    def remove_spare(self, text: str) -> None:
        """Takes the graph out of the folder, which deletes it behind a gate."""
        files = {"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply") + text}
        self.sarah.write(files)
        self.sarah.done("approvals", "request", "graph.spare")

    def presence(self) -> str:
        listed = self.sarah.json("graph", "list")["graphs"]
        return next(str(g["presence"]) for g in listed if g["id"] == "spare")


@pytest.fixture(scope="module")
def _team(tmp_path_factory: pytest.TempPathFactory) -> Team:
    team = Team(tmp_path_factory.mktemp("team"))
    team.rule(TWO_OF_OPS)
    team.remove_spare(TWO_OF_OPS)
    return team


def test_a_deletion_waits_for_two_people_and_then_happens(_team: Team) -> None:  # noqa: PT019
    team = _team
    before, told_once = team.approves(team.sarah, "graph.spare")
    waiting = team.sarah.json("apply")
    again, told_again = team.approves(team.sarah, "graph.spare")
    still = team.presence()
    second, told_second = team.approves(team.tom, "graph.spare")
    team.sarah.done("apply", "--require-converged")

    assert before == 0, told_once
    assert "2 people · each of ops · by approval.deletions" in told_once
    assert waiting["changes"]
    assert again == 1
    assert "has approved it already" in told_again
    assert still == "live"
    assert second == 0, told_second
    assert f"approved by {team.me}" in told_second
    assert team.presence() == "detached"


def test_each_of_them_is_listed_with_their_groups(_team: Team) -> None:  # noqa: PT019
    told = _team.tom.done("identity", "list")

    assert "tom  human, enrolled" in told
    assert told.count("groups ops") == 2


def test_somebody_whose_key_was_revoked_sees_and_decides_nothing(_team: Team) -> None:  # noqa: PT019
    team = _team
    team.signs("identity", "revoke", "tom", "--reason", "left", about="tom")

    code, told = team.tom.on_a_terminal("deny", "graph.spare")

    assert code != 0
    assert "tom" not in team.tom.done("identity", "show")
    assert "no request is open" in told or "not an enrolled human" in told

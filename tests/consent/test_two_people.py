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
        self.signs("identity", "groups", self.me, "ops", about=self.me, by=self.tom)

    def signs(self, *arguments: str | Path, about: str, by: Shell | None = None) -> str:
        """Runs a change of the chain that sarah signs on her terminal, or who is named."""
        code, told = (by or self.sarah).on_a_terminal(*arguments, typed=[(f"Type {about}", about)])
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


def test_somebody_of_the_role_decides_alone_and_a_second_human_closes_the_review(
    tmp_path: Path,
) -> None:
    team = Team(tmp_path)
    team.rule(TWO_OF_OPS)
    team.remove_spare(TWO_OF_OPS)
    asked = team.sarah.json("approvals", "list")["requests"][0]["request_id"]
    refused, told = team.approves(team.sarah, "graph.spare", "--break-glass", "--reason", "fire")
    own, why = team.sarah.on_a_terminal(
        "identity", "groups", team.me, "ops", "breakglass", typed=[(f"Type {team.me}", team.me)]
    )
    team.signs("identity", "groups", team.me, "ops", "breakglass", about=team.me, by=team.tom)
    code, alone = team.approves(team.sarah, "graph.spare", "--break-glass", "--reason", "fire")
    applied = team.sarah.run("apply", "--require-converged")
    listed = team.tom.json("approvals", "review")["emergencies"]
    approval = listed[0]["artifact"]["approval_id"]
    doctor = team.tom.run("doctor")
    status = team.tom.run("status")
    reviewed = team.sarah.run("approvals", "review", approval, "--reason", "fine")
    closed = team.tom.run("approvals", "review", approval, "--reason", "there was a fire")

    assert asked
    assert refused == 1
    assert "not in the group breakglass" in told
    assert own == 1
    assert "another human puts you into breakglass" in why
    assert f"tom runs: agentctl identity groups {team.me} ops breakglass" in why
    assert code == 0, alone
    assert "EMERGENCY: you decide alone" in alone
    assert applied.returncode == 0, applied.stderr
    assert "break_glass_used" in applied.stderr
    assert "break_glass_open" in doctor.stderr
    assert "break_glass_open" in status.stderr
    assert "break-glass: fire" in team.tom.done("ops", "log")
    assert "nobody reviews their own decision" in reviewed.stderr
    assert closed.returncode == 0, closed.stderr
    assert "review: justified, tom" in team.tom.done("approvals", "review")
    assert "break_glass_open" not in team.tom.run("doctor").stderr
    assert "break_glass_open" not in team.tom.run("status").stderr


def test_a_lost_key_is_replaced_by_the_recovery_code_that_is_typed(tmp_path: Path) -> None:
    team = Team(tmp_path)
    made = team.sarah.json("identity", "recovery")["recovery_code"]
    lost = next(p for p in team.sarah.keys.iterdir() if p.name == f"human-{team.me}")
    lost.unlink()
    public = team.sarah.done("identity", "key", "again", "--no-passphrase")
    (tmp_path / "new.pub").write_text(public)
    before = team.sarah.json("identity", "show")["identity"]

    def recover(code: str) -> tuple[int, str]:
        return team.sarah.on_a_terminal(
            "identity", "recover", team.me, "--key", tmp_path / "new.pub",
            typed=[("Recovery code", code)],
        )  # fmt: skip

    wrong = recover("0000-0000")
    right = recover(made.lower())
    after = team.sarah.json("identity", "show")["identity"]

    assert not before["enrolled"]
    assert wrong[0] == 1
    assert "recovery_code_invalid" in wrong[1]
    assert right[0] == 0, right[1]
    assert made not in right[1]
    assert (after["id"], after["enrolled"]) == (team.me, True)
    assert all(made.encode() not in p.read_bytes() for p in team.sarah.folder.rglob("*.json"))


def test_a_delegate_counts_while_it_lasts(tmp_path: Path) -> None:
    team = Team(tmp_path)
    team.signs("identity", "groups", "tom", about="tom")
    team.rule("\napprovals:\n  deletions:\n    need: {roles: [ops]}\n")
    team.remove_spare("\napprovals:\n  deletions:\n    need: {roles: [ops]}\n")
    alone, told = team.tom.on_a_terminal("approve", "graph.spare")
    team.signs(
        "identity", "delegate", "tom", "--resource", "graph.spare", "--for", "1h", about="tom"
    )
    code, answer = team.approves(team.tom, "graph.spare")

    assert alone == 1
    assert "tom is not in one of ops" in told
    assert code == 0, answer


def test_somebody_whose_key_was_revoked_sees_and_decides_nothing(_team: Team) -> None:  # noqa: PT019
    team = _team
    team.signs("identity", "revoke", "tom", "--reason", "left", about="tom")

    code, told = team.tom.on_a_terminal("deny", "graph.spare")

    assert code != 0
    assert "tom" not in team.tom.done("identity", "show")
    assert "no request is open" in told or "not an enrolled human" in told

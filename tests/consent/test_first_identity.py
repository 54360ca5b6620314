"""The first human, their agent, the recovery code, and who is shown as whom."""

from pathlib import Path

import pytest

from agentctl.adapters.backends.memory import MemoryStore
from agentctl.adapters.keys.keyfile import has_passphrase, make_key, nid_of, public_of_file
from agentctl.adapters.keys.recovery_code import seed_of
from agentctl.adapters.keys.signer import SeedSigner
from agentctl.adapters.keys.sshsig import verify
from agentctl.domain.policy.principals import Registry
from agentctl.engine.identity import (
    FirstIdentity,
    list_identities,
    make_first_identity,
    principal_name,
    recover,
    show_identity,
)
from agentctl.engine.principals import Principals
from agentctl.testing.clock import StillWorld
from agentctl.testing.consent import caller, key_of


def never(prompt: str) -> bytes:
    pytest.fail(f"asked: {prompt}")


class Place:
    """A storage root, and the keys folder of its operator."""

    def __init__(self, tmp_path: Path, *, user: str = "sarah") -> None:
        self.keys = tmp_path / "keys"
        self.world = StillWorld(user=user, seed=user)
        self.principals = Principals(MemoryStore(), self.world, verify)

    async def init(self, passphrase: bytes | None = b"horse") -> FirstIdentity:
        return await make_first_identity(
            self.principals,
            world=self.world,
            keys=self.keys,
            new_passphrase=None if passphrase is None else lambda: passphrase,
            unlock=lambda _: passphrase or b"",
        )


async def test_a_new_cluster_has_its_first_human_an_agent_and_a_recovery_code(
    tmp_path: Path,
) -> None:
    place = Place(tmp_path)

    made = await place.init()

    registry = await place.principals.registry()
    assert made.diagnostics == ()
    assert made.made == ("agent:sarah", "sarah")
    assert made.cluster_id == registry.cluster_id
    assert {p.id: (p.kind, p.assurance) for p in registry.principals.values()} == {
        "sarah": ("human", "file"),
        "agent:sarah": ("agent", None),
    }
    assert made.human_key == str(place.keys / "human-sarah")
    assert has_passphrase(place.keys / "human-sarah")
    assert not has_passphrase(place.keys / "agent-sarah")
    assert made.recovery_code is not None
    seed = seed_of(made.recovery_code)
    assert seed is not None
    assert SeedSigner(seed).key == registry.recovery


async def test_twice_changes_nothing_and_asks_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path)
    first = await place.init()
    before = await place.principals.registry()

    again = await make_first_identity(
        place.principals,
        world=place.world,
        keys=place.keys,
        new_passphrase=lambda: never("new"),
        unlock=never,
    )

    assert await place.principals.registry() == before
    assert (again.made, again.recovery_code, again.human) == ((), None, first.human)


async def test_without_a_terminal_there_is_an_agent_and_no_human_until_one_comes(
    tmp_path: Path,
) -> None:
    place = Place(tmp_path)

    headless = await place.init(passphrase=None)
    assert (headless.human, headless.agent) == (None, "agent:sarah")
    assert [(d.code, d.severity) for d in headless.diagnostics] == [
        ("human_key_missing", "warning")
    ]

    later = await place.init()
    assert (later.human, later.cluster_id) == ("sarah", headless.cluster_id)
    assert later.recovery_code is not None


async def test_a_key_that_is_there_serves_a_second_cluster(tmp_path: Path) -> None:
    one, two = Place(tmp_path), Place(tmp_path)
    await one.init()
    public = public_of_file(one.keys / "human-sarah")

    made = await two.init()

    assert made.diagnostics == ()
    registry = await two.principals.registry()
    assert registry.human_with_key(public) == registry.principals["sarah"]


async def test_a_key_that_cannot_be_opened_makes_no_human_and_says_so(tmp_path: Path) -> None:
    place = Place(tmp_path)
    make_key(place.keys / "human-sarah", passphrase=b"battery", comment="old")

    made = await place.init(b"horse")

    assert made.human is None
    assert made.agent == "agent:sarah"
    assert [d.code for d in made.diagnostics] == ["human_key_unusable"]


@pytest.mark.parametrize(
    ("user", "name"),
    [
        ("sarah", "sarah"),
        ("DOM\\sarah", "DOM-sarah"),
        ("j\u00f6rg", "j-rg"),
        ("", "operator"),
        ("-x", "x"),
    ],
)
def test_an_operating_system_user_gets_an_id_of_plain_letters(user: str, name: str) -> None:
    assert principal_name(user) == name


async def test_the_recovery_code_replaces_a_lost_key_and_no_other_code_does(
    tmp_path: Path,
) -> None:
    place, stranger = Place(tmp_path), Place(tmp_path / "other", user="mallory")
    made, other = await place.init(), await stranger.init()
    new = key_of("new").key

    async def with_code(code: str | None) -> object:
        assert code is not None
        return await recover(
            place.principals, principal_id="sarah", code=code, new_key=new, reason="lost"
        )

    assert made.recovery_code is not None
    mistyped = await with_code(made.recovery_code[:-1] + "?")
    foreign = await with_code(other.recovery_code)
    done = await with_code(made.recovery_code.lower())

    assert isinstance(mistyped, tuple)
    assert isinstance(foreign, tuple)
    assert {mistyped[0].code, foreign[0].code} == {"recovery_code_invalid"}
    assert isinstance(done, Registry)
    assert done.human_with_key(new) is not None


async def test_everyone_is_listed_and_the_caller_is_shown_with_their_key(tmp_path: Path) -> None:
    place = Place(tmp_path)
    await place.init()
    registry = await place.principals.registry()
    public = public_of_file(place.keys / "human-sarah")

    agent, human = list_identities(registry, keys=place.keys)
    me = show_identity(registry, caller("sarah"), keys=place.keys)
    nobody = show_identity(registry, caller("local:sarah", enrolled=False), keys=place.keys)

    assert (agent.id, human.id) == ("agent:sarah", "sarah")
    assert me == human
    assert (me.nid, me.key_file, me.passphrase) == (
        nid_of(public),
        str(place.keys / "human-sarah"),
        True,
    )
    assert list_identities(registry, keys=None)[1].key_file is None
    assert (nobody.enrolled, nobody.key) == (False, None)

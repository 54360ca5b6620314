"""A JWT is taken from issuers that the operator named, for this audience, as long as it holds."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import jwt
import pytest
from anyio import to_thread
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agentctl.adapters.keys.jwks import (
    ASKED_AFTER_FAILURE,
    ASKED_AGAIN,
    END_MAX_S,
    FRESH,
    KEYS_MAX,
    Issuer,
    Issuers,
    KeySetError,
    issuers_of_profile,
)
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.engine.cluster import Cluster
from agentctl.testing.builders import Bench, folder_files
from agentctl.testing.consent import key_of
from agentctl_tools.callers import JWTS_AT_ONCE, TokenCaller, _jwt_threads, caller_of_token

ISSUER, URL, JWKS = "https://id.example", "https://graphs.example", "https://id.example/keys"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
WEAK = rsa.generate_private_key(public_exponent=65537, key_size=1024)


def public(key: Any, kid: str | None = "one", **more: object) -> dict[str, object]:
    name = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "EdDSA"
    written = jwt.get_algorithm_by_name(name).to_jwk(key.public_key(), as_dict=True)
    return {**written, **({"kid": kid} if kid else {}), "use": "sig", **more}


class Published:
    """What the issuer publishes, and how often it was asked."""

    def __init__(self, *keys: dict[str, object]) -> None:
        self.keys = list(keys)
        self.asked = 0
        self.is_down = False

    def __call__(self, url: str) -> bytes:
        assert url == JWKS
        self.asked += 1
        if self.is_down:
            msg = "the issuer's keys cannot be had"
            raise KeySetError(msg)
        return json.dumps({"keys": self.keys}).encode()


async def begun(tmp_path: Path) -> Cluster:
    cluster = await Bench(tmp_path).begun(folder_files("supply"))
    await cluster.principals.add(principal_id="agent:ci", kind="agent", key=key_of("ci").key)
    return cluster


def issuers(published: Published, **more: Any) -> Issuers:
    return Issuers((Issuer(issuer=ISSUER, jwks=JWKS, **more),), fetch=published)


def signed(cluster: Cluster, key: Any = KEY, kid: str | None = "one", **more: Any) -> str:
    now = int(cluster.world.now().timestamp())
    claims: dict[str, Any] = {
        "iss": ISSUER, "aud": URL, "sub": "agent:ci", "exp": now + 600, "scope": "look real email",
    }  # fmt: skip
    algorithm = more.pop("alg", "RS256" if isinstance(key, rsa.RSAPrivateKey) else "EdDSA")
    headers = more.pop("headers", {}) | ({"kid": kid} if kid else {})
    claims = {name: value for name, value in {**claims, **more}.items() if value is not None}
    return jwt.encode(claims, key, algorithm=algorithm, headers=headers)


async def asked(
    cluster: Cluster, secret: str, taken: Issuers, via: Any = "http"
) -> TokenCaller | Diagnostic:
    return await caller_of_token(cluster, secret, via=via, audience=URL, issuers=taken)


async def test_a_jwt_names_a_living_principal_with_the_scopes_that_are_ours(tmp_path: Path) -> None:
    cluster = await begun(tmp_path)

    found = await asked(cluster, signed(cluster), issuers(Published(public(KEY))))

    assert isinstance(found, TokenCaller), found
    assert (found.caller.id, found.caller.kind, found.caller.via) == ("agent:ci", "agent", "http")
    assert found.scopes == {"look", "real"}


async def test_without_scopes_it_only_looks(tmp_path: Path) -> None:
    cluster = await begun(tmp_path)

    found = await asked(cluster, signed(cluster, scope=None), issuers(Published(public(KEY))))

    assert isinstance(found, TokenCaller)
    assert found.scopes == {"look"}


async def test_an_actor_acts_for_the_human_who_is_the_subject(tmp_path: Path) -> None:
    """RFC 8693: `act`. The human must be living here, too."""
    cluster = await begun(tmp_path)
    taken = issuers(Published(public(KEY)), principals={"sarah@example.org": "sarah"})

    found = await asked(
        cluster, signed(cluster, sub="sarah@example.org", act={"sub": "agent:ci"}), taken
    )
    nobody = await asked(cluster, signed(cluster, sub="eve", act={"sub": "agent:ci"}), taken)
    swapped = await asked(cluster, signed(cluster, sub="agent:ci", act={"sub": "sarah"}), taken)

    assert isinstance(found, TokenCaller), found
    assert (found.caller.id, found.caller.on_behalf_of) == ("agent:ci", "sarah")
    assert isinstance(nobody, Diagnostic)
    assert isinstance(swapped, Diagnostic)


async def test_over_mcp_a_humans_jwt_is_an_agent(tmp_path: Path) -> None:
    cluster = await begun(tmp_path)

    found = await asked(
        cluster, signed(cluster, sub="sarah"), issuers(Published(public(KEY))), via="mcp"
    )

    assert isinstance(found, TokenCaller)
    assert (found.caller.kind, found.caller.on_behalf_of) == ("agent", "sarah")


def _unsigned(_cluster: Cluster) -> str:
    return jwt.encode({"iss": ISSUER, "sub": "sarah"}, "", algorithm="none")


def _weak(cluster: Cluster) -> str:
    with pytest.warns(jwt.warnings.InsecureKeyLengthWarning):
        return signed(cluster, WEAK, kid="weak")


def _shared_secret(cluster: Cluster) -> str:
    """Signed with the public key as if it were a shared secret."""
    return signed(cluster, "x" * 64, alg="HS256")


FORGED: dict[str, Callable[[Cluster], str]] = {
    "another key": lambda c: signed(c, OTHER),
    "an unknown key id": lambda c: signed(c, OTHER, kid="two"),
    "no key id among several": lambda c: signed(c, kid=None),
    "no signature": _unsigned,
    "a shared secret": _shared_secret,
    "a short RSA key": _weak,
    "another issuer": lambda c: signed(c, iss="https://evil.example"),
    "no issuer": lambda c: signed(c, iss=None),
    "another audience": lambda c: signed(c, aud="https://other.example"),
    "no audience": lambda c: signed(c, aud=None),
    "no end": lambda c: signed(c, exp=None),
    "an end that was": lambda c: signed(c, exp=int(c.world.now().timestamp()) - 1),
    "an end beyond time": lambda c: signed(c, exp=10**30),
    "an end beyond the calendar": lambda c: signed(c, exp=END_MAX_S + 1),
    "an end that is no number": lambda c: signed(c, nbf=True),
    "a begin to come": lambda c: signed(c, nbf=int(c.world.now().timestamp()) + 600),
    "made in the future": lambda c: signed(c, iat=int(c.world.now().timestamp()) + 600),
    "a subject that is unknown": lambda c: signed(c, sub="agent:nobody"),
    "no subject": lambda c: signed(c, sub=None),
    "an actor that is no name": lambda c: signed(c, act="agent:ci"),
    "a critical header": lambda c: signed(c, headers={"crit": ["b64"], "b64": True}),
    "a cut one": lambda c: signed(c)[:-5],
    "one too long": lambda c: signed(c, pad="x" * 20_000),
    "no JWT": lambda _: "eyJ.e.e",
}


@pytest.mark.parametrize("forged", FORGED)
async def test_what_does_not_hold_names_nobody_and_is_not_repeated(
    tmp_path: Path, forged: str
) -> None:
    cluster = await begun(tmp_path)
    taken = issuers(Published(public(KEY), public(WEAK, "weak")))
    secret = FORGED[forged](cluster)

    found = await asked(cluster, secret, taken)

    assert isinstance(found, Diagnostic), found
    assert found.code in {"token_invalid", "token_expired"}
    assert secret not in str(found)


async def test_keys_rotate_without_a_restart_and_a_flood_of_unknown_ids_asks_once(
    tmp_path: Path,
) -> None:
    cluster = await begun(tmp_path)
    published = Published(public(KEY))
    taken = issuers(published)
    now = cluster.world.now()
    assert not isinstance(taken.grant(signed(cluster), now=now, audience=URL), Diagnostic)
    published.keys = [public(OTHER, "two")]
    rotated = signed(cluster, OTHER, kid="two")

    for _ in range(50):
        assert isinstance(taken.grant(rotated, now=now, audience=URL), Diagnostic)
    asked_before = published.asked
    later = now + ASKED_AGAIN + timedelta(seconds=1)

    assert asked_before == 1
    assert not isinstance(taken.grant(rotated, now=later, audience=URL), Diagnostic)
    assert published.asked == 2


async def test_keys_that_are_known_outlast_an_issuer_that_is_down_for_a_while(
    tmp_path: Path,
) -> None:
    cluster = await begun(tmp_path)
    published = Published(public(KEY))
    taken = issuers(published)
    now = cluster.world.now()
    secret = signed(cluster, exp=int(now.timestamp()) + 86_400)
    taken.grant(secret, now=now, audience=URL)
    published.is_down = True

    assert not isinstance(taken.grant(secret, now=now + FRESH, audience=URL), Diagnostic)
    for _ in range(20):
        gone = taken.grant(secret, now=now + FRESH * 2, audience=URL)
        assert isinstance(gone, Diagnostic)
        assert gone.code == "issuer_unavailable"
    assert published.asked == 2, "an issuer that is down is not asked at each request"
    published.is_down = False
    back = taken.grant(secret, now=now + FRESH * 2 + ASKED_AFTER_FAILURE, audience=URL)
    assert not isinstance(back, Diagnostic)


async def test_an_issuer_that_does_not_answer_holds_up_nobody_else(tmp_path: Path) -> None:
    cluster = await begun(tmp_path)
    let_go, answers = threading.Event(), list[object]()

    def slow(_url: str) -> bytes:
        let_go.wait(20)
        return json.dumps({"keys": [public(KEY)]}).encode()

    taken = Issuers((Issuer(issuer=ISSUER, jwks=JWKS),), fetch=slow)

    async def one() -> None:
        answers.append(await asked(cluster, signed(cluster), taken))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                tasks.start_soon(one)
            while not (busy := _jwt_threads().borrowed_tokens):
                await anyio.lowlevel.checkpoint()
            try:
                with anyio.fail_after(10):
                    await to_thread.run_sync(lambda: None)
            finally:
                let_go.set()

    assert busy <= JWTS_AT_ONCE
    assert all(isinstance(answer, TokenCaller) for answer in answers)
    assert len(answers) == 100


async def test_a_key_set_is_bounded_and_holds_public_keys_only(tmp_path: Path) -> None:
    cluster = await begun(tmp_path)
    private = {**public(OTHER, "private"), "d": "AAAA"}
    shared: dict[str, object] = {"kty": "oct", "k": "AAAA", "kid": "shared"}
    many = [public(OTHER, f"k{n}") for n in range(KEYS_MAX)]
    taken = issuers(Published(private, shared, *many, public(KEY)))

    for kid, key in (("private", OTHER), ("one", KEY)):
        found = taken.grant(signed(cluster, key, kid=kid), now=cluster.world.now(), audience=URL)
        assert isinstance(found, Diagnostic)


@pytest.mark.parametrize("answer", [b"", b"{}", b"[]", b'{"keys": 3}'])
async def test_what_is_no_key_set_proves_nothing(tmp_path: Path, answer: bytes) -> None:
    cluster = await begun(tmp_path)
    taken = Issuers((Issuer(issuer=ISSUER, jwks=JWKS),), fetch=lambda _url: answer)

    found = taken.grant(signed(cluster), now=cluster.world.now(), audience=URL)

    assert isinstance(found, Diagnostic)


async def test_a_profile_names_issuers_whose_keys_may_be_in_a_file(tmp_path: Path) -> None:
    cluster = await begun(tmp_path)
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [public(KEY, None)]}))
    profile = tmp_path / "profile.yaml"
    profile.write_text(
        f"notify: []\nserve:\n  issuers:\n    - issuer: {ISSUER}\n      jwks: {keys}\n"
        "      audience: graphs\n      algorithms: [EdDSA]\n"
    )

    taken = issuers_of_profile(profile)

    assert isinstance(taken, Issuers)
    good = taken.grant(
        signed(cluster, kid=None, aud="graphs"), now=cluster.world.now(), audience=URL
    )
    assert not isinstance(good, Diagnostic), good
    assert isinstance(await asked(cluster, signed(cluster, kid=None), taken), Diagnostic)


@pytest.mark.parametrize(
    "text",
    [
        "serve: {issuers: [{issuer: x, jwks: http://example.org}]}",
        "serve: {issuers: [{issuer: x, jwks: keys.json}]}",
        "serve: {issuers: [{issuer: '', jwks: /k}]}",
        "serve: {issuers: [{issuer: x, jwks: /k, algorithms: [HS256]}]}",
        "serve: {issuers: [{issuer: x, jwks: /k, algorithms: [none]}]}",
        "serve: {issuers: [{issuer: x, jwks: /k, algorithms: []}]}",
        "serve: {issuers: [{issuer: x, jwks: /k, trust: all}]}",
        "serve: {issuers: [{issuer: x, jwks: /k}, {issuer: x, jwks: /l}]}",
        "serve: [",
    ],
)
def test_settings_that_are_wrong_take_no_jwt_at_all(tmp_path: Path, text: str) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text(text)

    found = issuers_of_profile(profile)

    assert isinstance(found, Diagnostic)
    assert found.code == "serve_settings_invalid"
    assert not issuers_of_profile(tmp_path / "none.yaml")


async def test_no_profile_no_jwt(tmp_path: Path) -> None:
    cluster = await begun(tmp_path)

    found = await asked(cluster, signed(cluster), Issuers(()))

    assert isinstance(found, Diagnostic)

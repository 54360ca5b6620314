"""JWTs that do not hold: each way in which an issuer's word is forged, at both faces."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agentctl_tools import callers

APPLY = {
    "jsonrpc": "2.0", "id": 1, "method": "tools/call",
    "params": {"name": "apply", "arguments": {"intent": "x", "in": "cluster", "idempotency_key": "k"}},
}  # fmt: skip
ISSUER = "https://id.example"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _jwk(key: Any, kid: str) -> dict[str, Any]:
    name = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "EdDSA"
    written = jwt.get_algorithm_by_name(name).to_jwk(key.public_key(), as_dict=True)
    return {**written, "kid": kid, "use": "sig"}


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _claims(now: int, **more: Any) -> dict[str, Any]:
    claims = {
        "iss": ISSUER, "aud": "graphs", "sub": "sarah", "exp": now + 600, "scope": "look try real",
    } | more  # fmt: skip
    return {k: v for k, v in claims.items() if v is not None}


def _hmac_with(public: bytes, now: int) -> str:
    """The confusion of algorithms: the public key is what everybody has."""
    signed = f"{_part({'alg': 'HS256', 'typ': 'JWT', 'kid': 'rsa'})}.{_part(_claims(now))}"
    mac = hmac.new(public, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def _pem(key: Any) -> bytes:
    return bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


def _unsigned(alg: str, now: int) -> str:
    return f"{_part({'alg': alg, 'kid': 'one'})}.{_part(_claims(now))}."


def _signed(now: int, key: Any = KEY, headers: dict[str, Any] | None = None, **more: Any) -> str:
    algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "EdDSA"
    return jwt.encode(
        _claims(now, **more), key, algorithm, headers={"kid": "one", **(headers or {})}
    )


def _embedded(now: int) -> str:
    return _signed(now, OTHER, {"jwk": _jwk(OTHER, "one"), "kid": "evil"})


JWTS: dict[str, Callable[[int], str]] = {
    "alg none": lambda now: _unsigned("none", now),
    "alg None": lambda now: _unsigned("None", now),
    "alg nOnE": lambda now: _unsigned("nOnE", now),
    "alg empty": lambda now: _unsigned("", now),
    "a good header and no signature": lambda now: _signed(now).rpartition(".")[0] + ".",
    "HMAC with the public key in PEM": lambda now: _hmac_with(_pem(RSA), now),
    "HMAC with the public key as JSON": lambda now: _hmac_with(
        json.dumps(_jwk(RSA, "rsa")).encode(), now
    ),
    "another key under the same id": lambda now: _signed(now, OTHER),
    "an unknown kid": lambda now: _signed(now, OTHER, {"kid": "two"}),
    "the kid of another key": lambda now: _signed(now, KEY, {"kid": "rsa"}),
    "a kid that is a path": lambda now: _signed(now, OTHER, {"kid": "../../etc/passwd"}),
    "its own key in the header": _embedded,
    "a URL of its own keys in the header": lambda now: _signed(
        now, OTHER, {"jku": "https://evil.example/keys"}
    ),
    "another issuer": lambda now: _signed(now, iss="https://evil.example"),
    "an issuer that begins alike": lambda now: _signed(now, iss=ISSUER + ".evil.example"),
    "another audience": lambda now: _signed(now, aud="other"),
    "no end": lambda now: _signed(now, exp=None),
    "an end that was": lambda now: _signed(now, exp=now - 1),
    "a begin to come": lambda now: _signed(now, nbf=now + 600),
    "a subject that is nobody": lambda now: _signed(now, sub="root"),
    "an agent for a human who is nobody": lambda now: _signed(
        now, sub="root", act={"sub": "agent:ci"}
    ),
    "a human for another human": lambda now: _signed(now, sub="tom", act={"sub": "sarah"}),
}


@pytest.fixture
def trusting(fort: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The operator's profile names an issuer whose keys are in a file."""
    place = tmp_path / "config" / "agentctl"
    place.mkdir(parents=True)
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [_jwk(KEY, "one"), _jwk(RSA, "rsa")]}))
    (place / "profile.yaml").write_text(
        f"serve:\n  issuers:\n    - {{issuer: '{ISSUER}', jwks: '{keys}', audience: graphs}}\n"
    )
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    callers.own_issuers.cache_clear()
    yield fort
    callers.own_issuers.cache_clear()


async def test_a_jwt_that_holds_names_somebody(trusting: Any) -> None:
    """The forger of these tests would succeed with the issuer's key."""
    fort = await trusting.begin()
    now = int(fort.cluster.world.now().timestamp())

    async with fort.served():
        answer = await fort.post(_signed(now), "status")

    assert answer.json()["data"]["you"]["principal"] == "sarah", answer.text


@pytest.mark.parametrize("kind", JWTS)
async def test_a_jwt_that_does_not_hold_opens_neither_face(trusting: Any, kind: str) -> None:
    fort = await trusting.begin()
    secret = JWTS[kind](int(fort.cluster.world.now().timestamp()))

    async with fort.served(), fort.holds("authenticate"):
        over_http = await fort.post(secret, "apply", intent="x", in_="cluster")
        over_mcp = await fort.raw(secret, "/mcp", json.dumps(APPLY))

    assert (over_http.status_code, over_mcp.status_code) == (401, 401), over_http.text
    assert secret not in over_http.text


async def test_a_jwt_consents_to_nothing(trusting: Any, codes: Any) -> None:
    fort = await trusting.begin()
    request = await fort.without_spare()
    secret = _signed(int(fort.cluster.world.now().timestamp()))

    async with fort.served(), fort.holds("approval_decide", reason="human_only"):
        answer = await fort.post(
            secret, "decide", request_id=request.request_id, verdict="approve",
            confirmation="spare", gate_digest=request.gate_digest,
        )  # fmt: skip

    assert codes(answer) == ["human_only"]

"""JWTs of issuers that the operator named, checked against the keys that those publish.

``serve: issuers:`` of the operator's ``profile.yaml``. An issuer's key set is a file, or a URL that is
asked at most once a minute and answered from memory in between; a key id that nobody knows is a reason
to ask again, so that keys rotate without a restart. What is accepted is said here and not by the token:
the algorithms, the issuer, the audience. Source: access-and-faces 3.1, RFC 7519, RFC 8725, ADR 0018.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

import msgspec
import yaml

from agentctl.canonical import sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.policy.tokens import SCOPES, SKEW, Grant
from agentctl.instants import format_instant

if TYPE_CHECKING:
    import jwt

Algorithm = Literal["EdDSA", "ES256", "ES384", "RS256", "RS384", "RS512", "PS256"]
"""Signatures by a private key; no shared secret, and never `none`."""
PROFILE_BYTES_MAX: Final = 1 << 16
KEY_SET_BYTES_MAX: Final = 1 << 18
KEYS_MAX: Final = 64
JWT_CHARACTERS_MAX: Final = 16_384
FRESH: Final = timedelta(minutes=10)
"""How long a key set is believed without asking again."""
ASKED_AGAIN: Final = timedelta(seconds=60)
"""How seldom an issuer is asked because of a key id that nobody knows."""
ASKED_AFTER_FAILURE: Final = timedelta(seconds=10)
END_MAX_S: Final = 253_402_300_799
"""The end of the year 9999, in seconds since 1970: no clock of ours says more."""
FETCH_S: Final = 5.0
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Issuer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One issuer whose tokens are taken."""

    issuer: str
    """`iss`, exactly."""
    jwks: str
    """``https://…`` or the whole path of a file."""
    audience: str | None = None
    """`aud` in place of the listener's own URL."""
    algorithms: tuple[Algorithm, ...] = ("EdDSA", "ES256", "RS256")
    claim: str = "sub"
    """Which claim says who it is."""
    principals: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Principals by the claim's value; without an entry the value is the principal's id."""


class _Serve(msgspec.Struct, frozen=True, kw_only=True):
    issuers: tuple[Issuer, ...] = ()


class _Profile(msgspec.Struct, frozen=True, kw_only=True):
    serve: _Serve = _Serve()


class KeySetError(Exception):
    """An issuer's keys cannot be had."""


Fetch = Callable[[str], bytes]
"""Takes a URL; returns what lies there. Raises `KeySetError`."""


class Issuers:
    """The issuers of one listener, and the keys that they published last."""

    def __init__(self, issuers: tuple[Issuer, ...], *, fetch: Fetch | None = None) -> None:
        self._issuers = {one.issuer: one for one in issuers}
        self._fetch = fetch or fetch_url
        self._sets: dict[str, tuple[datetime, dict[str, jwt.PyJWK]]] = {}
        self._failed: dict[str, datetime] = {}
        self._asking = Lock()

    def __bool__(self) -> bool:
        return bool(self._issuers)

    @property
    def names(self) -> tuple[str, ...]:
        """Returns whose JWTs are taken: each issuer's `iss`."""
        return tuple(self._issuers)

    def grant(self, secret: str, *, now: datetime, audience: str) -> Grant | Diagnostic:
        """Returns whom a JWT names, or why it names nobody; nothing told holds it."""
        import jwt

        if len(secret) > JWT_CHARACTERS_MAX:
            return _invalid("the token is too long")
        try:
            header, claims = _unproved(secret)
            issuer = self._issuers.get(str(claims.get("iss")))
            if issuer is None:
                return _invalid("the token's issuer is none of those that are taken here")
            algorithm = header.get("alg")
            if algorithm not in issuer.algorithms or "crit" in header:
                return _invalid("the token is signed in a way that is not taken here")
            with self._asking:  # Whoever comes meanwhile waits for the answer, and asks nobody.
                key = self._key(issuer, header.get("kid"), now)
            proved = jwt.decode(
                secret,
                key,
                algorithms=[str(algorithm)],
                audience=issuer.audience or audience,
                issuer=issuer.issuer,
                options={
                    "require": ["exp", "iss", "aud", issuer.claim],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    "enforce_minimum_key_length": True,
                },
            )
        except KeySetError as failure:
            return error("issuer_unavailable", "token", str(failure))
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            return _invalid("the token does not hold")
        return _granted(secret, issuer, proved, now)

    def _key(self, issuer: Issuer, kid: object, now: datetime) -> "jwt.PyJWK":
        """Returns the key of that id; of a set of one key, which needs none, that one."""
        known = self._sets.get(issuer.issuer)
        if known is None or now - known[0] > FRESH:
            known = self._ask(issuer, now)
        if kid not in known[1] and kid is not None and now - known[0] > ASKED_AGAIN:
            known = self._ask(issuer, now)
        if kid is None and len(known[1]) == 1:
            return next(iter(known[1].values()))
        if not isinstance(kid, str) or kid not in known[1]:
            msg = "no key of that id"
            raise ValueError(msg)
        return known[1][kid]

    def _ask(self, issuer: Issuer, now: datetime) -> "tuple[datetime, dict[str, jwt.PyJWK]]":
        known = self._sets.get(issuer.issuer)
        try:
            found = now, self._published(issuer, now)
        except KeySetError:
            if known is None or now - known[0] > FRESH:
                raise
            return known
        self._sets[issuer.issuer] = found
        return found

    def _published(self, issuer: Issuer, now: datetime) -> "dict[str, jwt.PyJWK]":
        """Returns what the issuer publishes now; after a failure it is left alone for a while."""
        failed = self._failed.get(issuer.issuer)
        if failed is not None and now - failed < ASKED_AFTER_FAILURE:
            msg = "the issuer's keys could not be had a moment ago"
            raise KeySetError(msg)
        self._failed[issuer.issuer] = now
        keys = _keys(_read(issuer.jwks, self._fetch), issuer)
        self._failed.pop(issuer.issuer, None)
        return keys


def issuers_of_profile(path: Path) -> Issuers | Diagnostic:
    """Returns the issuers that the operator's profile names; none where there is none."""
    try:
        with path.open("rb") as file:
            data = file.read(PROFILE_BYTES_MAX + 1)
        written: Any = yaml.safe_load(data)
        profile = msgspec.convert(written if written is not None else {}, _Profile)
    except FileNotFoundError:
        return Issuers(())
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return _unusable(path, "it cannot be read, or is no YAML")
    except msgspec.ValidationError as wrong:
        return _unusable(path, str(wrong))
    for one in profile.serve.issuers:
        why = _fault(one)
        if why is not None:
            return _unusable(path, why)
    if len({one.issuer for one in profile.serve.issuers}) < len(profile.serve.issuers):
        return _unusable(path, "an issuer is named twice")
    return Issuers(profile.serve.issuers)


def is_jwt(secret: str) -> bool:
    """Returns whether *secret* has the form of a signed JWT."""
    return secret.count(".") == 2 and secret.startswith("ey")  # header, claims, signature


def fetch_url(url: str) -> bytes:
    """Returns a key set from the web, bounded in time and size.

    Raises:
        KeySetError: it cannot be had.
    """
    import httpx2

    found = bytearray()
    try:
        with (
            httpx2.Client(timeout=FETCH_S, follow_redirects=False, trust_env=False) as client,
            client.stream("GET", url) as response,
        ):
            if not response.is_success:
                msg = f"the issuer's keys cannot be had: it answered {response.status_code}"
                raise KeySetError(msg)
            for chunk in response.iter_bytes():
                found += chunk
                if len(found) > KEY_SET_BYTES_MAX:
                    msg = "the issuer's keys are too many"
                    raise KeySetError(msg)
    except httpx2.HTTPError as failure:
        msg = f"the issuer's keys cannot be had: {type(failure).__name__}"
        raise KeySetError(msg) from failure
    return bytes(found)


def _granted(
    secret: str, issuer: Issuer, claims: Mapping[str, Any], now: datetime
) -> Grant | Diagnostic:
    times = [claims.get(name) for name in ("exp", "nbf", "iat")]
    if any(
        t is not None and (isinstance(t, bool) or not isinstance(t, int | float)) for t in times
    ):
        return _invalid("the token's times are no numbers")
    until, since, made = times
    seconds, skew = now.timestamp(), SKEW.total_seconds()
    if until is None or not 0 < until <= END_MAX_S or seconds >= until:
        return error("token_expired", "token", "the token's time is over")
    if any(start is not None and start > seconds + skew for start in (since, made)):
        return _invalid("the token begins in the future")
    subject = claims.get(issuer.claim)
    actor = claims.get("act")
    named = actor.get("sub") if isinstance(actor, dict) else None
    if not isinstance(subject, str) or (actor is not None and not isinstance(named, str)):
        return _invalid("the token names nobody")
    whose = issuer.principals.get(subject, subject)
    who = issuer.principals.get(named, named) if named is not None else whose
    written = claims.get("scope")
    scopes = set(written.split()) if isinstance(written, str) else {"look"}
    return Grant(
        principal=who,
        scopes=frozenset(scopes & set(SCOPES)),
        expires_at=format_instant(datetime.fromtimestamp(until, UTC)),
        on_behalf_of=whose if named is not None else None,
        credential=f"jwt:{sha256_hex(secret.encode())[:12]}",
    )


def _unproved(secret: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns header and claims as they are written: enough to know whom to ask, and no more."""
    import jwt

    whole = jwt.decode_complete(secret, options={"verify_signature": False})
    return whole["header"], whole["payload"]


def _keys(data: bytes, issuer: Issuer) -> "dict[str, jwt.PyJWK]":
    """Returns the usable keys by id; a key without an id stands under an empty one."""
    import jwt

    try:
        listed = msgspec.json.decode(data)["keys"]
        usable = [k for k in listed if isinstance(k, dict) and k.get("use", "sig") == "sig"]
    except (msgspec.DecodeError, KeyError, TypeError) as failure:
        msg = "the issuer's keys are no key set"
        raise KeySetError(msg) from failure
    found: dict[str, jwt.PyJWK] = {}
    for one in usable[:KEYS_MAX]:
        if one.get("kty") == "oct" or "d" in one:
            continue  # A shared or a private key is nothing that an issuer publishes.
        try:
            found[str(one.get("kid", ""))] = jwt.PyJWK(
                one, one.get("alg") or _algorithm(one, issuer)
            )
        except jwt.PyJWTError:
            continue
    return found


def _algorithm(key: Mapping[str, object], issuer: Issuer) -> str | None:
    """Returns the algorithm of a key that names none: the first one that is taken for its kind."""
    begins = {"RSA": ("RS", "PS"), "EC": ("ES",), "OKP": ("EdDSA",)}.get(str(key.get("kty")), ())
    return next((a for a in issuer.algorithms if a.startswith(begins)), None) if begins else None


def _read(where: str, fetch: Fetch) -> bytes:
    if not where.startswith("/"):
        return fetch(where)
    try:
        with Path(where).open("rb") as file:
            return file.read(KEY_SET_BYTES_MAX)
    except OSError as failure:
        msg = f"the issuer's keys cannot be read: {failure.strerror}"
        raise KeySetError(msg) from failure


def _fault(one: Issuer) -> str | None:
    parts = urlsplit(one.jwks)
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not (one.jwks.startswith("/") or parts.scheme == "https" or local):
        return "an issuer's jwks is https://…, or the whole path of a file"
    if not one.issuer or not one.algorithms or not one.claim:
        return "an issuer has a name, an algorithm and a claim"
    return None


def _invalid(why: str) -> Diagnostic:
    return error("token_invalid", "token", why)


def _unusable(path: Path, why: str) -> Diagnostic:
    return error(
        "serve_settings_invalid",
        str(path),
        f"no JWT is taken: {why}",
        remedy="agentctl explain serve_settings_invalid",
    )

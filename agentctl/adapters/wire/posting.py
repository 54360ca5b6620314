"""Posts JSON to a server of agentctl, and reads a bounded answer. Knows nothing of operations.

The token goes to the address that the context names and nowhere else: no redirect is followed, no
proxy and no netrc of the environment is asked, and without TLS only this machine is reached.
"""

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import httpx2

ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
CONNECT_S: Final = 10.0
ANSWER_S: Final = 660.0
"""How long an operation may take: an apply waits for its lease and does its work in it."""
UNIX: Final = "unix:"
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class WireError(Exception):
    """The server could not be asked, or its answer could not be taken whole."""

    def __init__(self, why: str, *, is_sent: bool) -> None:
        super().__init__(why)
        self.is_sent = is_sent
        """Whether the request may have arrived: then what it did is not known."""


def address_fault(url: str) -> str | None:
    """Returns why nothing is sent to *url*; None where it is an address for a token."""
    if url.startswith(UNIX):
        path = url.removeprefix(UNIX)
        return None if path.startswith("/") else "a socket is named by its whole path: unix:/…"
    parts = urlsplit(url)
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    try:
        _ = parts.port
    except ValueError:
        return "its port is no number"
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        return "it carries more than a place: no user, no password, no query"
    if not parts.hostname or not (parts.scheme == "https" or local):
        return "it begins with https://, or is http:// of this machine, or unix:/…"
    return None


class Wire:
    """One server, and the token that it is asked with. Close it with `aclose`."""

    def __init__(
        self, url: str, secret: str, *, transport: "httpx2.AsyncBaseTransport | None" = None
    ) -> None:
        import httpx2

        assert address_fault(url) is None
        base, way = url.rstrip("/"), transport
        if url.startswith(UNIX):
            way = way or httpx2.AsyncHTTPTransport(uds=url.removeprefix(UNIX))
            base = "http://localhost"
        self._client = httpx2.AsyncClient(
            base_url=base,
            headers={"authorization": f"Bearer {secret}"},
            transport=way,
            timeout=httpx2.Timeout(ANSWER_S, connect=CONNECT_S),
            follow_redirects=False,
            trust_env=False,
        )

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Returns the status and the body of the answer.

        Raises:
            WireError: there is none.
        """
        import httpx2

        headers = {"content-type": "application/json", "accept": "application/json"}
        try:
            async with self._client.stream("POST", path, content=body, headers=headers) as response:
                answer = bytearray()
                async for chunk in response.aiter_bytes():
                    answer += chunk
                    if len(answer) > ANSWER_BYTES_MAX:
                        msg = f"its answer is longer than {ANSWER_BYTES_MAX:,} bytes"
                        raise WireError(msg, is_sent=True)
                return response.status_code, bytes(answer)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as failure:
            msg = f"it is not reached: {type(failure).__name__}"
            raise WireError(msg, is_sent=False) from failure
        except httpx2.HTTPError as failure:
            msg = f"the connection was lost: {type(failure).__name__}"
            raise WireError(msg, is_sent=True) from failure

    async def aclose(self) -> None:
        """Gives the connections back."""
        await self._client.aclose()

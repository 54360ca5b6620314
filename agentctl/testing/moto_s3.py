"""moto's S3 as a process: ``python -m agentctl.testing.moto_s3 PORT [lying]``; ends with its stdin.

One thread serves all: moto looks whether an object is there and writes it in two steps, so with
more threads two creates of one object could both be told that they made it.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]


def main() -> None:
    """Serves until the parent goes."""
    port, lies = int(sys.argv[1]), "lying" in sys.argv[2:]
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    app: WsgiApp = DomainDispatcherApplication(create_backend_app)
    run_simple("127.0.0.1", port, _lying(app) if lies else app, threaded=False)


def _lying(app: WsgiApp) -> WsgiApp:
    """Returns *app* as a store that has never heard of conditions."""

    def deaf(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401  # WSGI
        environ.pop("HTTP_IF_NONE_MATCH", None)
        environ.pop("HTTP_IF_MATCH", None)
        return app(environ, start_response)

    return deaf


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()

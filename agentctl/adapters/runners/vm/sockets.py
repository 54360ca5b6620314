"""Connects to a socket in a folder, however long the folder's path is.

A socket's address has 107 bytes. So the folder is opened, and the address goes through its descriptor.
"""

import os
from pathlib import Path

import anyio
from anyio.abc import SocketStream


async def connected(folder: Path, name: str) -> SocketStream:
    """Returns a connection to the socket *name* in *folder*.

    Raises:
        OSError: Nobody listens there.
    """
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return await anyio.connect_unix(f"/proc/self/fd/{opened}/{name}")
    finally:
        os.close(opened)

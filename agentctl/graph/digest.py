"""The digest of a graph: what it holds, whatever its commits and files are. Source: graph-engine 1.

It is SHA-256 of the shape digest and of the lines that an export writes: nodes by type and id, then
edges by type, from, to and id, each in the form of RFC 8785 and ended by a newline.
"""

import hashlib
from collections.abc import Iterable


def graph_digest(shape_digest: str, lines: Iterable[bytes]) -> str:
    """Returns the digest of a graph of that shape whose export has *lines*, as hex.

    A line may end with its newline or not.
    """
    hashed = hashlib.sha256(shape_digest.encode() + b"\n")
    for line in lines:
        hashed.update(line.removesuffix(b"\n") + b"\n")
    return hashed.hexdigest()

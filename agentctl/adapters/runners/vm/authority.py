"""The authority of SSH certificates that source machines are prepared for: how its key is named.

Agentctl makes no certificate and opens no SSH: its machines are reached over a serial line. The authority is
the operator's, who names its public key; a source is prepared for the one in use. Source: sandboxes 2 and 5,
case 27.
"""

import base64
import hashlib

from agentctl.domain.policy.public_key import parse_public


def fingerprint_of(public: str) -> str:
    """Returns the fingerprint of a public text. Source: OpenSSH, ssh-keygen(1) ``-l``."""
    key = parse_public(public)
    assert key is not None, "keys are parsed where they come in"
    digest = base64.b64encode(hashlib.sha256(key.wire).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"

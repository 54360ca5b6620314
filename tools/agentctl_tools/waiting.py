"""How long a command may wait for a lease that somebody else holds."""

from typing import Annotated

import msgspec

WAIT_S_MAX = 600.0

WaitS = Annotated[
    float, msgspec.Meta(description="Seconds to wait for a held lease.", ge=0, le=WAIT_S_MAX)
]

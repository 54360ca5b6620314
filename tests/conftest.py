"""Profiles of the property tests, and how a failure of one is replayed.

`AGENTCTL_TEST_PROFILE` picks one: `local` (the default; random, prints how to replay), `ci` (where
`CI` is set; the same examples every time) and `long` (`make check-long`; many examples).
"""

import atexit
import os
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, settings

_CACHE = TemporaryDirectory(prefix="agentctl-tests-cache-")
atexit.register(_CACHE.cleanup)
os.environ["XDG_CACHE_HOME"] = _CACHE.name  # the cache of whoever runs the tests stays as it is

LONG_EXAMPLES = 2_000

settings.register_profile("local", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.register_profile(
    "long",
    deadline=None,
    max_examples=LONG_EXAMPLES,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(
    os.environ.get("AGENTCTL_TEST_PROFILE") or ("ci" if os.environ.get("CI") else "local")
)

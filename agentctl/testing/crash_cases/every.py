"""Every command that the crash suite strikes."""

from typing import Final

from agentctl.testing.crash_cases.consent import CONSENT
from agentctl.testing.crash_cases.definitions import DEFINITIONS
from agentctl.testing.crash_cases.keeping import KEEPING
from agentctl.testing.crash_cases.people import PEOPLE
from agentctl.testing.crash_suite import Case

CASES: Final[tuple[Case, ...]] = (*DEFINITIONS, *CONSENT, *PEOPLE, *KEEPING)
BY_NAME: Final = {case.name: case for case in CASES}
assert len(BY_NAME) == len(CASES), "two cases have one name"

"""The policy that `init` writes: what the built-in rules permit, as a file to change. Source: access-and-faces 3.1.

It is made of the same text, so that applying it changes nothing for anybody.
"""

from typing import Final

from agentctl.domain.policy.builtin import DEFAULTS

STARTER_FILE: Final = "policies/starter.cedar"
_HEADER: Final = """\
// Who may do what in this cluster. It permits what agentctl permits without a policy: change it.
//
// What no rule permits is denied. Whatever stands here, only an enrolled human gives consent, at
// their own terminal, and an enrolled human at a terminal may always look, plan, ask and apply.
//
//   agentctl policy schema      who, what and on what a rule can speak of
//   agentctl policy simulate    what your change would do, and for whom
//   agentctl policy explain --actor agent:NAME --action change --graph supply

"""


def starter_text() -> str:
    """Returns the file."""
    return _HEADER + DEFAULTS.replace('@id("builtin:', '@id("starter:')

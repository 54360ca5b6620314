"""The graph engine over Lance: a library of its own, which takes an object store as a value.

`open_graph` and `create_graph` are for whoever uses it without a cluster; see
`agentctl.graph.library`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentctl.graph.library import Graph, create_graph, open_graph

__all__ = ["Graph", "create_graph", "open_graph"]


def __getattr__(name: str) -> object:
    """Imports the library when it is first asked for: the control plane needs far less of it."""
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from agentctl.graph import library

    return getattr(library, name)

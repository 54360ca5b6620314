"""Why a search refuses a query: one function for each code."""

from agentctl.diagnostics.diagnostic import error
from agentctl.graph.port import GraphError
from agentctl.languages.query.plan import ParamRef, Value


def param_invalid(given: ParamRef | Value | None, why: str) -> GraphError:
    """Returns `param_invalid`, of a number that is out of its range."""
    named = f"`${given.name}`" if isinstance(given, ParamRef) else "an argument"
    return GraphError(error("param_invalid", "query", f"{named} is out of range: {why}"))


def secret_missing(text_of: str, *, variable: str | None = None) -> GraphError:
    """Returns `embedding_secret_missing`.

    Args:
        text_of: names the property that is ranked by a text.
        variable: what holds the key; None where the graph has no provider.
    """
    why = (
        "the graph has no embedding provider here" if variable is None else f"{variable} is not set"
    )
    return GraphError(
        error(
            "embedding_secret_missing",
            "query",
            f"`nearest` of {text_of} is asked with a text, and {why}",
            remedy="Bind the graph to a provider (`embedding_provider`), or give a vector."
            if variable is None
            else f"export {variable}=…",
        )
    )


def embedding_failed(text_of: str, why: str) -> GraphError:
    """Returns `embedding_failed`."""
    return GraphError(
        error(
            "embedding_failed",
            "query",
            f"the text for {text_of} could not be made a vector: {why}",
            remedy="Try again, or give a vector.",
        )
    )


def model_mismatch(text_of: str, *, wanted: str, model: str) -> GraphError:
    """Returns `embedding_model_mismatch`."""
    return GraphError(
        error(
            "embedding_model_mismatch",
            "query",
            f"{text_of} has vectors of the model {wanted!r}, and the provider's is {model!r}",
            remedy=f"Bind the graph to a provider with the model {wanted!r}.",
        )
    )


def dimension_mismatch(text_of: str, *, wanted: int, given: int) -> GraphError:
    """Returns `embedding_dimension_mismatch`."""
    return GraphError(
        error(
            "embedding_dimension_mismatch",
            "query",
            f"{text_of} has vectors of {wanted} numbers, and the provider gave one of {given}",
            remedy="Bind the graph to a provider whose model makes vectors of that length.",
        )
    )

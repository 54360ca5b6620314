"""Tools and a prompt that ask the client back: the multi-round-trip results of 2026-07-28 (SEP-2322)."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import mcp_types as types
from mcp.server.context import ServerRequestContext

from tests.conformance_mcp.fixture_values import NO_ARGUMENTS, text

Context = ServerRequestContext[Any, Any]
Result = types.CallToolResult | types.InputRequiredResult
Params = types.InputResponseRequestParams


def elicit(message: str, **properties: str) -> types.ElicitRequest:
    """Returns a request to the client's user for *properties*, each with its JSON type."""
    schema = {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in properties.items()},
        "required": sorted(properties),
    }
    return types.ElicitRequest(
        params=types.ElicitRequestFormParams(message=message, requested_schema=schema)
    )


def sample(words: str, tokens: int) -> types.CreateMessageRequest:
    """Returns a request to the client's model."""
    message = types.SamplingMessage(role="user", content=text(words))
    return types.CreateMessageRequest(
        params=types.CreateMessageRequestParams(messages=[message], max_tokens=tokens)
    )


def answered(params: Params, *names: str) -> dict[str, Any] | None:
    """Returns the answers of those names; None where one is missing."""
    given = params.input_responses or {}
    if any(name not in given for name in names):
        return None
    return {name: given[name] for name in names}


def accepted(answer: object, field: str) -> str | None:
    """Returns what a user filled in; None where they did not."""
    if isinstance(answer, types.ElicitResult) and answer.action == "accept" and answer.content:
        value = answer.content.get(field)
        return None if value is None else str(value)
    return None


def _done(words: str) -> types.CallToolResult:
    return types.CallToolResult(content=[text(words)])


async def elicitation(_context: Context, params: types.CallToolRequestParams) -> Result:
    name = accepted((params.input_responses or {}).get("user_name"), "name")
    if name is None:
        return types.InputRequiredResult(
            input_requests={"user_name": elicit("What is your name?", name="string")}
        )
    return _done(f"Hello, {name}!")


async def sampling(_context: Context, params: types.CallToolRequestParams) -> Result:
    answers = answered(params, "capital_question")
    if answers is None:
        question = sample("What is the capital of France?", 100)
        return types.InputRequiredResult(input_requests={"capital_question": question})
    return _done(f"The model said: {answers['capital_question'].model_dump_json()}")


async def list_roots(_context: Context, params: types.CallToolRequestParams) -> Result:
    answers = answered(params, "client_roots")
    if answers is None:
        return types.InputRequiredResult(input_requests={"client_roots": types.ListRootsRequest()})
    return _done(f"The roots are: {answers['client_roots'].model_dump_json()}")


def confirming(opening: str, state: str) -> Callable[..., Awaitable[Result]]:
    """Returns a tool that wants its state back beside a confirmation."""

    async def handle(_context: Context, params: types.CallToolRequestParams) -> Result:
        if params.request_state == state and answered(params, "confirm") is not None:
            return _done(f"{opening} state-ok")
        return types.InputRequiredResult(
            input_requests={"confirm": elicit("Please confirm", ok="boolean")}, request_state=state
        )

    return handle


async def multiple_inputs(_context: Context, params: types.CallToolRequestParams) -> Result:
    answers = answered(params, "user_name", "greeting", "client_roots")
    if answers is not None and params.request_state == "three":
        return _done(f"Received {', '.join(answers)}.")
    return types.InputRequiredResult(
        input_requests={
            "user_name": elicit("What is your name?", name="string"),
            "greeting": sample("Generate a greeting", 50),
            "client_roots": types.ListRootsRequest(),
        },
        request_state="three",
    )


async def multi_round(_context: Context, params: types.CallToolRequestParams) -> Result:
    given = params.input_responses or {}
    name = accepted(given.get("step1"), "name")
    if params.request_state == "one" and name is not None:
        return types.InputRequiredResult(
            input_requests={
                "step2": elicit("Step 2: What is your favorite color?", color="string")
            },
            request_state=f"two {name}",
        )
    color = accepted(given.get("step2"), "color")
    if (params.request_state or "").startswith("two ") and color is not None:
        assert params.request_state is not None
        return _done(f"{params.request_state.removeprefix('two ')} likes {color}.")
    return types.InputRequiredResult(
        input_requests={"step1": elicit("Step 1: What is your name?", name="string")},
        request_state="one",
    )


async def capabilities(context: Context, _params: types.CallToolRequestParams) -> Result:
    """Asks only for what the client says that it can."""
    declared = context.session.client_capabilities or types.ClientCapabilities()
    requests: dict[str, types.InputRequest] = {}
    if declared.sampling is not None:
        requests["sampled"] = sample("Say something.", 20)
    if declared.elicitation is not None:
        requests["asked"] = elicit("Say something.", words="string")
    if not requests:
        return _done("The client can be asked nothing.")
    return types.InputRequiredResult(input_requests=requests)


async def prompt(
    params: types.GetPromptRequestParams,
) -> types.GetPromptResult | types.InputRequiredResult:
    """The prompt that needs to know its context first."""
    context = accepted((params.input_responses or {}).get("user_context"), "context")
    if context is None:
        question = elicit("What context should the prompt use?", context="string")
        return types.InputRequiredResult(input_requests={"user_context": question})
    words = f"The context is: {context}"
    return types.GetPromptResult(
        description="Asked for.",
        messages=[types.PromptMessage(role="user", content=text(words))],
    )


_NAME: Final = "test_input_required_result_"
ASKING: Final[Mapping[str, tuple[dict[str, Any], Callable[..., Awaitable[Result]]]]] = {
    f"{_NAME}elicitation": (NO_ARGUMENTS, elicitation),
    f"{_NAME}sampling": (NO_ARGUMENTS, sampling),
    f"{_NAME}list_roots": (NO_ARGUMENTS, list_roots),
    f"{_NAME}request_state": (NO_ARGUMENTS, confirming("Confirmed:", "mine")),
    f"{_NAME}multiple_inputs": (NO_ARGUMENTS, multiple_inputs),
    f"{_NAME}multi_round": (NO_ARGUMENTS, multi_round),
    f"{_NAME}tampered_state": (NO_ARGUMENTS, confirming("Untampered:", "sealed")),
    f"{_NAME}capabilities": (NO_ARGUMENTS, capabilities),
    "test_streaming_elicitation": (NO_ARGUMENTS, elicitation),
}

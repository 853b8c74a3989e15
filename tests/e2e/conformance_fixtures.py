"""The tools, prompts and resources that the official conformance suite looks for, by the suite's own names.

For tests alone: ``tests.e2e.conformance_server`` adds them to the server that ships. What each has to do is said by the
suite itself, in the requirements of its scenarios.
"""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import warnings
import zlib
from collections.abc import Mapping
from typing import Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context, UserMessage
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    CallToolResult,
    ContentBlock,
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    EmbeddedResource,
    EmptyResult,
    ImageContent,
    InputRequiredResult,
    ListRootsRequest,
    RequestParams,
    SamplingMessage,
    TextContent,
    TextResourceContents,
)

Asked = Context[Any, Any]


def _png() -> bytes:
    """One red pixel."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\xff\0\0")) + chunk(b"IEND", b"")
    )


PNG = _png()
PICTURE = base64.b64encode(PNG).decode()
WAV = (
    b"RIFF"
    + struct.pack("<I", 36)
    + b"WAVEfmt "
    + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000, 1, 8)
    + b"data\0\0\0\0"
)


def _text(text: str) -> TextContent:
    return TextContent(type="text", text=text)


def _image() -> ImageContent:
    return ImageContent(type="image", data=PICTURE, mime_type="image/png")


def _embedded(uri: str, kind: str, text: str) -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, mime_type=kind, text=text))


def _result(*content: ContentBlock) -> CallToolResult:
    return CallToolResult(content=list(content))


def add_fixtures(server: MCPServer[Any]) -> None:
    """Add all of them."""
    _plain_tools(server)
    _talking_tools(server)
    _asking_tools(server)
    _rounds(server)
    _resources(server)
    _prompts(server)


def _plain_tools(server: MCPServer[Any]) -> None:
    answers: dict[str, tuple[ContentBlock, ...]] = {
        "test_simple_text": (_text("This is a simple text response for testing."),),
        "test_image_content": (_image(),),
        "test_audio_content": (
            AudioContent(type="audio", data=base64.b64encode(WAV).decode(), mime_type="audio/wav"),
        ),
        "test_embedded_resource": (
            _embedded("test://embedded-resource", "text/plain", "This is an embedded resource content."),
        ),
        "test_multiple_content_types": (
            _text("Multiple content types test:"),
            _image(),
            _embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
        ),
    }  # fmt: skip
    for name, content in answers.items():

        def fixed(given: tuple[ContentBlock, ...] = content) -> Any:
            async def tool() -> CallToolResult:
                return _result(*given)

            return tool

        server.add_tool(fixed(), name=name, description="Of the conformance suite.")

    @server.tool(description="Of the conformance suite.")
    async def test_error_handling() -> str:
        raise ToolError("This tool intentionally returns an error for testing")

    @server.tool(description="Of the conformance suite.")
    async def test_tool_with_progress(ctx: Asked) -> CallToolResult:
        for done in (0, 50, 100):
            await ctx.report_progress(done, 100)
            await asyncio.sleep(0.05)
        return _result(_text("done"))


def _talking_tools(server: MCPServer[Any]) -> None:
    async def say(ctx: Asked, *texts: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # logging is deprecated, and still a part of 2025-11-25
            for text in texts:
                await ctx.log("info", text)
                await asyncio.sleep(0.05)

    @server.tool(description="Of the conformance suite.")
    async def test_tool_with_logging(ctx: Asked) -> CallToolResult:
        await say(ctx, "Tool execution started", "Tool processing data", "Tool execution completed")
        return _result(_text("done"))

    @server.tool(description="Of the conformance suite.")
    async def test_logging_tool(ctx: Asked) -> CallToolResult:
        await say(ctx, "Something to log")
        return _result(_text("done"))

    @server.tool(description="Of the conformance suite.")
    async def test_trigger_tool_change(ctx: Asked) -> CallToolResult:
        await ctx.notify_tools_changed()
        return _result(_text("told"))

    @server.tool(description="Of the conformance suite.")
    async def test_trigger_prompt_change(ctx: Asked) -> CallToolResult:
        await ctx.notify_prompts_changed()
        return _result(_text("told"))

    @server.tool(description="Of the conformance suite.")
    async def test_missing_capability(ctx: Asked) -> CallToolResult:
        if ctx.client_capabilities is None or ctx.client_capabilities.sampling is None:
            needed: dict[str, Any] = {"requiredCapabilities": {"sampling": {}}}
            raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "It needs sampling.", needed)
        return _result(_text("there it is"))

    class LevelParams(RequestParams):
        level: Literal["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]

    async def set_level(ctx: Any, params: LevelParams) -> EmptyResult:
        return EmptyResult()

    server._lowlevel_server.add_request_handler("logging/setLevel", LevelParams, set_level)


STATES = ["active", "inactive", "pending"]
PLAIN = [f"option{n}" for n in (1, 2, 3)]


def _titled(*words: str) -> list[dict[str, str]]:
    return [{"const": f"value{n}", "title": word} for n, word in enumerate(words, 1)]


DEFAULTS = {
    "name": {"type": "string", "default": "John Doe"},
    "age": {"type": "integer", "default": 30},
    "score": {"type": "number", "default": 95.5},
    "status": {"type": "string", "enum": STATES, "default": "active"},
    "verified": {"type": "boolean", "default": True},
}
CHOICES = {
    "untitledSingle": {"type": "string", "enum": PLAIN},
    "titledSingle": {"type": "string", "oneOf": _titled("First Option", "Second Option", "Third Option")},
    "legacyEnum": {
        "type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": ["Option One", "Option Two", "Option Three"],
    },
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": PLAIN}},
    "titledMulti": {"type": "array", "items": {"anyOf": _titled("First Choice", "Second Choice", "Third Choice")}},
}  # fmt: skip


def _form(properties: Mapping[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), **({"required": required} if required else {})}


def _asking_tools(server: MCPServer[Any]) -> None:
    async def ask(ctx: Asked, message: str, form: dict[str, Any]) -> tuple[str, str]:
        found = await ctx.session.elicit_form(message, form, related_request_id=ctx.request_id)
        return found.action, json.dumps(found.content)

    @server.tool(description="Of the conformance suite.")
    async def test_elicitation(message: str, ctx: Asked) -> CallToolResult:
        fields = {
            "username": {"type": "string", "description": "Name"},
            "email": {"type": "string", "description": "Mail"},
        }
        action, content = await ask(ctx, message, _form(fields, ["username", "email"]))
        return _result(_text(f"User response: action: {action}, content: {content}"))

    for name, fields in (("test_elicitation_sep1034_defaults", DEFAULTS), ("test_elicitation_sep1330_enums", CHOICES)):

        def asking(given: Mapping[str, Any] = fields) -> Any:
            async def tool(ctx: Asked) -> CallToolResult:
                action, content = await ask(ctx, "Please fill this in", _form(given))
                return _result(_text(f"Elicitation completed: action={action}, content={content}"))

            return tool

        server.add_tool(asking(), name=name, description="Of the conformance suite.")

    @server.tool(description="Of the conformance suite.")
    async def test_sampling(prompt: str, ctx: Asked) -> CallToolResult:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # sampling is deprecated, and still a part of 2025-11-25
            found = await ctx.session.create_message(
                [SamplingMessage(role="user", content=_text(prompt))], max_tokens=100, related_request_id=ctx.request_id
            )
        return _result(_text(f"LLM response: {getattr(found.content, 'text', '')}"))


def _elicit(message: str, field: str, kind: str = "string") -> ElicitRequest:
    schema = _form({field: {"type": kind}}, [field])
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def _sample(text: str, tokens: int) -> CreateMessageRequest:
    messages = [SamplingMessage(role="user", content=_text(text))]
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=messages, max_tokens=tokens))


ALL = {
    "user_name": _elicit("What is your name?", "name"),
    "greeting": _sample("Generate a greeting", 50),
    "client_roots": ListRootsRequest(),
}
ONE: Mapping[str, Mapping[str, Any]] = {
    "test_input_required_result_sampling": {"capital_question": _sample("What is the capital of France?", 100)},
    "test_input_required_result_list_roots": {"client_roots": ListRootsRequest()},
    "test_input_required_result_multiple_inputs": ALL,
    "test_input_required_result_request_state": {"confirm": _elicit("Please confirm", "ok", "boolean")},
    "test_input_required_result_tampered_state": {"confirm": _elicit("Please confirm", "ok", "boolean")},
    "test_streaming_elicitation": {"user_name": _elicit("What is your name?", "name")},
}
"""Tools of one question round: what they ask for. All of it answered, they say what came."""


def _given(ctx: Asked, key: str, field: str) -> str:
    """A field of the answer that was given under a key; "" where there is none, or no accepted one."""
    found = (ctx.input_responses or {}).get(key)
    content = getattr(found, "content", None)
    value = content.get(field) if isinstance(content, dict) else None
    return value if isinstance(value, str) else ""


def _rounds(server: MCPServer[Any]) -> None:
    for name, requests in ONE.items():

        def one(asked: Mapping[str, Any] = requests) -> Any:
            async def tool(ctx: Asked) -> CallToolResult | InputRequiredResult:
                given = ctx.input_responses or {}
                if not set(asked) <= set(given):
                    return InputRequiredResult(input_requests=dict(asked), request_state="asked")
                said = " ".join(str(answer.model_dump(mode="json")) for answer in given.values())
                return _result(_text(f"{'state-ok' if ctx.request_state == 'asked' else 'no state'}: {said}"))

            return tool

        server.add_tool(one(), name=name, description="Of the conformance suite.", structured_output=False)

    async def elicitation(ctx: Asked) -> CallToolResult | InputRequiredResult:
        if name := _given(ctx, "user_name", "name"):
            return _result(_text(f"Hello, {name}!"))
        return InputRequiredResult(input_requests={"user_name": _elicit("What is your name?", "name")})

    async def multi_round(ctx: Asked) -> CallToolResult | InputRequiredResult:
        if ctx.request_state == "named" and (colour := _given(ctx, "step2", "color")):
            return _result(_text(f"You like {colour}."))
        if ctx.request_state == "begun" and _given(ctx, "step1", "name"):
            asked = {"step2": _elicit("Step 2: What is your favorite color?", "color")}
            return InputRequiredResult(input_requests=asked, request_state="named")
        asked = {"step1": _elicit("Step 1: What is your name?", "name")}
        return InputRequiredResult(input_requests=asked, request_state="begun")

    async def capabilities(ctx: Asked) -> CallToolResult | InputRequiredResult:
        can = ctx.client_capabilities
        able = {
            "user_name": can is not None and can.elicitation is not None,
            "greeting": can is not None and can.sampling is not None,
            "client_roots": can is not None and can.roots is not None,
        }
        asked = {key: request for key, request in ALL.items() if able[key] and key not in (ctx.input_responses or {})}
        return InputRequiredResult(input_requests=asked) if asked else _result(_text("nothing to ask"))

    for name, tool in (("elicitation", elicitation), ("multi_round", multi_round), ("capabilities", capabilities)):
        full = f"test_input_required_result_{name}"
        server.add_tool(tool, name=full, description="Of the conformance suite.", structured_output=False)


def _resources(server: MCPServer[Any]) -> None:
    @server.resource("test://static-text", description="Of the conformance suite.", mime_type="text/plain")
    def static_text() -> str:
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", description="Of the conformance suite.", mime_type="image/png")
    def static_binary() -> bytes:
        return PNG

    @server.resource("test://watched-resource", description="Of the conformance suite.", mime_type="text/plain")
    def watched() -> str:
        return "It never changes."

    @server.resource("test://template/{id}/data", description="Of the conformance suite.", mime_type="application/json")
    def template(id: str) -> str:
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"}, separators=(",", ":"))


def _prompts(server: MCPServer[Any]) -> None:
    @server.prompt(description="Of the conformance suite.")
    def test_simple_prompt() -> str:
        return "This is a simple prompt for testing."

    @server.prompt(description="Of the conformance suite.")
    def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @server.prompt(description="Of the conformance suite.")
    def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:
        embedded = _embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
        return [UserMessage(embedded), UserMessage("Please process the embedded resource above.")]

    @server.prompt(description="Of the conformance suite.")
    def test_prompt_with_image() -> list[UserMessage]:
        return [UserMessage(_image()), UserMessage("Please analyze the image above.")]

    @server.prompt(description="Of the conformance suite.")
    async def test_input_required_result_prompt(ctx: Asked) -> Any:
        if context := _given(ctx, "user_context", "context"):
            return f"Use this context: {context}"
        asked = {"user_context": _elicit("What context should the prompt use?", "context")}
        return InputRequiredResult(input_requests=asked)

"""The demo's agent: a real MCP client over stdio that does what a model would, and checks each answer."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from mcp import Client, StdioServerParameters
from mcp_types import ElicitRequestParams, ElicitResult

from testbed.demo_lab import COMMAND, DOMAIN, DemoLab, Failed, say, say_diff, step
from testbed.docker_engine import docker


async def play_agent(lab: DemoLab, *, yes: bool) -> None:
    """Search, add, approve, apply, probe, logs, a failing change, remove."""

    async def person(context: Any, params: ElicitRequestParams) -> ElicitResult:
        say("  ┌ the client asks the person:", "33")
        for line in params.message.splitlines():
            say(f"  │ {line}", "33")
        wanted = params.message.rsplit("type: ", 1)[-1].strip()
        if yes:
            say(f"  └ answered by --yes: {wanted}", "33")
            return ElicitResult(action="accept", content={"name": wanted})
        typed = (await asyncio.to_thread(input, "  └ your answer (empty declines): ")).strip()
        return ElicitResult(action="accept", content={"name": typed}) if typed else ElicitResult(action="decline")

    server = StdioServerParameters(command=COMMAND[0], args=[*COMMAND[1:], "serve"], env=lab.environment)
    failure: Exception | None = None
    async with Client(server, elicitation_callback=person) as client:
        agent = Agent(lab, client)
        try:
            await agent.add_uptime_kuma()
            await agent.look()
            await agent.failing_change()
            await agent.remove()
        except (Failed, OSError) as error:
            # Kept until the client has closed: what passes through it arrives as a group of exceptions.
            failure = error
    if failure is not None:
        raise failure if isinstance(failure, Failed) else Failed(str(failure)) from failure


class Agent:
    """Calls tools and insists on what they answer."""

    def __init__(self, lab: DemoLab, client: Client) -> None:
        self.lab = lab
        self.client = client
        self.kuma = lab.service("uptime-kuma")
        self.monitoring = lab.stack("monitoring")

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """One tool call; its structured answer. Raises Failed when the tool answers with an error."""
        given = ", ".join(f"{k}={v!r}" for k, v in arguments.items())
        say(f"  agent calls {tool}({given})", "2")
        result = await self.client.call_tool(tool, arguments)
        if result.is_error or result.structured_content is None:
            raise Failed(f"{tool}: {result.content}")
        return dict(result.structured_content)

    async def apply(self, plan_id: str) -> dict[str, Any]:
        """apply_plan, then get_plan until it ended."""
        shown = await self.call("apply_plan", plan_id=plan_id)
        while shown["state"] in ("queued", "applying"):
            shown = await self.call("get_plan", plan_id=plan_id, wait=30, brief=True)
        for seen in shown.get("evidence", []):
            say(f"    {'ok  ' if seen['ok'] else 'FAIL'} {seen['what']}")
        return shown

    async def add_uptime_kuma(self) -> None:
        """The main job."""
        step('"Add Uptime Kuma to my monitoring stack"')
        found = await self.call("search_catalog", query="uptime kuma")
        expect(found["matches"][0]["id"] == "uptime-kuma", "the catalog finds Uptime Kuma", found)
        plan = await self.call("add_service", service="uptime-kuma", stack=self.monitoring, name=self.kuma)
        say(f"\n  {plan['summary']}   risk: {plan['risk']}")
        say_diff(plan["diff"])
        for line in plan["actions"] + plan.get("findings", []) + plan.get("notes", []):
            say(f"  · {line}")
        expect(not (self.lab.root / self.monitoring).exists(), "nothing is changed by planning", plan)
        done = await self.apply(plan["plan_id"])
        expect(done["state"] == "done", "applied and verified", done)
        status, headers, _ = await https(self.lab, f"{self.kuma}.{DOMAIN}")
        expect(
            status == 302 and "auth" in headers.get("location", ""),
            f"https://{self.kuma}.{DOMAIN} sends a stranger to the log-in page, over a certificate of the CA",
            (status, headers),
        )
        status, _, body = await https(self.lab, f"{self.kuma}.{DOMAIN}", cookie="stand-in-session=person")
        expect(status == 200 and "uptime-kuma" in body, "a logged-in person sees the service", (status, body))

    async def look(self) -> None:
        """Status and logs, as a model would read them."""
        step('"Is it running? Show me its logs"')
        status = await self.call("lab_status", stack=self.monitoring)
        row = next(r for r in status["services"] if r["service"] == self.kuma)
        expect(row["state"] == "running", f"{self.kuma} is {row['state']} {row.get('health', '')}", row)
        logs = await self.call("read_logs", services=[self.kuma], tail=5)
        for line in logs["lines"]:
            say(f"    {line}")
        expect(bool(logs["lines"]) and logs["untrusted"], "logs come back, marked as untrusted data", logs)

    async def failing_change(self) -> None:
        """A change that cannot hold is rolled back, and the lab is as before."""
        step("A change that fails on purpose: an image that crashes at once")
        utilities = self.lab.stack("utilities")
        name = self.lab.service("whoami")
        plan = await self.call("add_service", service="whoami", stack=utilities, name=name, tag="broken")
        done = await self.apply(plan["plan_id"])
        expect(done["state"] == "rolled_back", "it was noticed and rolled back", done)
        expect(not (self.lab.root / utilities / "compose.yaml").exists(), "its files are gone again", done)
        left = docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={utilities}")
        expect(not left, "its container is gone again", left)
        status, _, _ = await https(self.lab, f"{self.kuma}.{DOMAIN}")
        expect(status == 302, "Uptime Kuma never stopped answering", status)

    async def remove(self) -> None:
        """Take the service away again."""
        step('"Remove Uptime Kuma again"')
        plan = await self.call("remove_service", service=self.kuma, stack=self.monitoring)
        done = await self.apply(plan["plan_id"])
        expect(done["state"] == "done", "removed and verified", done)
        for _ in range(50):
            status, _, _ = await https(self.lab, f"{self.kuma}.{DOMAIN}", verify=False)
            if status == 404:
                break
            await asyncio.sleep(0.2)
        expect(status == 404, f"https://{self.kuma}.{DOMAIN} is gone (404)", status)


def expect(true: bool, what: str, seen: object) -> None:
    """Print what was verified, or end the demo with what was seen instead."""
    if not true:
        raise Failed(f"not true: {what}\n  seen: {seen}")
    say(f"  ✔ {what}", "32")


async def https(lab: DemoLab, host: str, *, cookie: str = "", verify: bool = True) -> tuple[int, dict[str, str], str]:
    """GET through Traefik on loopback, the certificate checked against the CA alone: status, headers, body."""
    context = ssl.create_default_context(cafile=str(lab.root_certificate))
    if not verify:
        # A host without a route has no certificate of its own to check.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("127.0.0.1", lab.https_port, ssl=context, server_hostname=host)
    extra = f"Cookie: {cookie}\r\n" if cookie else ""
    writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\n{extra}Connection: close\r\n\r\n".encode())
    answer = (await asyncio.wait_for(reader.read(), 20)).decode(errors="replace")
    writer.close()
    head, _, body = answer.partition("\r\n\r\n")
    first, *rest = head.split("\r\n")
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in rest)}
    return int(first.split()[1]), headers, body

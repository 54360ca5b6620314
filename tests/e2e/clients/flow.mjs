// The whole of propose, gate, approve, apply through the official TypeScript client, without elicitation.
//
// argv[2] is JSON: {command, args, env} for stdio, or {url, token} for streamable HTTP; besides
// {draft: text of cluster.yaml without the graph, graph}. Prints one JSON line when a human is asked,
// waits for a line on stdin, and prints one JSON line with what came of it. Packages are looked up
// beside AGENTCTL_NODE_BIN, where `.ci/node` put them.
import { createRequire } from "node:module";
import path from "node:path";
import readline from "node:readline";

const require = createRequire(path.join(process.env.AGENTCTL_NODE_BIN, "..", "clients.js"));
const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { StdioClientTransport } = require("@modelcontextprotocol/sdk/client/stdio.js");
const { StreamableHTTPClientTransport } = require(
  "@modelcontextprotocol/sdk/client/streamableHttp.js",
);

const given = JSON.parse(process.argv[2]);
const transport = given.url
  ? new StreamableHTTPClientTransport(new URL(given.url), {
      requestInit: { headers: { Authorization: `Bearer ${given.token}` } },
    })
  : new StdioClientTransport({ command: given.command, args: given.args, env: given.env });
const client = new Client({ name: "flow", version: "1" }, { capabilities: {} });
await client.connect(transport);

const say = (value) => process.stdout.write(JSON.stringify(value) + "\n");
const calls = [];
async function call(name, args) {
  const result = await client.callTool({ name, arguments: args });
  const envelope = result.structuredContent;
  calls.push({ tool: name, ok: envelope.ok, next: envelope.next.map((n) => n.tool) });
  if (result.isError) throw new Error(`${name}: ${JSON.stringify(envelope.diagnostics)}`);
  return envelope.data;
}

const { tools } = await client.listTools();
const draft = (await call("draft_edit", { path: "cluster.yaml", content: given.draft })).draft;
const plan = await call("plan", { in: draft });
const held = await call("apply", {
  intent: "clean up",
  idempotency_key: "1",
  in: draft,
  without_gated: true,
});
const asked = await call("approve", {
  gate: given.graph,
  intent: "unused",
  idempotency_key: "2",
  in: draft,
});
say({ asked: asked.request_id, line: asked.tell_your_human });

const lines = readline.createInterface({ input: process.stdin });
await new Promise((resolve) => lines.once("line", resolve));
lines.close();

const waited = await call("approval_wait", { id: asked.request_id, timeout_s: 5 });
const done = await call("apply", { intent: "clean up", idempotency_key: "3", in: draft });
say({
  protocol: transport.protocolVersion ?? null,
  tools: tools.map((t) => t.name),
  planned: plan.plan_id,
  held: held.converged,
  standing: waited.standing,
  done: done.converged,
  calls,
});
await client.close();

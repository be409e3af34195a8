// What each answer of the admin listener looks like.
import { at, element, folded, list, milliseconds, status, table, usd } from "./elements.js";

export const SHOWN = 25;
const N = "number";

const healthy = (owners) => `${owners.filter((owner) => owner.status === "healthy").length} of ${owners.length}`;

/** Without `savings`, of which the ledger cannot tell just now, the figures of money are unknown. */
export function summary(clusters, providers, savings) {
  const told = (figure) => savings ? figure(savings) : "unknown";
  const figures = [
    ["clusters healthy", healthy(clusters)],
    ["providers healthy", healthy(providers)],
    ["requests in 24 hours", told((report) => report.requests)],
    ["USD spent", told((report) => usd(report.cost_usd))],
    ["USD saved", told((report) => usd(report.savings_usd))],
  ];
  return figures.map(([title, figure]) =>
    element("div", { className: "figure" }, element("strong", {}, figure), element("span", {}, title)));
}

const price = ({ cost, list_usd_per_1k_tokens: listed }) =>
  cost ? `${usd(cost.decision)}${cost.stale ? " (stale)" : cost.measured ? "" : " (not measured)"}`
    : listed ? `${usd(listed.input)} in, ${usd(listed.output)} out` : "unknown";

const troubles = (owner, target) =>
  [owner.error, target.retry_in_s === null ? null : `left alone for ${Math.ceil(target.retry_in_s)} s: ${target.retry_reason}`, ...target.limited]
    .filter(Boolean);

export function owners(listed, nothing) {
  const rows = listed.flatMap((owner) => owner.targets.map((target) => ({ owner, target })));
  return table([
    ["name", ({ owner }) => owner.name],
    ["health", ({ owner }) => status(owner.status)],
    ["state", ({ target }) => status(target.state)],
    ["model", ({ target }) => target.model],
    ["USD per 1K tokens", ({ target }) => price(target), N],
    ["first token, p95", ({ target }) => milliseconds(target.p95_latency_ms), N],
    ["under way", ({ target }) => target.pending, N],
    ["queue", ({ target }) => target.queue_depth, N],
    ["trouble", ({ owner, target }) => list(troubles(owner, target))],
  ], rows, nothing);
}

export function savings(report) {
  return table([
    ["target", (row) => row.target ?? "none"],
    ["requests", (row) => row.requests, N],
    ["tokens in", (row) => row.input_tokens, N],
    ["tokens out", (row) => row.output_tokens, N],
    ["USD spent", (row) => usd(row.cost_usd), N],
    [`USD at the baseline (${report.baseline})`, (row) => usd(row.baseline_usd), N],
    ["USD saved", (row) => usd(row.savings_usd), N],
  ], report.rows, "No requests yet.");
}

export function budgets(everybody) {
  const rows = everybody.flatMap((who) => [
    ...who.limits.map((one) => ({ who, what: one.limit, used: one.used, most: one.ceiling })),
    ...who.budgets.map((one) => ({ who, what: `${one.budget}, USD`, used: usd(one.used_usd), most: usd(one.usd), until: one.until })),
  ]);
  return table([
    ["of", ({ who }) => `${who.scope} ${who.name}`],
    ["what", ({ what }) => what],
    ["used", ({ used }) => used, N],
    ["of at most", ({ most }) => most, N],
    ["until", ({ until }) => (until ? new Date(until).toLocaleString() : "")],
  ], rows, "No limits and no budgets.");
}

const whoNot = (decision) =>
  decision.rejected.length === 0 ? "" : folded(`${decision.rejected.length} not`, list(decision.rejected.map((one) => `${one.target}: ${one.reason}`)));

export function decisions(recent) {
  return table([
    ["at", (decision) => at(decision.at)],
    ["asked for", (decision) => decision.facts.model],
    ["first choice", (decision) => decision.targets[0]?.target ?? "nobody"],
    ["reason", (decision) => decision.targets[0]?.reason ?? ""],
    ["strategy, rule", (decision) => [decision.strategy, decision.rule].filter(Boolean).join(", ")],
    ["USD per 1K", (decision) => usd(decision.targets[0]?.usd_per_1k_tokens), N],
    ["then", (decision) => decision.targets.slice(1).map((target) => target.target).join(", ")],
    ["and who not, why", whoNot],
  ], recent, "No decisions yet.");
}

export function requests(recent) {
  return table([
    ["at", (record) => at(record.settled_at)],
    ["key", (record) => record.key ?? ""],
    ["target", (record) => record.target ?? "nobody"],
    ["model", (record) => record.model ?? ""],
    ["reason", (record) => record.reason ?? ""],
    ["status", (record) => element("span", { className: record.status < 400 ? "good" : "bad" }, record.status)],
    ["attempts", (record) => record.attempts.map((attempt) => `${attempt.target}: ${attempt.outcome}`).join(", ")],
    ["tokens", (record) => `${record.usage.input_tokens} + ${record.usage.output_tokens}`, N],
    ["USD", (record) => usd(record.cost_usd), N],
    ["saved", (record) => usd(record.savings_usd), N],
  ], recent, "No requests yet.");
}

export function configuration(config, ledger, reloaded) {
  const records = ledger.backend === "memory" ? "in memory" : `${ledger.backend}, ${ledger.up ? "written" : "NOT written"}, ${ledger.waiting} waiting`;
  const rows = [
    ["last load", { 1: "accepted", 0: "refused: the one before is in force" }[reloaded] ?? "unknown"],
    ["strategy", config.router.routingStrategy],
    ["clusters below, USD per 1K tokens", config.router.clusterCostThreshold],
    ["failover", config.router.failover.enabled ? `on, ${config.router.failover.maxRetries} more attempts` : "off"],
    ["rules", config.rules.length],
    ["API keys", config.access.apiKeysFile ? "asked for" : "none: loopback only"],
    ["workers", config.server.workers],
    ["limits are kept in", config.state.backend],
    ["ledger", records],
  ];
  const whole = element("pre", {}, JSON.stringify(config, null, 2));
  return [table([["what", ([name]) => name], ["is", ([, value]) => value]], rows, ""), folded("All of it", whole)];
}

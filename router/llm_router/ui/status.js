// Asks the admin listener again and again, and shows what it says.
import * as tables from "./tables.js";

const EVERY_MS = 5_000;
const SLOW_EVERY = 12; // reports over a large ledger take their time
const place = (id) => document.getElementById(id);
const pageHeader = "x-llm-router-page";

// A page that nobody touches does not keep its session open.
let attended = true;
for (const sign of ["pointermove", "keydown", "scroll"]) addEventListener(sign, () => { attended = true; }, { passive: true });

async function ask(path, options = {}) {
  const headers = { [pageHeader]: attended ? "attended" : "unattended", ...options.headers };
  const answer = await fetch(path, { ...options, headers });
  if (answer.status === 401) location.replace("/login");
  if (!answer.ok && answer.status !== 422) throw new Error(`${path}: ${answer.status}`);
  return answer;
}

const json = async (path) => (await ask(path)).json();

let savings, shownAs = {};

/** Puts `made` in place if `said` is news, so that what somebody has unfolded or marked stays while nothing changes. */
function show(id, said, make) {
  const text = JSON.stringify(said);
  if (shownAs[id] === text) return;
  shownAs[id] = text;
  place(id).replaceChildren(...[make()].flat());
}

async function refresh(slow) {
  const newest = ["/admin/decisions", "/admin/requests"].map((path) => `${path}?limit=${tables.SHOWN}`);
  const paths = ["/ai/clusters", "/ai/providers", ...newest, "/admin/budgets"];
  const [clusters, providers, decisions, requests, budgets] = await Promise.all(paths.map(json));
  attended = false;
  if (slow) {
    // Without its store there is no report; all else is shown all the same.
    savings = await json("/admin/savings?since=24h&by=target").catch(() => undefined);
    const [config, ledger] = await Promise.all(["/admin/config", "/admin/ledger"].map(json));
    const reloaded = /^llm_router_config_last_reload_success (\d)/m.exec(await (await ask("/metrics")).text())?.[1];
    place("logout").hidden = !config.admin.passwordHash;
    if (savings) show("savings", savings.rows, () => tables.savings(savings));
    show("configuration", [config, ledger, reloaded], () => tables.configuration(config, ledger, reloaded));
  }
  show("summary", [clusters, providers, savings], () => tables.summary(clusters, providers, savings));
  show("clusters", clusters, () => tables.owners(clusters, "No clusters."));
  show("providers", providers, () => tables.owners(providers, "No providers."));
  show("budgets", budgets, () => tables.budgets(budgets));
  show("decisions", decisions, () => tables.decisions(decisions));
  show("requests", requests, () => tables.requests(requests));
}

const say = (text) => { place("news").textContent = text; };

let turn = 0;
async function again() {
  if (!document.hidden) {
    try {
      await refresh(turn++ % SLOW_EVERY === 0);
      say(`As of ${new Date().toLocaleTimeString()}`);
    } catch (error) {
      say(`The router does not tell (${error.message}); what is shown may be old`);
    }
  }
  setTimeout(again, EVERY_MS);
}

const answer = (text) => { place("answer").textContent = text; };

place("reload").addEventListener("click", async () => {
  attended = true;
  answer("");
  try {
    const said = await (await ask("/admin/reload", { method: "POST" })).json();
    turn = 0;
    answer(said.reloaded ? "Reloaded." : `Refused, the old configuration stays: ${said.problems.join(" · ")}`);
  } catch (error) {
    answer(`Not reloaded: ${error.message}`);
  }
});

place("logout").addEventListener("click", async () => {
  attended = true;
  await ask("/logout", { method: "POST" });
  location.replace("/login");
});

again();

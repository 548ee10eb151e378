const SIGNS = { succeeded: "✓", failed: "✗", running: "▸", waiting: "○", reused: "↺", skipped: "–", cancelled: "⊘", "timed-out": "⧖", killed: "!" };
const ORDER = ["failed", "killed", "timed-out", "cancelled", "running", "waiting", "skipped", "succeeded", "reused"];
const BAD = new Set(["failed", "killed", "timed-out", "cancelled"]);
const TASKS = DATA.tasks;
const PLACES = new Map(TASKS.map((task, index) => [task.id, index]));
const OPENED = "task";
const chosen = { task: "" };

const known = (state) => (state in SIGNS ? state : "unknown");

function badge(state) {
  return make("span", { class: `badge is-${known(state)}` }, make("span", { class: "mark", "aria-hidden": "true" }, SIGNS[state] || "?"), state || "unknown");
}

/* The state of several tasks is the one that asks for most attention. */
function worst(states) {
  return ORDER.find((state) => states.includes(state)) || states[0] || "waiting";
}

const taskLink = (index) => opens(TASKS[index].id, () => showTask(index));
const seconds = (value) => (value === undefined || value === null ? "" : duration(value));

function artifactLink(artifact) {
  if (artifact.link) return make("a", { href: path(artifact.link) }, artifact.link);
  return make("code", {}, artifact.uri || "");
}

function values(given) {
  if (!given) return [];
  const parts = [];
  if (given.parameters.length) parts.push(table(["parameter", "value"], given.parameters.map(([name, value]) => [name, make("code", {}, value)])));
  if (given.artifacts.length) {
    parts.push(table(["artifact", "type", ["size", "number"], "where"], given.artifacts.map((one) => [one.name, one.type || "", [one.size === undefined ? "" : human(one.size), "number"], artifactLink(one)])));
  }
  return parts;
}

function titled(title, parts) {
  return parts.length ? [make("h3", {}, title), ...parts] : [];
}

function showTask(index) {
  const task = TASKS[index];
  remember({ task: task.id });
  const outputs = task.outputs ? task.outputs.artifacts : [];
  const inside = listing(TASKS.length).filter((one) => TASKS[one].parent === task.id);
  openPanel(task.id, BAD.has(task.state) ? "not-good" : "", [
    make("p", {}, badge(task.state)),
    task.reason ? make("p", { class: "reason" }, task.reason) : null,
    facts([
      ["duration", seconds(task.seconds)],
      ["attempts", task.attempts > 1 ? String(task.attempts) : ""],
      ["taken from run", task.reused],
      ["component", task.component], ["kind", task.kind === "container" ? "" : task.kind],
      ["environment", task.environment],
      ["image", task.image ? make("code", {}, task.image) : ""],
      ["needs", (task.needs || []).join(", ")],
    ]),
    ...(inside.length ? titled("Inside", [table(["task", "state", ["duration", "number"]], inside.map((one) => [taskLink(one), badge(TASKS[one].state), [seconds(TASKS[one].seconds), "number"]]))]) : []),
    ...outputs.flatMap(shownArtifact),
    ...titled("Inputs", values(task.inputs)),
    ...titled("Outputs", values(task.outputs)),
    ...(task.file ? titled("Log", [make("p", {}, make("a", { href: path(task.file) }, "the whole log")), ...log(task.log, task.cut, task.file)]) : []),
  ]);
}

function showStack(name) {
  const members = [...DATA.stacks[name]].sort((a, b) => ORDER.indexOf(TASKS[a].state) - ORDER.indexOf(TASKS[b].state));
  openPanel(name, "", [
    make("p", { class: "quiet" }, `${counted(members.length, "iteration")}, drawn as one.`),
    most(200, ["iteration", "state", ["duration", "number"], "why"], members, (one) => [taskLink(one), badge(TASKS[one].state), [seconds(TASKS[one].seconds), "number"], [TASKS[one].reason || "", "why"]]),
  ]);
}

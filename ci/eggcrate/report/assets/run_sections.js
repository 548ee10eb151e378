function metricsSection() {
  const found = TASKS.flatMap((task, index) => ((task.outputs || {}).artifacts || []).filter((one) => /Metrics$|^system\.(HTML|Markdown)$/.test(one.type || "")).map((one) => [index, one]));
  const told = found.map(([index, one]) => [index, shownArtifact(one)]).filter(([, parts]) => parts.length);
  if (!told.length) return;
  section("results", "Results", ...told.flatMap(([index, parts]) => [make("div", { class: "result" }, ...parts, make("p", { class: "quiet" }, "from ", taskLink(index)))]));
}

function comparedSection() {
  const { runs, rows } = DATA.compared;
  if (runs.length < 2 || !rows.length) return;
  const head = ["metric", ...runs.map(([run], at) => [at === runs.length - 1 ? "this run" : run, "number"])];
  const body = rows.map(([name, found]) => [name, ...found.map((value, at) => {
    const before = found[at - 1];
    const moved = value !== null && typeof before === "number" && before !== value ? ` (${value > before ? "+" : "−"}${figure(Math.abs(value - before))})` : "";
    return [value === null ? "–" : `${figure(value)}${moved}`, "number"];
  })]);
  section("compared", "Beside earlier runs", make("p", { class: "quiet" }, "The oldest is on the left; in brackets the change from the run before."), table(head, body));
}

/* When each task began is told by newer documents; otherwise as early as what it needs allows. */
function times() {
  const begun = Date.parse(DATA.started);
  const found = new Map();
  const open = new Set();
  function start(index) {
    if (found.has(index)) return found.get(index);
    if (open.has(index)) return 0;
    open.add(index);
    const task = TASKS[index];
    const own = Date.parse(task.started || "");
    let at = Number.isFinite(own) && Number.isFinite(begun) ? Math.max(0, (own - begun) / 1000) : null;
    if (at === null) {
      at = task.parent && PLACES.has(task.parent) ? start(PLACES.get(task.parent)) : 0;
      for (const need of task.needs || []) {
        if (PLACES.has(need)) at = Math.max(at, start(PLACES.get(need)) + (TASKS[PLACES.get(need)].seconds || 0));
      }
    }
    found.set(index, at);
    return at;
  }
  listing(TASKS.length).forEach(start);
  return found;
}

function timeSection() {
  const begins = times();
  const shown = listing(TASKS.length).filter((index) => TASKS[index].seconds > 0 && TASKS[index].state !== "reused");
  if (!shown.length) return;
  const end = Math.max(...shown.map((index) => begins.get(index) + TASKS[index].seconds));
  const measured = shown.every((index) => TASKS[index].started);
  shown.sort((a, b) => begins.get(a) - begins.get(b));
  const lines = shown.slice(0, 300).map((index) => {
    const task = TASKS[index];
    const [from, share] = [begins.get(index) / end, task.seconds / end];
    const bar = make("i", BAD.has(task.state) ? { class: "not-good" } : {});
    bar.style.left = `${from * 100}%`;
    bar.style.width = `${share * 100}%`;
    const label = make("span", {}, duration(task.seconds));
    if (from + share < .82) label.style.left = `${(from + share) * 100}%`;
    else if (from > .18) label.style.right = `${(1 - from) * 100}%`;
    else label.className = "inner";
    return make("div", { class: "line" }, taskLink(index), make("div", { class: "track" }, bar, label));
  });
  const note = measured ? `${duration(end)} from the first to the last.` : "Drawn as early as what a task needs allows; time spent waiting for a free place is not known.";
  section("times", "Time line", make("p", { class: "quiet" }, note), ...lines);
}

function tasksSection() {
  const order = listing(TASKS.length).sort((a, b) => BAD.has(TASKS[b].state) - BAD.has(TASKS[a].state));
  section("tasks", "Tasks", most(100, ["task", "state", ["duration", "number"], ["environment", "roomy"], "why"], order, (index) => {
    const task = TASKS[index];
    return [taskLink(index), badge(task.state), [seconds(task.seconds), "number"], [task.environment || "", "roomy"], [task.reason || "", "why"]];
  }));
}

function start() {
  document.body.classList.toggle("failing", ["failed", "interrupted"].includes(DATA.state));
  const where = [DATA.project, DATA.stage].filter(Boolean).join(", ");
  document.getElementById("run").textContent = [`run ${DATA.run}`, where, DATA.started.replace("T", " ").replace("Z", " UTC"), seconds(DATA.seconds), DATA.runtime && `in the ${DATA.runtime} runtime`].filter(Boolean).join(" · ");
  const bad = listing(TASKS.length).filter((index) => BAD.has(TASKS[index].state) && TASKS[index].kind !== "pipeline" && TASKS[index].kind !== "iteration");
  if (bad.length) section("not-good", "Not good", most(30, ["task", "state", "why"], bad, (index) => [taskLink(index), badge(TASKS[index].state), [TASKS[index].reason || "", "why"]]));
  graphSection();
  metricsSection();
  comparedSection();
  timeSection();
  tasksSection();
  const given = [...titled("Parameters", values({ parameters: DATA.parameters, artifacts: [] })), ...titled("Outputs", values(DATA.outputs))];
  if (given.length) section("values", "Parameters and outputs", ...given);
  const open = () => {
    recall();
    if (PLACES.has(chosen.task)) showTask(PLACES.get(chosen.task));
  };
  open();
  addEventListener("hashchange", open);
}

start();

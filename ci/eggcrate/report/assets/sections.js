function cellsSection() {
  const counts = OUTCOMES.map(() => 0);
  CELLS.forEach((cell) => { counts[cell.outcome] += 1; });
  const text = make("input", { type: "search", placeholder: "Search names and reasons", "aria-label": "Search names and reasons" });
  const select = (name, noun, values) => {
    const box = make("select", { "aria-label": noun }, make("option", { value: "" }, `every ${noun}`));
    for (const value of values) box.append(make("option", { value }, value));
    box.addEventListener("change", () => choose({ [name]: box.value }));
    return box;
  };
  const components = select("component", "component", [...new Set(DATA.rows.map(component))]);
  const environments = select("environment", "environment", DATA.columns);
  const clear = make("button", { type: "button" }, "Clear");
  const outcomes = make("div", { class: "outcomes", role: "group", "aria-label": "Outcomes" });
  const buttons = new Map();
  const order = listing(OUTCOMES.length).sort((a, b) => OUTCOMES[a].good - OUTCOMES[b].good || (OUTCOMES[b].word === "flaky") - (OUTCOMES[a].word === "flaky"));
  order.forEach((index) => {
    const outcome = OUTCOMES[index];
    if (!counts[index]) return;
    const mark = make("span", { class: `mark ${outcome.style}`, "aria-hidden": "true" }, outcome.mark);
    const button = make("button", { type: "button", "aria-pressed": "false" }, mark, `${outcome.word} ${thousands(counts[index])}`);
    button.addEventListener("click", () => {
      const now = new Set(chosen.outcome.split(",").filter(Boolean));
      if (!now.delete(outcome.word)) now.add(outcome.word);
      choose({ outcome: [...now].join(",") });
    });
    buttons.set(outcome.word, button);
    outcomes.append(button);
  });
  const shown = make("span", { id: "shown" });
  const hint = make("span", { class: "keys" }, " Arrow keys move, Enter opens, N and P go to the next and previous that is not good.");
  const host = make("div", { id: "grid" });
  section("cells", "Cells", make("div", { class: "filters" }, text, components, environments, clear), make("div", { class: "filters" }, outcomes), make("p", { class: "quiet" }, shown, hint), host);

  let matching = new Set();
  const grid = new Grid(host, {
    id: "cell", label: "Components down, environments across", corner: "component",
    rows: DATA.rows, columns: DATA.columns, wide: 96, narrow: 26,
    cell(row, column) {
      const index = PLACES.get(row * DATA.columns.length + column);
      if (index === undefined) return null;
      const cell = CELLS[index];
      const outcome = OUTCOMES[cell.outcome];
      const told = ["passed", "flaky"].includes(outcome.word) ? duration(cell.seconds) : ["incompatible", "not-selected"].includes(outcome.word) ? "" : outcome.word;
      return {
        mark: outcome.mark, style: outcome.style, text: told, faded: !matching.has(index),
        name: `${DATA.rows[row]} in ${cell.environment}: ${outcome.word}${cell.seconds ? `, ${duration(cell.seconds)}` : ""}${cell.reason ? `, ${cell.reason}` : ""}`,
      };
    },
    bad(row, column) {
      const index = PLACES.get(row * DATA.columns.length + column);
      return index !== undefined && !CELLS[index].good && matching.has(index);
    },
    open(row, column) {
      const index = PLACES.get(row * DATA.columns.length + column);
      if (index !== undefined) showCell(index);
    },
  });

  function choose(change) {
    remember(change);
    apply();
  }

  function apply() {
    text.value = chosen.text;
    components.value = chosen.component;
    environments.value = chosen.environment;
    const words = chosen.text.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set(chosen.outcome.split(",").filter(Boolean));
    for (const [word, button] of buttons) button.setAttribute("aria-pressed", String(wanted.has(word)));
    matching = new Set();
    const rows = new Set();
    const columns = new Set();
    CELLS.forEach((cell, index) => {
      if (wanted.size && !wanted.has(OUTCOMES[cell.outcome].word)) return;
      if (chosen.environment && cell.environment !== chosen.environment) return;
      if (chosen.component && component(cell.row) !== chosen.component) return;
      if (words.length) {
        const told = `${cell.rows.map((row) => DATA.rows[row]).join(" ")} ${cell.environment} ${OUTCOMES[cell.outcome].word} ${cell.reason}`.toLowerCase();
        if (!words.every((word) => told.includes(word))) return;
      }
      matching.add(index);
      cell.rows.forEach((row) => rows.add(row));
      columns.add(cell.column);
    });
    grid.show([...rows].sort((a, b) => a - b), [...columns].sort((a, b) => a - b));
    clear.hidden = !(words.length || wanted.size || chosen.environment || chosen.component);
    shown.textContent = `${counted(matching.size, "cell")}: ${counted(rows.size, "row")}, ${counted(columns.size, "environment")}.`;
    tell(`${counted(matching.size, "cell")} shown`);
  }

  let waiting = 0;
  text.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => choose({ text: text.value }), 120);
  });
  clear.addEventListener("click", () => choose({ component: "", environment: "", outcome: "", text: "" }));
  return apply;
}

function badSection() {
  const bad = listing(CELLS.length).filter((index) => !CELLS[index].good || OUTCOMES[CELLS[index].outcome].word === "flaky");
  if (!bad.length) return;
  section("not-good", "Not good", most(50, ["cell", "outcome", "why"], bad, (index) => [cellLink(index), badge(CELLS[index].outcome), [CELLS[index].reason, "why"]]));
}

function changesSection() {
  const { worse, mended, slower, faster } = DATA.trend;
  if (!DATA.compared) return;
  const parts = [];
  const then = (index) => DATA.more[index].before;
  const group = (title, cells, row, head) => {
    if (cells.length) parts.push(make("h3", {}, `${title} (${thousands(cells.length)})`), most(30, head, cells, row));
  };
  const outcome = (index) => [cellLink(index), badge(then(index)[0]), badge(CELLS[index].outcome)];
  const seconds = (index) => [cellLink(index), [duration(then(index)[1]), "number"], [duration(CELLS[index].seconds), "number"]];
  group("Worse", worse, outcome, ["cell", "was", "is"]);
  group("Better", mended, outcome, ["cell", "was", "is"]);
  group("Slower", slower, seconds, ["cell", ["was", "number"], ["is", "number"]]);
  group("Faster", faster, seconds, ["cell", ["was", "number"], ["is", "number"]]);
  if (!parts.length) parts.push(make("p", { class: "quiet" }, `Nothing: ${counted(DATA.compared, "cell")} ended as before, and as fast.`));
  section("changes", "Changed since the previous run", ...parts);
}

function slowSection() {
  const timed = listing(CELLS.length).filter((index) => CELLS[index].seconds && OUTCOMES[CELLS[index].outcome].word !== "reused").sort((a, b) => CELLS[b].seconds - CELLS[a].seconds);
  if (!timed.length) return;
  const longest = CELLS[timed[0]].seconds;
  section("slowest", "Slowest cells", most(12, ["cell", ["seconds", "number"], ""], timed.slice(0, 500), (index) => {
    const bar = make("div", { class: "bar", role: "presentation" }, strip("files", CELLS[index].seconds / longest));
    return [cellLink(index), [CELLS[index].seconds.toFixed(1), "number"], bar];
  }));
}

function shared(one, other) {
  let bytes = 0;
  for (const layer of one.held) if (other.held.has(layer)) bytes += LAYERS[layer].size;
  return bytes;
}

function imagesSection() {
  if (!IMAGES.length) return;
  const total = IMAGES.reduce((sum, image) => sum + image.size, 0);
  const stored = LAYERS.reduce((sum, layer) => sum + layer.size, 0);
  const order = listing(IMAGES.length).sort((a, b) => IMAGES[b].size - IMAGES[a].size);
  const largest = Math.max(1, IMAGES[order[0]].size);
  const list = most(30, ["image", ["size", "number"], ["layers", "number roomy"], ["its own", "number roomy"], "what fills it most"], order, (index) => {
    const image = IMAGES[index];
    const bar = make("div", { class: "bar", role: "presentation" });
    const kinds = { files: 0, bytecode: 0, base: 0, other: 0 };
    for (const one of image.fills) {
      kinds[one.style] += one.files;
      kinds.bytecode += one.bytecode;
    }
    for (const [style, bytes] of Object.entries(kinds)) bar.append(strip(style, bytes / largest));
    const top = image.fills.slice(0, 4).map((one) => `${one.name} ${human(one.files + one.bytecode)}`).join(", ");
    return [opens(image.name, () => showImage(index)), [human(image.size), "number"], [String(image.layers.length), "number roomy"], [human(image.own), "number roomy"], make("div", {}, top, bar)];
  });
  const parts = [make("p", { class: "quiet" }, `${human(total)} in all, compressed${stored < total ? `; ${human(stored)} to store and to push, because layers are shared` : ""}.`), list];
  if (IMAGES.length > 1) {
    const host = make("div", { id: "sharing" });
    parts.push(make("h3", {}, "Shared between images"), make("p", { class: "quiet" }, "Of the image of the row, how much the image of the column holds too; in percent where bytes do not fit."), host);
    section("images", "Images", ...parts);
    const names = IMAGES.map((image) => image.name);
    const grid = new Grid(host, {
      id: "shared", label: "Bytes shared between images", corner: "image", rows: names, columns: names, wide: 84, narrow: 34,
      cell(row, column) {
        const [one, other] = [IMAGES[row], IMAGES[column]];
        const bytes = shared(one, other);
        const share = one.size ? bytes / one.size : 0;
        return {
          mark: row === column ? "—" : this.words ? human(bytes) : String(Math.round(share * 100)), shade: row === column ? undefined : share, style: "",
          name: row === column ? `${one.name}: ${human(one.size)}` : `${one.name} shares ${human(bytes)} (${Math.round(share * 100)}%) with ${other.name}`,
        };
      },
      open: (row) => showImage(row),
    });
    grid.show(listing(names.length), listing(names.length));
  } else {
    section("images", "Images", ...parts);
  }
}

function reasonsSection() {
  const found = new Map();
  for (const cell of CELLS) {
    if (OUTCOMES[cell.outcome].word !== "incompatible") continue;
    const rows = cell.row;
    const key = `${rows}\n${cell.reason}`;
    if (!found.has(key)) found.set(key, { row: rows, reason: cell.reason, where: [] });
    found.get(key).where.push(cell.environment);
  }
  if (!found.size) return;
  section("incompatible", "Incompatible", most(40, ["component", "why", "in"], [...found.values()], (one) => [one.row, [one.reason, "why"], one.where.join(", ")]));
}

function start() {
  document.body.classList.toggle("failing", !DATA.good);
  document.getElementById("run").textContent = `${DATA.finished.replace("T", " ").replace("+00:00", " UTC")} · images ${duration(DATA.imageSeconds)}, cells ${duration(DATA.cellSeconds)}`;
  recall();
  if (DATA.errors.length) {
    section("errors", "Errors", ...DATA.errors.map((one) => make("div", { class: "reason error" }, make("strong", {}, one.subject), facts([["what", one.what], ["why", one.why], ["next", one.hint]]))));
  }
  const apply = cellsSection();
  badSection();
  changesSection();
  slowSection();
  imagesSection();
  if (DATA.suggestions.length) section("suggestions", "Suggestions", make("ul", {}, ...DATA.suggestions.map((one) => make("li", {}, one))));
  reasonsSection();
  apply();
  const open = () => {
    const [row, environment] = chosen.cell.split("~");
    const index = CELLS.findIndex((cell) => cell.environment === environment && (cell.row === row || cell.rows.some((one) => DATA.rows[one] === row)));
    if (index >= 0) showCell(index);
  };
  if (chosen.cell) open();
  addEventListener("hashchange", () => {
    recall();
    apply();
    if (chosen.cell) open();
  });
}

start();

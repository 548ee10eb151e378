const DATA = JSON.parse(document.getElementById("data").textContent);

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null));
  return element;
}

function human(bytes) {
  let value = bytes;
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (value < 1000 || unit === "GB") return unit === "B" ? `${value} B` : `${value.toFixed(1)} ${unit}`;
    value /= 1000;
  }
}

const thousands = (number) => number.toLocaleString("en");
const duration = (seconds) => (seconds < 100 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`);
const path = (file) => file.split("/").map(encodeURIComponent).join("/");
const tell = (text) => { document.getElementById("told").textContent = text; };
const counted = (count, noun) => `${thousands(count)} ${noun}${count === 1 ? "" : "s"}`;
const listing = (count) => [...Array(count).keys()];

const OUTCOMES = DATA.outcomes.map(([word, mark, good]) => ({ word, mark, good: Boolean(good), style: `is-${word}` }));
const CELLS = DATA.cells.map(([rows, column, outcome, seconds, reason]) => ({
  rows: [].concat(rows), column, outcome, seconds, good: OUTCOMES[outcome].good,
  row: [].concat(rows).length > 1 ? component(DATA.rows[rows[0]]) : DATA.rows[[].concat(rows)[0]],
  environment: DATA.columns[column], reason: DATA.strings[reason],
}));
const LAYERS = DATA.layers.map(([size, holds]) => ({ size, holds: holds.map((one) => DATA.strings[one]), holders: 0 }));
const IMAGES = DATA.images.map(([name, digest, layers, fills]) => ({
  name, digest, layers,
  fills: fills.map(([one, version, kind, files, bytecode]) => ({
    name: DATA.strings[one], version: DATA.strings[version], style: { package: "files" }[kind] || kind, files, bytecode,
  })),
}));
for (const image of IMAGES) {
  image.held = new Set(image.layers);
  for (const layer of image.held) LAYERS[layer].holders += 1;
  image.size = image.layers.reduce((sum, layer) => sum + LAYERS[layer].size, 0);
}
for (const image of IMAGES) {
  image.own = [...image.held].reduce((sum, layer) => sum + (LAYERS[layer].holders === 1 ? LAYERS[layer].size : 0), 0);
}
const PLACES = new Map();
CELLS.forEach((cell, index) => cell.rows.forEach((row) => PLACES.set(row * DATA.columns.length + cell.column, index)));

function component(row) {
  return row.split("[")[0];
}

function badge(index) {
  const outcome = OUTCOMES[index];
  return make("span", { class: `badge ${outcome.style}` }, make("span", { class: "mark", "aria-hidden": "true" }, outcome.mark), outcome.word);
}

/* A light table; a cell is a text, an element, or [either, class]. */
function table(head, rows) {
  const cells = (tag, row) => row.map((one) => {
    const [content, style] = Array.isArray(one) ? one : [one, ""];
    return make(tag, style ? { class: style } : {}, content);
  });
  const body = make("tbody", {}, ...rows.map((row) => make("tr", {}, ...cells("td", row))));
  return make("div", { class: "scroll" }, make("table", {}, make("thead", {}, make("tr", {}, ...cells("th", head))), body));
}

function section(id, title, ...parts) {
  document.getElementById("main").append(make("section", { id }, make("h2", {}, title), ...parts));
  document.getElementById("sections").append(make("a", { href: `#${id}` }, title));
}

function opens(text, open) {
  const button = make("button", { type: "button", class: "link" }, text);
  button.addEventListener("click", open);
  return button;
}

const cellLink = (index) => opens(`${CELLS[index].row} in ${CELLS[index].environment}`, () => showCell(index));

/* The first of many, and a button for the rest. */
function most(count, head, items, row) {
  const box = make("div", {}, table(head, items.slice(0, count).map(row)));
  if (items.length > count) {
    const all = make("button", { type: "button" }, `Show all ${thousands(items.length)}`);
    all.addEventListener("click", () => box.replaceChildren(table(head, items.map(row))));
    box.append(make("p", {}, all));
  }
  return box;
}

/* What is chosen stands in the address, so that it can be sent to someone. */
const chosen = { component: "", environment: "", outcome: "", text: "", cell: "" };

function remember(change) {
  Object.assign(chosen, change);
  const told = new URLSearchParams(Object.entries(chosen).filter(([, value]) => value));
  try {
    history.replaceState(null, "", `#${told}`);
  } catch { /* some browsers refuse it for files */ }
}

function recall() {
  if (!location.hash.includes("=")) return;
  const told = new URLSearchParams(location.hash.slice(1));
  for (const name of Object.keys(chosen)) chosen[name] = told.get(name) || "";
}

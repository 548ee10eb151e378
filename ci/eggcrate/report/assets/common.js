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

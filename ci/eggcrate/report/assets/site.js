(() => {
"use strict";
const DATA = JSON.parse(document.getElementById("data").textContent);
const MOST = 30;
const box = document.getElementById("search");
const found = document.getElementById("found");
const answer = document.getElementById("answer");
const normal = (name) => name.toLowerCase().replace(/[-_.]+/g, "-");
const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/* Versions and specifiers as https://packaging.python.org/en/latest/specifications/version-specifiers/ */
const VERSION = /^v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?(\d*))?(?:-(\d+)|[-_.]?(post|rev|r)[-_.]?(\d*))?(?:[-_.]?(dev)[-_.]?(\d*))?(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$/i;
const STAGES = { a: 0, alpha: 0, b: 1, beta: 1, c: 2, rc: 2, pre: 2, preview: 2 };

function parse(text) {
  const match = VERSION.exec(text.trim());
  if (!match) return null;
  const [, epoch, release, stage, stageNumber, bare, post, postNumber, dev, devNumber, local] = match;
  const numbers = release.split(".").map(Number);
  const pre = stage ? [STAGES[stage.toLowerCase()], Number(stageNumber || 0)] : null;
  const after = bare !== undefined ? Number(bare) : post ? Number(postNumber || 0) : null;
  const before = dev ? Number(devNumber || 0) : null;
  return { epoch: Number(epoch || 0), numbers, pre, post: after, dev: before,
    local: local ? local.toLowerCase().split(/[-_.]/) : null };
}

function compare(one, other, wholly = false) {
  const steps = [[one.epoch, other.epoch]];
  for (let place = 0; place < Math.max(one.numbers.length, other.numbers.length); place += 1) {
    steps.push([one.numbers[place] || 0, other.numbers[place] || 0]);
  }
  const stage = (version) => version.pre || (version.post === null && version.dev !== null ? [-1, 0] : [3, 0]);
  const [mine, theirs] = [stage(one), stage(other)];
  steps.push([mine[0], theirs[0]], [mine[1], theirs[1]]);
  steps.push([one.post ?? -1, other.post ?? -1], [one.dev ?? Infinity, other.dev ?? Infinity]);
  for (const [left, right] of steps) if (left !== right) return left < right ? -1 : 1;
  return wholly ? compareLocal(one.local, other.local) : 0;
}

function compareLocal(one, other) {
  if (!one || !other) return (one ? 1 : 0) - (other ? 1 : 0);
  for (let place = 0; place < Math.max(one.length, other.length); place += 1) {
    const [left, right] = [one[place], other[place]];
    if (left === right) continue;
    if (left === undefined || right === undefined) return left === undefined ? -1 : 1;
    const numeric = [left, right].map((part) => /^\d+$/.test(part));
    if (numeric[0] !== numeric[1]) return numeric[0] ? 1 : -1;
    if (numeric[0]) { if (Number(left) !== Number(right)) return Number(left) < Number(right) ? -1 : 1; }
    else return left < right ? -1 : 1;
  }
  return 0;
}

const sameRelease = (one, numbers) => numbers.every((number, place) => (one.numbers[place] || 0) === number);
const base = (version) => ({ ...version, pre: null, post: null, dev: null, local: null });

/* Whether a version is in one clause, such as >=2; null when the clause cannot be understood. */
function inClause(text, operator, wanted) {
  if (operator === "===") return text.toLowerCase() === wanted.toLowerCase();
  const starred = wanted.endsWith(".*");
  if (starred && operator !== "==" && operator !== "!=") return null;
  const version = parse(text);
  const limit = parse(starred ? wanted.slice(0, -2) : wanted);
  if (!limit || (limit.local && operator !== "==" && operator !== "!=")) return null;
  if (!version) return false;
  if (starred) {
    if (limit.dev !== null || limit.local) return null;
    let same = version.epoch === limit.epoch && sameRelease(version, limit.numbers);
    if (same && limit.pre) same = Boolean(version.pre) && compare({ ...base(limit), pre: version.pre }, { ...base(limit), pre: limit.pre }) === 0;
    if (same && limit.post !== null) same = version.post === limit.post;
    return (operator === "==") === same;
  }
  const order = compare(version, limit, Boolean(limit.local));
  switch (operator) {
    case "==": return order === 0;
    case "!=": return order !== 0;
    case "<=": return order <= 0;
    case ">=": return order >= 0;
    case "<": {
      const early = version.pre || version.dev !== null;
      const limitEarly = limit.pre || limit.dev !== null;
      const final = { ...version, pre: null, dev: null };
      return order < 0 && !(early && !limitEarly && compare(final, limit) === 0);
    }
    case ">": {
      const same = compare({ ...version, post: null, dev: null }, limit) === 0;
      return order > 0 && !(version.post !== null && limit.post === null && same);
    }
    case "~=": {
      if (limit.numbers.length < 2) return null;
      return order >= 0 && version.epoch === limit.epoch && sameRelease(version, limit.numbers.slice(0, -1));
    }
    default: return null;
  }
}

const CLAUSE = /^(===|==|~=|!=|<=|>=|<|>)(.+)$/;

function allows(specifier, version) {
  for (const part of specifier.split(",").map((one) => one.trim()).filter(Boolean)) {
    const match = CLAUSE.exec(part);
    const told = match && inClause(version, match[1], match[2]);
    if (told === null || told === undefined) return null;
    if (!told) return false;
  }
  return true;
}

/* "pandas >= 2, < 3 pyarrow" as names with specifiers; null when it is none. */
function read(text) {
  const close = text.trim().replace(/\s*(===|==|~=|!=|<=|>=|<|>|,)\s*/g, "$1");
  const parts = close ? close.split(/\s+/) : [];
  const told = parts.map((part) => /^([A-Za-z0-9][A-Za-z0-9._-]*?)(?:\[[^\]]*\])?((?:===|==|~=|!=|<=|>=|<|>).*)?$/.exec(part));
  if (told.some((match) => !match)) return null;
  const queries = told.map((match) => ({ name: normal(match[1]), specifier: match[2] || "" }));
  return queries.some((query) => allows(query.specifier, "1") === null) ? null : queries;
}

function table(head, rows) {
  const cells = (row) => row.map((one, place) => (place ? make("td", {}, one) : make("th", { scope: "row" }, one)));
  const body = make("tbody", {}, ...rows.map((row) => make("tr", {}, ...cells(row))));
  const heads = make("tr", {}, ...head.map((one) => make("th", { scope: "col" }, one)));
  return make("div", { class: "scroll" }, make("table", {}, make("thead", {}, heads), body));
}

const linked = (name) => make("a", { href: `environments/${encodeURIComponent(name)}.html` }, name);
const held = ([, version, direct]) => `${version}${direct ? " (direct)" : ""}`;

function holders(queries) {
  const maps = queries.map(({ name }) => new Map((DATA.packages[name] || []).map((one) => [one[0], one])));
  const everyone = DATA.environments.map((_, place) => place).filter((place) => maps.every((map) => map.has(place)));
  const fits = (place) => queries.every(({ specifier }, number) => allows(specifier, maps[number].get(place)[1]));
  const matching = everyone.filter(fits);
  const others = everyone.filter((place) => !fits(place));
  const row = (place) => [linked(DATA.environments[place]), ...maps.map((map) => held(map.get(place)))];
  const head = ["environment", ...queries.map(({ name }) => name)];
  const asked = queries.map(({ name, specifier }) => name + specifier).join(" and ");
  const total = DATA.environments.length;
  found.textContent = `${matching.length} of ${counted(total, "environment")} ${matching.length === 1 ? "holds" : "hold"} ${asked}`
    + (others.length ? `; ${counted(others.length, "other")} in another version` : "");
  const parts = matching.length ? [table(head, matching.map(row))] : [];
  if (others.length) {
    const list = table(head, others.map(row));
    parts.push(make("details", matching.length ? {} : { open: "" }, make("summary", {}, "In another version"), list));
  }
  return parts;
}

/* Packages whose names hold the text. */
function names(text) {
  const close = Object.keys(DATA.packages).filter((name) => name.includes(text)).sort((a, b) => a.indexOf(text) - b.indexOf(text) || (a < b ? -1 : 1));
  if (!close.length) {
    found.textContent = `No environment holds ${text}, and no package is called like it.`;
    return [];
  }
  found.textContent = `No package is called ${text}; ${counted(close.length, "package")} ${close.length === 1 ? "has" : "have"} it in the name`;
  const rows = close.slice(0, MOST).map((name) => {
    const button = make("button", { type: "button", class: "link" }, name);
    button.addEventListener("click", () => { box.value = name; box.focus(); search(); });
    const versions = [...new Set(DATA.packages[name].map(([, version]) => version))];
    return [button, counted(DATA.packages[name].length, "environment"), versions.join(", ")];
  });
  return [table(["package", "held by", "versions"], rows)];
}

function search() {
  const text = box.value.trim();
  const queries = read(text);
  found.textContent = "";
  if (!text) answer.replaceChildren();
  else if (!queries) {
    found.textContent = "Write a package, or several, each with versions if you like: protobuf<4, numpy==2.*";
    answer.replaceChildren();
  } else {
    const unknown = queries.find(({ name }) => !DATA.packages[name]);
    answer.replaceChildren(...(unknown ? names(unknown.name) : holders(queries)));
  }
  try {
    history.replaceState(null, "", text ? `#q=${encodeURIComponent(text)}` : location.pathname);
  } catch { /* some browsers refuse it for files */ }
}

function recall() {
  const match = /^#q=(.*)$/.exec(location.hash);
  if (!match) return;
  try { box.value = decodeURIComponent(match[1]); } catch { return; }
  search();
}

box.addEventListener("input", search);
window.addEventListener("hashchange", recall);
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== box) { event.preventDefault(); box.focus(); }
  if (event.key === "Escape" && document.activeElement === box) { box.value = ""; search(); }
});
recall();
window.eggcrateAllows = allows;
})();

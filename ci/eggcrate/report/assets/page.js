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

const cellLink = (index) => opens(`${CELLS[index].row} in ${CELLS[index].environment}`, () => showCell(index));

/* What is chosen stands in the address, so that it can be sent to someone. */
const chosen = { component: "", environment: "", outcome: "", text: "", cell: "" };
const OPENED = "cell";

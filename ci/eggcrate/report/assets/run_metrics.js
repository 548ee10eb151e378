/* Artifacts that can be looked at here: metrics, curves, matrices, HTML, Markdown. */
const figure = (value) => (typeof value !== "number" ? JSON.stringify(value) : Number.isInteger(value) ? thousands(value) : String(Number(value.toPrecision(5))));
const plainText = (value) => (typeof value === "string" ? value : figure(value));

function roc(points) {
  const list = (Array.isArray(points) ? points : []).filter((one) => one && Number.isFinite(one.falsePositiveRate) && Number.isFinite(one.recall));
  if (!list.length) return null;
  const places = list.map((one) => [one.falsePositiveRate, one.recall]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const whole = [[0, 0], ...places, [1, 1]];
  let area = 0;
  for (let at = 1; at < whole.length; at += 1) area += (whole[at][0] - whole[at - 1][0]) * (whole[at][1] + whole[at - 1][1]) / 2;
  const x = (value) => 34 + Math.min(1, Math.max(0, value)) * 216;
  const y = (value) => 226 - Math.min(1, Math.max(0, value)) * 216;
  const told = `ROC curve of ${list.length} points, area under it ${area.toFixed(3)}`;
  const svg = drawn("svg", { class: "roc", width: 264, height: 262, viewBox: "0 0 264 262", role: "img", "aria-label": told });
  svg.append(drawn("rect", { class: "axis", x: 34, y: 10, width: 216, height: 216 }), drawn("line", { class: "chance", x1: x(0), y1: y(0), x2: x(1), y2: y(1) }), drawn("polyline", { class: "curve", points: whole.map(([a, b]) => `${x(a)},${y(b)}`).join(" ") }));
  svg.append(drawn("text", { x: 34, y: 242 }, "0"), drawn("text", { x: 245, y: 242 }, "1"), drawn("text", { x: 22, y: 16 }, "1"), drawn("text", { x: 96, y: 256 }, "false positive rate"), drawn("text", { x: 14, y: 165, transform: "rotate(-90 14 165)" }, "true positive rate"));
  return make("div", {}, make("h4", {}, "ROC curve"), svg, make("p", { class: "quiet" }, `area under the curve ${area.toFixed(3)}`));
}

function confusion(matrix) {
  if (!matrix || !Array.isArray(matrix.annotationSpecs) || !Array.isArray(matrix.rows)) return null;
  const names = matrix.annotationSpecs.map((one) => String((one && one.displayName) ?? ""));
  const rows = matrix.rows.map((one) => (one && Array.isArray(one.row) ? one.row : []));
  const largest = Math.max(1, ...rows.flat().filter(Number.isFinite));
  const body = table(["is / was told", ...names.map((name) => [name, "number"])], rows.map((row, at) => [names[at] || "", ...row.map((value) => [plainText(value), "number"])]));
  body.classList.add("matrix");
  [...body.querySelectorAll("tbody tr")].forEach((line, row) => [...line.children].slice(1).forEach((cell, column) => {
    const share = Number.isFinite(rows[row][column]) ? Math.max(0, rows[row][column]) / largest : 0;
    cell.style.background = `color-mix(in srgb, var(${row === column ? "--good" : "--bad"}) ${Math.round(share * 30)}%, var(--sheet))`;
  }));
  return make("div", {}, make("h4", {}, "Confusion matrix"), body);
}

function classification(metadata) {
  const parts = [roc(metadata.confidenceMetrics), confusion(metadata.confusionMatrix)].filter(Boolean);
  return parts.length ? [make("div", { class: "two" }, ...parts)] : [];
}

function pairs(metadata) {
  const rows = Object.entries(metadata).map(([name, value]) => [name, [plainText(value), "number"]]);
  return rows.length ? [table(["metric", ["value", "number"]], rows)] : [];
}

function framed(artifact) {
  const frame = make("iframe", { sandbox: "", title: `${artifact.name}, as its task wrote it`, loading: "lazy" });
  frame.srcdoc = artifact.content;
  return [frame, make("p", { class: "quiet" }, "Scripts do not run here and nothing is loaded: ", artifactLink(artifact), ".")];
}

function sliced(metadata) {
  return (Array.isArray(metadata.evaluationSlices) ? metadata.evaluationSlices : []).flatMap((one) => {
    const inner = (one && one.sliceClassificationMetrics) || {};
    const box = make("details", {}, make("summary", {}, `Slice ${plainText((one && one.slice) ?? "")}`), ...classification(inner));
    return [box];
  });
}

function shownArtifact(artifact) {
  const metadata = artifact.metadata || {};
  let parts = [];
  if (artifact.type === "system.Metrics") parts = pairs(metadata);
  else if (artifact.type === "system.ClassificationMetrics") parts = classification(metadata);
  else if (artifact.type === "system.SlicedClassificationMetrics") parts = sliced(metadata);
  else if (artifact.content !== undefined && artifact.type === "system.HTML") parts = framed(artifact);
  else if (artifact.content !== undefined) parts = [make("pre", { class: "words", tabindex: 0, "aria-label": artifact.name }, artifact.content)];
  else parts = Object.keys(metadata).length ? [table(["metadata", "value"], Object.entries(metadata).map(([name, value]) => [name, plainText(value)]))] : [];
  return titled(artifact.name, parts);
}

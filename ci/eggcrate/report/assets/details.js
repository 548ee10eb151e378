/* What the panel shows of a cell, and of an image. */
function showCell(index) {
  const cell = CELLS[index];
  const more = DATA.more[index] || {};
  const [before, then] = more.before || [];
  const proofs = more.proofs || [];
  remember({ cell: `${cell.row}~${cell.environment}` });
  const parts = [
    make("p", {}, badge(cell.outcome)),
    cell.reason ? make("p", { class: "reason" }, cell.reason) : null,
    OUTCOMES[cell.outcome].word === "reused" ? make("p", { class: "reason" }, "It passed before, with everything that it depends on as it is now. Its output was not kept.") : null,
    facts([
      ["duration", cell.seconds ? duration(cell.seconds) : ""],
      ["before", before === undefined ? "" : `${OUTCOMES[before].word}${then ? `, ${duration(then)}` : ""}`],
      ["run", [more.date, more.runtime && `in the ${more.runtime} runtime`].filter(Boolean).join(", ")],
      ["attempts", more.attempts > 1 ? more.attempts : ""],
      ["exit code", more.exit], ["signal", signal(more.signal)],
      ["memory", memory(more.peak, more.limit)],
      ["image", more.image ? make("code", {}, more.image) : ""],
    ]),
    more.command ? make("div", {}, make("h3", {}, "Run it again"), command(more.command)) : null,
    ...(more.earlier ? [make("h3", {}, "Earlier attempts")] : []),
    ...proofs.slice(0, more.earlier || 0).map((proof) => showProof(proof, more.file)),
    ...(more.earlier ? [make("h3", {}, "Last attempt")] : []),
    ...proofs.slice(more.earlier || 0).map((proof) => showProof(proof, more.file)),
    ...(more.log || more.cut ? [make("h3", {}, "Output"), ...log(more.log, more.cut, more.file)] : []),
  ];
  openPanel(`${cell.row} in ${cell.environment}`, cell.good ? "" : "not-good", parts);
}

const signal = (number) => (number ? `${number}${SIGNALS[number] ? ` (${SIGNALS[number]})` : ""}` : "");

function showProof(proof, file) {
  const outcome = OUTCOMES[proof.outcome];
  const box = make("details", {}, make("summary", {}, make("strong", {}, proof.name), " ", badge(proof.outcome), ` ${duration(proof.seconds)}`));
  box.open = !outcome.good || proof.open;
  if (proof.reason) box.append(make("p", { class: "reason" }, proof.reason));
  box.append(facts([["exit code", proof.exit], ["signal", signal(proof.signal)], ["memory", memory(proof.peak, proof.limit)]]));
  box.append(...log(proof.log, proof.cut, file));
  return box;
}

const KINDS = [["files", "files"], ["bytecode", "bytecode"], ["base", "system packages"]];

function showImage(index) {
  const image = IMAGES[index];
  const largest = image.fills.length ? image.fills[0].files + image.fills[0].bytecode : 1;
  const rows = image.fills.map((one) => {
    const bar = make("div", { class: "bar", role: "presentation" });
    bar.append(strip(one.style, one.files / largest), strip("bytecode", one.bytecode / largest));
    return [`${one.name} ${one.version}`, [human(one.files + one.bytecode), "number"], [one.bytecode ? human(one.bytecode) : "", "number"], bar];
  });
  const layers = image.layers.map((layer) => [
    [human(LAYERS[layer].size), "number"],
    [LAYERS[layer].holders > 1 ? `${LAYERS[layer].holders} images` : "this image only", "whole"],
    [LAYERS[layer].holds.join(", ") || "made elsewhere", "why"],
  ]);
  const legend = make("p", { class: "quiet" });
  for (const [style, word] of KINDS) legend.append(make("span", { class: "key" }, make("i", { class: style }), word));
  openPanel(image.name, "", [
    facts([
      ["size", `${human(image.size)} compressed, in ${image.layers.length} layers`],
      ["its own", `${human(image.own)} that no other image here holds`],
      ["digest", make("code", {}, image.digest)],
    ]),
    make("h3", {}, "What fills it"), legend,
    table(["package", ["size", "number"], ["of it bytecode", "number"], ""], rows),
    make("h3", {}, "Layers"),
    table([["size", "number"], "held by", "holds"], layers),
  ]);
}

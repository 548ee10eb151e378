/* The panel that opens for a cell or an image. */
const panel = document.getElementById("details");
let opener = null;

function openPanel(title, style, parts) {
  const close = make("button", { type: "button", "aria-label": "Close" }, "✕ Close");
  close.addEventListener("click", () => panel.close());
  const heading = make("h2", { id: "details-title" }, title);
  panel.className = style;
  panel.replaceChildren(make("div", { class: "top" }, heading, close), ...parts.filter(Boolean));
  if (!panel.open) {
    opener = document.activeElement;
    panel.showModal();
  }
  panel.scrollTop = 0;
}

panel.addEventListener("close", () => {
  remember({ cell: "" });
  if (opener) opener.focus({ preventScroll: true });
});
panel.addEventListener("click", (event) => {
  if (event.target === panel && event.clientX < panel.getBoundingClientRect().left) panel.close();
});

const SIGNALS = { 1: "SIGHUP", 2: "SIGINT", 4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV", 13: "SIGPIPE", 15: "SIGTERM" };

function facts(pairs) {
  const list = make("dl", {});
  for (const [name, value] of pairs) {
    if (value === null || value === undefined || value === "") continue;
    list.append(make("dt", {}, name), make("dd", {}, value));
  }
  return list;
}

function memory(peak, limit) {
  if (!peak) return limit ? `limit ${human(limit)}` : "";
  if (!limit) return `at most ${human(peak)}`;
  const share = peak / limit;
  const bar = make("div", { class: "bar", role: "img", "aria-label": `${Math.round(share * 100)}% of the limit` });
  bar.append(strip(share > 0.9 ? "over" : "files", share));
  return make("span", {}, `at most ${human(peak)} of ${human(limit)} (${Math.round(share * 100)}%)`, bar);
}

function strip(style, share) {
  const part = make("i", { class: style });
  part.style.width = `${Math.min(100, share * 100)}%`;
  return part;
}

function command(text) {
  const button = make("button", { type: "button" }, "Copy");
  const code = make("code", { tabindex: 0 }, text);
  button.addEventListener("click", async () => {
    let copied = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      getSelection().selectAllChildren(code);
      copied = document.execCommand("copy");
    }
    button.textContent = copied ? "Copied" : "Press Ctrl+C";
    tell(button.textContent);
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  return make("div", { class: "command" }, code, button);
}

/* A log as text, never as markup; the lines that pytest marks as errors stand out. */
function log(text, cut, file) {
  const parts = [];
  if (cut) {
    const link = file ? make("a", { href: path(file) }, file) : "the log";
    parts.push(make("p", { class: "quiet" }, text ? `${thousands(cut)} characters before this are left out here; all of it is in ` : "The log is left out here; it is in ", link, "."));
  }
  if (text) {
    const pre = make("pre", { tabindex: 0, "aria-label": "Output" });
    for (const line of text.split(/(?<=\n)/)) {
      pre.append(/^(E  |E$|FAILED |ERROR )/.test(line) ? make("span", { class: "error" }, line) : line);
    }
    parts.push(pre);
  }
  return parts;
}

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

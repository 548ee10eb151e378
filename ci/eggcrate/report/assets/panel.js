/* The panel that opens for a cell, an image or a task. */
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
  remember({ [OPENED]: "" });
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

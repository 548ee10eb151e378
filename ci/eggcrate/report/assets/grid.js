/* A grid of which only what is seen is drawn. One element has the focus, as the ARIA pattern
   for grids allows: https://www.w3.org/WAI/ARIA/apg/patterns/grid/ (aria-activedescendant). */
const TALL = 30;

class Grid {
  /* options: id, label, rows, columns (names), wide (pixels of a cell with words), narrow,
     cell(row, column) -> {mark, text, style, name, faded, shade} or null, open(row, column). */
  constructor(host, options) {
    Object.assign(this, options);
    this.host = host;
    this.shown = [[], []];
    this.at = [0, 0];
    host.className = "grid";
    host.tabIndex = 0;
    host.setAttribute("role", "grid");
    host.setAttribute("aria-label", this.label);
    this.sheet = host.appendChild(make("div", { class: "sheet", role: "presentation" }));
    host.addEventListener("scroll", () => this.later());
    host.addEventListener("keydown", (event) => this.key(event));
    host.addEventListener("click", (event) => {
      const place = event.target.closest("[data-place]");
      if (!place) return;
      this.at = place.dataset.place.split(",").map(Number);
      this.draw(true);
      this.enter();
    });
    host.addEventListener("pointerover", (event) => {
      const cell = event.target.closest(".cell");
      if (cell) cell.title = cell.getAttribute("aria-label");
    });
    new ResizeObserver(() => this.measure()).observe(host.parentElement);
  }

  /* Pixels that the longest of some names takes. */
  longest(names, style) {
    this.pen ??= document.createElement("canvas").getContext("2d");
    const pen = this.pen;
    pen.font = `${style} ${getComputedStyle(document.body).fontFamily}`;
    return Math.max(0, ...names.map((name) => pen.measureText(name).width));
  }

  show(rows, columns) {
    this.shown = [rows, columns];
    this.at = [0, 0];
    this.host.setAttribute("aria-rowcount", rows.length + 1);
    this.host.setAttribute("aria-colcount", columns.length + 1);
    this.measure();
    this.host.scrollTo(0, 0);
  }

  measure() {
    const [rows, columns] = this.shown;
    const width = this.host.parentElement.clientWidth - 2;
    const names = this.longest([this.corner, ...rows.map((row) => this.rows[row])], "14px");
    this.side = Math.ceil(Math.min(names + 22, Math.max(120, width * 0.36), 360));
    const share = Math.floor((width - this.side) / Math.max(1, columns.length));
    this.words = share >= this.wide;
    this.step = this.words ? Math.min(share, this.wide * 1.6) : Math.max(this.narrow, Math.min(share, 48));
    const name = this.longest(columns.map((column) => this.columns[column]), "600 12px") + 16;
    this.upright = name > this.step;
    this.top = this.upright ? Math.min(name, 190) : 34;
    this.sheet.style.width = `${this.side + this.step * columns.length}px`;
    this.host.style.maxWidth = `${this.side + this.step * columns.length + 2}px`;
    this.sheet.style.height = `${this.top + TALL * rows.length}px`;
    this.draw(true);
  }

  /* A name that does not fit keeps its ends: they tell names apart. */
  squeezed(name) {
    const width = this.longest([name], "14px");
    if (width <= this.side - 21) return name;
    const keep = Math.floor((name.length * (this.side - 24)) / width) - 2;
    const head = Math.max(1, Math.floor(keep / 2));
    return `${name.slice(0, head)}…${name.slice(name.length - Math.max(1, keep - head))}`;
  }

  later() {
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = 0;
      this.draw(false);
    });
  }

  /* Rows and columns that are seen, and a few more in steps, so that few scrolls draw anew. */
  range() {
    const span = (from, size, unit, count) => {
      const first = Math.max(0, Math.floor(from / unit / 4) * 4 - 4);
      return [first, Math.min(count, Math.ceil((from + size) / unit / 4) * 4 + 4)];
    };
    const { scrollTop, scrollLeft, clientHeight, clientWidth } = this.host;
    const height = Math.max(clientHeight, Math.min(innerHeight, this.top + TALL * this.shown[0].length));
    return [
      ...span(scrollTop, height, TALL, this.shown[0].length),
      ...span(scrollLeft, clientWidth, this.step, this.shown[1].length),
    ];
  }

  draw(anew) {
    const range = this.range();
    if (!anew && String(range) === this.drawn) return;
    this.drawn = String(range);
    const [top, bottom, left, right] = range;
    if (anew) this.lines = new Map();
    const lines = new Map();
    for (let r = top; r < bottom; r++) {
      const line = this.lines.get(r) || this.line(r);
      this.fill(line, r, left, right);
      lines.set(r, line);
    }
    if (anew) {
      this.sheet.replaceChildren(this.head(left, right), ...lines.values());
    } else {
      this.sheet.firstChild.replaceWith(this.head(left, right));
      for (const [r, line] of this.lines) if (!lines.has(r)) line.remove();
      const first = [...lines.keys()].find((r) => this.lines.has(r));
      for (const [r, line] of lines) {
        if (this.lines.has(r)) continue;
        if (first !== undefined && r < first) this.sheet.insertBefore(line, lines.get(first));
        else this.sheet.append(line);
      }
    }
    this.lines = lines;
    this.mark();
  }

  head(left, right) {
    const head = make("div", { class: this.upright ? "head upright" : "head", role: "row", "aria-rowindex": 1 });
    head.style.height = `${this.top}px`;
    const corner = head.appendChild(make("div", { class: "corner", role: "columnheader", "aria-colindex": 1 }));
    corner.style.width = `${this.side}px`;
    corner.append(make("span", { class: "unseen" }, this.corner));
    for (let c = left; c < right; c++) {
      const name = this.columns[this.shown[1][c]];
      const column = make("div", { class: "columnhead", role: "columnheader", "aria-colindex": c + 2, title: name }, make("span", {}, name));
      this.place(column, c, this.top);
      head.append(column);
    }
    return head;
  }

  line(r) {
    const name = this.rows[this.shown[0][r]];
    const line = make("div", { class: "row", role: "row", "aria-rowindex": r + 2 });
    line.style.cssText = `top:${this.top + r * TALL}px;height:${TALL}px;width:100%;--tall:${TALL}px`;
    const head = make("div", { class: "rowhead", role: "rowheader", "aria-colindex": 1, title: name, "aria-label": name }, this.squeezed(name));
    head.style.width = `${this.side}px`;
    line.append(head);
    line.from = line.to = 0;
    return line;
  }

  /* Have a line hold the cells from `left` up to `right`; those that it has stay. */
  fill(line, r, left, right) {
    const kept = left < line.to && line.from < right;
    while (line.children.length > 1 && (!kept || line.from < left)) {
      line.children[1].remove();
      line.from += 1;
    }
    while (line.children.length > 1 && line.to > right) {
      line.lastChild.remove();
      line.to -= 1;
    }
    if (line.children.length === 1) line.from = line.to = left;
    for (; line.from > left; line.from--) line.firstChild.after(this.drawCell(r, line.from - 1));
    for (; line.to < right; line.to++) line.append(this.drawCell(r, line.to));
  }

  drawCell(r, c) {
    const found = this.cell(this.shown[0][r], this.shown[1][c]);
    const cell = make("div", { class: "cell", role: "gridcell", "aria-colindex": c + 2, id: `${this.id}-${r}-${c}`, "data-place": `${r},${c}` });
    cell.setAttribute("aria-label", found ? found.name : "nothing here");
    this.place(cell, c, TALL);
    if (!found) return cell;
    const inner = make("span", { class: found.style + (found.faded ? " faded" : "") }, found.mark);
    if (this.words && found.text) inner.append(make("small", {}, found.text));
    if (found.shade !== undefined) {
      inner.style.background = `color-mix(in srgb, var(--files) ${Math.round(found.shade * 70)}%, transparent)`;
    }
    cell.append(inner);
    return cell;
  }

  place(element, column, height) {
    element.style.left = `${this.side + column * this.step}px`;
    element.style.width = `${this.step}px`;
    element.style.height = `${height}px`;
  }

  mark() {
    for (const old of this.sheet.querySelectorAll(".current")) {
      old.classList.remove("current");
      old.removeAttribute("aria-selected");
    }
    const cell = document.getElementById(`${this.id}-${this.at[0]}-${this.at[1]}`);
    if (!cell) return this.host.removeAttribute("aria-activedescendant");
    cell.classList.add("current");
    cell.setAttribute("aria-selected", "true");
    this.host.setAttribute("aria-activedescendant", cell.id);
  }

  go(r, c) {
    const [rows, columns] = this.shown;
    const within = (value, count) => Math.max(0, Math.min(count - 1, value));
    this.at = [within(r, rows.length), within(c, columns.length)];
    const y = this.at[0] * TALL;
    const x = this.at[1] * this.step;
    const seen = this.host.clientHeight - this.top - TALL;
    const across = this.host.clientWidth - this.side - this.step;
    const { scrollTop, scrollLeft } = this.host;
    this.host.scrollTo(
      scrollLeft > x ? x : Math.max(scrollLeft, x - across),
      scrollTop > y ? y : Math.max(scrollTop, y - seen),
    );
    this.draw(false);
    this.mark();
  }

  /* The next place, row by row, for which `wanted` holds. */
  seek(wanted, step) {
    const [rows, columns] = this.shown;
    const count = rows.length * columns.length;
    let place = this.at[0] * columns.length + this.at[1];
    for (let tried = 0; tried < count; tried++) {
      place = (place + step + count) % count;
      const [r, c] = [Math.floor(place / columns.length), place % columns.length];
      if (wanted(rows[r], columns[c])) return this.go(r, c);
    }
  }

  enter() {
    const [rows, columns] = this.shown;
    if (rows.length && columns.length) this.open(rows[this.at[0]], columns[this.at[1]]);
  }

  key(event) {
    const [r, c] = this.at;
    const page = Math.max(1, Math.floor(this.host.clientHeight / TALL) - 3);
    const far = 1e9;
    const ends = event.ctrlKey || event.metaKey;
    const moves = {
      ArrowUp: [r - 1, c], ArrowDown: [r + 1, c], ArrowLeft: [r, c - 1], ArrowRight: [r, c + 1],
      PageUp: [r - page, c], PageDown: [r + page, c],
      Home: ends ? [0, 0] : [r, 0], End: ends ? [far, far] : [r, far],
    };
    if (event.altKey || (ends && !["Home", "End"].includes(event.key))) return;
    if (moves[event.key]) this.go(...moves[event.key]);
    else if (event.key === "Enter" || event.key === " ") this.enter();
    else if (this.bad && (event.key === "n" || event.key === "p")) this.seek(this.bad, event.key === "n" ? 1 : -1);
    else return;
    event.preventDefault();
  }
}

/* The graph: places are computed; here it is drawn, from left to right where that fits. */
function drawn(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function shortened(text, room) {
  const letters = [...text];
  return letters.length <= room ? text : `${letters.slice(0, room - 1).join("")}…`;
}

function way(points) {
  const horizontal = points.length > 1 && DATA.flow === 1;
  let told = `M${points[0]}`;
  for (let at = 1; at < points.length; at += 1) {
    const [x0, y0] = points[at - 1];
    const [x1, y1] = points[at];
    if (at % 2) told += `L${x1},${y1}`;
    else if (horizontal) told += `C${(x0 + x1) / 2},${y0} ${(x0 + x1) / 2},${y1} ${x1},${y1}`;
    else told += `C${x0},${(y0 + y1) / 2} ${x1},${(y0 + y1) / 2} ${x1},${y1}`;
  }
  return told;
}

function box([name, x, y, width, height]) {
  const stack = DATA.stacks[name];
  const task = stack ? { id: name, name, state: worst(stack.map((one) => TASKS[one].state)) } : TASKS[PLACES.get(name)];
  const bad = stack ? stack.filter((one) => BAD.has(TASKS[one].state)).length : 0;
  const title = task.kind === "iteration" ? task.id.split("/").pop() : task.name || task.id;
  const after = stack ? bad ? `${stack.length} times, ${bad} not good` : `${stack.length} iterations` : [task.state || "unknown", seconds(task.seconds)].filter(Boolean).join(", ");
  const element = drawn("g", { class: `box is-${known(task.state)}${stack ? " stack" : ""}`, tabindex: 0, role: "button", "aria-label": `${task.id}: ${after}`, "data-task": name, transform: `translate(${x},${y})` });
  if (stack) element.append(drawn("rect", { class: "behind", x: 5, y: 5, width, height, rx: 8 }));
  element.append(drawn("title", {}, `${task.id}: ${after}`), drawn("rect", { class: "frame", width, height, rx: 8 }), drawn("circle", { class: "light", cx: 20, cy: 24, r: 12 }), drawn("text", { class: "sign", x: 20, y: 29 }, SIGNS[task.state] || "?"));
  const room = Math.floor((width - 48) / 7.4);
  element.append(drawn("text", { x: 40, y: 21 }, shortened(title, room)), drawn("text", { class: "state", x: 40, y: 38 }, shortened(after, Math.floor(room * 1.1))));
  const open = () => (stack ? showStack(name) : showTask(PLACES.get(name)));
  element.addEventListener("click", open);
  element.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      open();
    }
  });
  return element;
}

function drawGraph(host) {
  const room = host.clientWidth - 34;
  DATA.flow = DATA.graphs[1].size[0] <= room ? 1 : 0;
  const { size: [width, height], boxes, edges } = DATA.graphs[DATA.flow];
  const groups = new Set(TASKS.map((task) => task.parent).filter((name) => boxes.some(([one]) => one === name)));
  const scale = Math.max(.8, Math.min(1, room / width));
  const svg = drawn("svg", { width: (width + 32) * scale, height: (height + 32) * scale, viewBox: `-16 -16 ${width + 32} ${height + 32}`, role: "group", "aria-label": "Tasks of the run" });
  const marker = drawn("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, drawn("path", { d: "M0,0L8,4L0,8z", fill: "context-stroke" }));
  svg.append(drawn("defs", {}, marker));
  // Groups come before what is in them, and edges are on top of groups.
  const frames = boxes.filter(([name]) => groups.has(name)).sort((a, b) => b[3] * b[4] - a[3] * a[4]);
  svg.append(...frames.map((one) => box(one)));
  for (const [, , points] of edges) svg.append(drawn("path", { class: "edge", d: way(points), "marker-end": "url(#arrow)" }));
  svg.append(...boxes.filter(([name]) => !groups.has(name)).map((one) => box(one)));
  host.replaceChildren(svg);
  if (boxes.length) host.scrollLeft = (boxes[0][1] + boxes[0][3] / 2 + 16) * scale - host.clientWidth / 2;
}

function graphSection() {
  const host = make("div", { class: "graph" });
  section("graph", "Graph", make("p", { class: "quiet" }, "Choose a task for its inputs, outputs and log."), host);
  drawGraph(host);
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth !== width) drawGraph(host);
    width = innerWidth;
  });
}

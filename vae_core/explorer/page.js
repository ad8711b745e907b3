const CELLS = 20, STRIP = 9;  // images across the manifold, of square ones, and between two pins
const COLUMNS = Math.round(CELLS * Math.sqrt(HEIGHT / WIDTH)), ROWS = Math.round(CELLS * Math.sqrt(WIDTH / HEIGHT));
const NEAR = 12;  // pixels within which a code is at the point
const CELL_MILLISECONDS = 10;  // of every frame that the manifold may take, so that the pointer stays at the screen's rate
const QUIET_MILLISECONDS = 300;  // before a screen reader is told: it should not be told of every step of a held key
const element = (id) => document.getElementById(id);
const plane = element("plane"), manifold = element("manifold"), slider = element("weight");
const visible = data.class_colors.map(() => true);  // without classes all codes have one colour
const codes = document.createElement("canvas");  // the plane without the point, which changes more often
let labels, originals;  // (N,), (N, pixels)
let now, view = fitPrior(), point = [0, 0], pins = [];
let manifoldDrawing = 0;  // the number of the present one: those begun before it stop

// ---- what is to be seen

function drawPlane(codesToo = true) {
  const canvas = sized(plane), { side, context } = canvas;
  if (!side) return;
  if (codesToo || codes.width !== side) {
    if (codes.width !== side) codes.width = codes.height = side;
    drawLatentPlane({ ...canvas, context: codes.getContext("2d") }, view, now, labels, visible);
    const percent = Math.round(100 * shareOutside(view, now, labels, visible));
    element("outside").textContent = percent ? `${percent}% of the codes are outside this window` : "";
  }
  context.clearRect(0, 0, side, side);
  context.drawImage(codes, 0, 0);
  if (pins.length === 2) {
    context.strokeStyle = color("--mark");
    context.lineWidth = 2 * canvas.unit;
    context.beginPath();
    context.moveTo(...toPixel(pins[0], side, view));
    context.lineTo(...toPixel(pins[1], side, view));
    context.stroke();
  }
  pins.forEach((pin, i) => drawCross(canvas, view, pin, color("--mark"), "AB"[i]));
  drawCross(canvas, view, point, color("--text"));
}

function drawPoint() {
  const log10 = -((point[0] ** 2 + point[1] ** 2) / 2 + Math.log(2 * Math.PI)) / Math.LN10;  // of the prior's density
  const [nearest, distance] = nearestCode(now, labels, visible, point), image = decode(now, ...point);
  draw(element("decoded"), image);
  draw(element("small"), image);
  const rows = [
    ["z", `(${inPlane(point)})`],
    ["prior density", log10 < -3 ? `10^${log10.toFixed(1).replace("-", "\u2212")}` : (10 ** log10).toFixed(4)],
    ["nearest code", nearest < 0 ? "no class is shown" : `${distance.toPrecision(3)} away`],
  ];
  document.querySelectorAll(".of-image").forEach((figure) => { figure.hidden = nearest < 0; });
  if (nearest >= 0) {
    draw(element("original"), originals.subarray(PIXELS * nearest, PIXELS * (nearest + 1)));
    draw(element("reconstruction"), decode(now, now.mean[2 * nearest], now.mean[2 * nearest + 1]));
    const near = distance < NEAR * 2 * view.half / (plane.clientWidth || 1);
    element("original-caption").textContent = near ? "test image at the point" : "nearest test image";
    if (data.class_names.length) rows.push(["its class", data.class_names[labels[nearest]]]);
    rows.push(["its distortion", `${now.distortion[nearest].toFixed(1)} nats`]);
    rows.push(["its rate", `${now.rate[nearest].toFixed(2)} nats`]);
  }
  element("readout").replaceChildren(...rows.flatMap(([name, value]) => [node("dt", name), node("dd", value)]));
  markManifold();
}

const inPlane = (z) => z.map((value) => value.toPrecision(3).replace("-", "\u2212")).join(", ");

function markManifold() {
  const mark = element("here"), [x, y] = toPixel(point, 100, view);
  mark.hidden = Math.max(x, y) > 100 || Math.min(x, y) < 0;
  mark.style.left = `${x}%`;
  mark.style.top = `${y}%`;
}

function drawStrip() {
  const strip = element("strip");
  strip.hidden = pins.length < 2;
  element("strip-caption").textContent = ["Pin two points to see the images between them.",
    "A is pinned: a second pin shows the images between the two.", "From A to B, in even steps."][pins.length];
  if (strip.hidden) return;
  strip.width = WIDTH * STRIP;
  strip.height = HEIGHT;
  for (let i = 0; i < STRIP; i++) {
    const share = i / (STRIP - 1);
    const z = [0, 1].map((axis) => (1 - share) * pins[0][axis] + share * pins[1][axis]);
    draw(strip, decode(now, ...z), WIDTH * i);
  }
}

function drawManifold() {
  const drawing = ++manifoldDrawing;
  manifold.width = COLUMNS * WIDTH;
  manifold.height = ROWS * HEIGHT;
  let cell = 0;
  const some = () => {
    if (drawing !== manifoldDrawing) return;  // the window or the weight has changed since
    const started = performance.now();
    while (cell < COLUMNS * ROWS && performance.now() - started < CELL_MILLISECONDS) {
      const row = Math.floor(cell / COLUMNS), column = cell % COLUMNS;
      const z = toLatent([(column + 0.5) / COLUMNS, (row + 0.5) / ROWS], 1, view);
      draw(manifold, decode(now, ...z), WIDTH * column, HEIGHT * row);
      cell++;
    }
    manifold.dataset.cells = cell;
    if (cell < COLUMNS * ROWS) requestAnimationFrame(some);
  };
  some();
}

function drawMeasures() {
  drawLosses(element("losses"), now, (kl_weight) => setWeight(indexOf(kl_weight)));
  element("row").replaceChildren(...Object.entries(now.measured).map(([name, value]) => {
    const line = node("tr", "");
    line.append(node("th", name, { scope: "row" }), node("td", value));
    return line;
  }));
  element("seed").textContent = now.seed;
}

function drawAll() {
  drawPlane();
  drawPoint();
  drawStrip();
  drawManifold();
  drawMeasures();
}

let quiet = 0;
function say(text) {
  clearTimeout(quiet);
  quiet = setTimeout(() => { element("spoken").textContent = text; }, QUIET_MILLISECONDS);
}

// ---- what a person does

async function setWeight(index) {
  const name = String(data.weights[index].kl_weight);
  slider.value = index;
  slider.setAttribute("aria-valuetext", `kl_weight ${name}`);
  element("weight-value").textContent = name;
  const weights = await loadWeight(index);
  if (Number(slider.value) !== index) return;  // moved on meanwhile
  now = weights;
  document.body.dataset.weight = name;
  drawAll();
}

let frame = 0;
function moveTo(z) {
  point = z;
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    drawPlane(false);
    drawPoint();
  });
}

function pin() {
  setPins(pins.length === 2 ? [point] : [...pins, point]);
  say(`Pin ${"AB"[pins.length - 1]} at ${inPlane(point)}`);
}

function unpin() {
  setPins([]);
  say("Pins removed");
}

function setPins(next) {
  pins = next;
  drawPlane(false);
  drawStrip();
}

let manifoldLater = 0;
function setView(next) {
  view = next;
  drawPlane();
  drawPoint();
  clearTimeout(manifoldLater);
  manifoldLater = setTimeout(drawManifold, 120);
  say(`The window shows ${inPlane(view.middle)} plus and minus ${view.half.toPrecision(3)}`);
}

function intoView(z) {  // pans as far as it needs
  const reach = 0.95 * view.half, beyond = z.map((value, axis) => value - view.middle[axis]);
  if (beyond.every((distance) => Math.abs(distance) <= reach)) return;
  const pan = beyond.map((distance) => Math.sign(distance) * Math.max(Math.abs(distance) - reach, 0));
  setView({ ...view, middle: view.middle.map((value, axis) => value + pan[axis]) });
}

function zoom(factor, around = view.middle) {
  const half = Math.min(Math.max(view.half * factor, 0.02), 1e4), ratio = half / view.half;
  setView({ half, middle: [0, 1].map((axis) => around[axis] + (view.middle[axis] - around[axis]) * ratio) });
}

const latentOf = ({ clientX, clientY }, canvas) => {
  const box = canvas.getBoundingClientRect();
  return toLatent([clientX - box.left, clientY - box.top], box.width, view);
};

const touching = new Map();  // pointers that are down, by their number
let dragged = false, before = null;

function gesture() {
  const [a, b = a] = [...touching.values()];
  return { clientX: (a.x + b.x) / 2, clientY: (a.y + b.y) / 2, spread: Math.hypot(a.x - b.x, a.y - b.y) };
}

plane.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  touching.set(event.pointerId, { x: event.clientX, y: event.clientY });
  plane.setPointerCapture(event.pointerId);
  dragged = touching.size > 1;
  before = gesture();
});

plane.addEventListener("pointermove", (event) => {
  const finger = event.pointerType === "touch" && touching.size === 1;  // moves the point instead of the window
  if (!touching.has(event.pointerId) || finger) moveTo(latentOf(event, plane));
  if (!touching.has(event.pointerId)) return;
  touching.set(event.pointerId, { x: event.clientX, y: event.clientY });
  const after = gesture(), [right, down] = [after.clientX - before.clientX, after.clientY - before.clientY];
  dragged ||= Math.hypot(right, down) > (event.pointerType === "touch" ? 10 : 4);
  if (!dragged || finger) return;
  const perPixel = 2 * view.half / plane.clientWidth;
  view = { ...view, middle: [view.middle[0] - right * perPixel, view.middle[1] + down * perPixel] };
  zoom(after.spread && before.spread ? before.spread / after.spread : 1, latentOf(after, plane));
  before = after;
});

plane.addEventListener("pointerup", (event) => {
  if (!touching.delete(event.pointerId)) return;
  if (touching.size) before = gesture();
  if (dragged) return;
  point = latentOf(event, plane);
  drawPoint();
  pin();
});

plane.addEventListener("pointercancel", (event) => touching.delete(event.pointerId));

plane.addEventListener("wheel", (event) => {
  if (!event.ctrlKey && document.activeElement !== plane) return;  // the page scrolls
  event.preventDefault();
  zoom(1.0015 ** event.deltaY, latentOf(event, plane));
}, { passive: false });

plane.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;  // the browser's own keys
  const step = view.half * (event.shiftKey ? 0.2 : 0.02);
  const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
  if (moves[event.key]) {
    moveTo(point.map((value, axis) => value + moves[event.key][axis]));
    intoView(point);
    const [nearest] = nearestCode(now, labels, visible, point);
    const name = data.class_names[labels[nearest]];  // there is none without classes
    say(inPlane(point) + (name === undefined ? "" : `, near ${name}`));
  } else if (event.key === "Enter" || event.key === " ") pin();
  else if (event.key === "Escape") unpin();
  else if (event.key === "+" || event.key === "=") zoom(0.8);
  else if (event.key === "-") zoom(1.25);
  else return;
  event.preventDefault();
});

manifold.addEventListener("click", (event) => {
  moveTo(latentOf(event, manifold));
  plane.focus({ preventScroll: true });
});

slider.addEventListener("input", () => setWeight(Number(slider.value)));
element("fit-codes").addEventListener("click", () => setView(fitCodes(now)));
element("fit-prior").addEventListener("click", () => setView(fitPrior()));
element("zoom-in").addEventListener("click", () => zoom(0.7));
element("zoom-out").addEventListener("click", () => zoom(1 / 0.7));
element("pin").addEventListener("click", pin);
element("unpin").addEventListener("click", unpin);

function makeLegend() {
  const legend = element("legend");
  if (!legend) return;
  data.class_names.forEach((name, i) => {
    const button = node("button", name, { type: "button", "aria-pressed": "true" });
    button.dataset.marker = data.class_markers[i];
    button.style.setProperty("--swatch", data.class_colors[i]);
    button.addEventListener("click", () => {
      visible[i] = !visible[i];
      button.setAttribute("aria-pressed", String(visible[i]));
      drawPlane();
      drawPoint();
    });
    legend.append(button);
  });
}

function makeTicks() {
  const every = Math.ceil(data.weights.length / 9);  // more would touch each other on a phone
  element("ticks").replaceChildren(...data.weights.map(({ kl_weight }, i) => node("span", i % every ? "" : kl_weight)));
}

// ---- questions

function makeQuestions() {
  data.questions.forEach((question, i) => {
    const item = node("li", ""), place = node("div", "", { class: "answer", id: `answer-${i}`, "aria-live": "polite" });
    const button = node("button", "Reveal", { type: "button", "aria-expanded": "false", "aria-controls": place.id });
    button.setAttribute("aria-label", `Reveal the answer: ${question.question}`);
    button.addEventListener("click", async () => {
      const open = button.getAttribute("aria-expanded") === "false";
      button.setAttribute("aria-expanded", String(open));
      button.textContent = open ? "Hide" : "Reveal";
      button.setAttribute("aria-label", `${button.textContent} the answer: ${question.question}`);
      place.replaceChildren();
      if (open) await answer(question, place);
    });
    item.append(node("p", question.question), button, place);
    element("questions").append(item);
  });
}

async function answer(question, place) {
  const weights = await loadWeight(indexOf(question.kl_weight));
  const points = question.points.flat();
  const area = { codes: () => fitCodes(weights), points: () => fit(points.flat()), prior: fitPrior }[question.window]();
  const what = question.picture === "codes" ? "Codes" : "Decoded images";
  const canvas = node("canvas", "", { role: "img", "aria-label": `${what} at kl_weight ${question.kl_weight}` });
  const there = node("button", "Show in the plane", { type: "button" });
  there.addEventListener("click", async () => {
    await setWeight(indexOf(question.kl_weight));
    if (question.window === "points") point = points[0];
    setView(area);
    plane.scrollIntoView({ block: "nearest" });
    plane.focus({ preventScroll: true });
  });
  const text = node("div", "");
  text.append(node("p", question.answer), there);
  place.replaceChildren(canvas, text);
  if (question.picture === "codes") drawCodesOf(canvas, area, weights);
  else drawImagesAt(canvas, question.points, weights);
}

function drawCodesOf(canvas, area, weights) {
  canvas.redraw = () => drawLatentPlane(sized(canvas), area, weights, labels, visible.map(() => true));
  canvas.redraw();
}

function drawImagesAt(canvas, columns, weights) {
  canvas.width = columns.length * WIDTH;
  canvas.height = columns[0].length * HEIGHT;
  canvas.classList.toggle("row", columns[0].length === 1);
  columns.forEach((column, i) => column.forEach((z, j) => draw(canvas, decode(weights, ...z), WIDTH * i, HEIGHT * j)));
}

// ---- from the beginning

function drawAgain() {  // in other colours or another size
  if (!now) return;
  drawPlane();
  drawMeasures();
  document.querySelectorAll(".answer canvas").forEach((canvas) => canvas.redraw?.());
}

async function start() {
  labels = await unpacked(data.labels);
  if (data.class_colors.length > 256) labels = new Uint16Array(labels.buffer);
  originals = Float32Array.from(await unpacked(data.images), (grey) => grey / data.greys);
  makeLegend();
  makeTicks();
  makeQuestions();
  await setWeight(Number(slider.value));
  if (shareOutside(view, now, labels, visible) > 0.5) {  // of a run whose codes lie far from the prior
    point = fitCodes(now).middle;
    setView(fitCodes(now));
  }
  new ResizeObserver(drawAgain).observe(plane);
  new ResizeObserver(drawAgain).observe(element("losses").parentElement);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAgain);
  element("failure").textContent = "";
  document.body.dataset.ready = "yes";
}

addEventListener("unhandledrejection", ({ reason }) => {
  element("failure").textContent = `The page has stopped (${reason.message}): is the file whole, the browser of 2023 or later?`;
});
start();

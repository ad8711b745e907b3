"use strict";
// One file, no framework, no request: the data stands in the page, and everything from it goes in as text or pixels.

const SIDE = 28, PIXELS = SIDE * SIDE, CELLS = 20, STRIP = 9, NEAR = 12;  // NEAR: pixels within which a code is "under" the pointer
const MAP_MILLISECONDS = 10;  // of every frame that the grid may take, so that the pointer stays at the screen's rate
const data = JSON.parse(document.getElementById("data").textContent);
const element = (id) => document.getElementById(id);
const plane = element("plane"), manifold = element("manifold"), slider = element("weight");
const shown = data.class_names.map(() => true);
let labels, originals;  // (N,), (N, 784)
let now, view, point = [0, 0], pins = [], under = -1, drawnFor, sweepOfGrid = 0;

// ---- data: deflated, in base64; whole numbers between a least and a largest value

async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function numbers({ packed, rows, low, step }) {
  const planes = await unpacked(packed), size = planes.length / 2;  // low bytes, then high bytes
  const result = new Float32Array(size), columns = size / rows;
  for (let i = 0; i < size; i++) {
    const column = i % columns;
    result[i] = low[column] + step[column] * (planes[i] + 256 * planes[size + i]);
  }
  return result;
}

async function load(packed) {
  const names = ["first", "first_bias", "last", "last_bias", "mean", "distortion", "rate"];
  const arrays = await Promise.all(names.map((name) => numbers(packed[name])));
  return { ...packed, ...Object.fromEntries(names.map((name, i) => [name, arrays[i]])) };
}

// ---- the decoder: logits = relu(z W + b) V + c, image = sigmoid(logits)

function decode(weights, z0, z1) {
  const { first, first_bias: bias, last, last_bias } = weights, units = bias.length;
  const logits = Float32Array.from(last_bias);
  for (let unit = 0; unit < units; unit++) {
    const active = z0 * first[unit] + z1 * first[units + unit] + bias[unit];
    if (active <= 0) continue;
    const row = unit * PIXELS;
    for (let pixel = 0; pixel < PIXELS; pixel++) logits[pixel] += active * last[row + pixel];
  }
  for (let pixel = 0; pixel < PIXELS; pixel++) logits[pixel] = 1 / (1 + Math.exp(-logits[pixel]));
  return logits;
}

function draw(canvas, image, left = 0, top = 0) {
  const pixels = new ImageData(SIDE, SIDE);
  for (let pixel = 0; pixel < PIXELS; pixel++) {
    const grey = Math.round(255 * image[pixel]);
    pixels.data.set([grey, grey, grey, 255], 4 * pixel);
  }
  canvas.getContext("2d").putImageData(pixels, left, top);
}

// ---- the window of the plane: its middle, and half of its side

const fitPrior = () => ({ middle: [0, 0], half: 4 });

function fitCodes(weights) {
  const low = [Infinity, Infinity], high = [-Infinity, -Infinity];
  weights.mean.forEach((value, i) => {
    low[i % 2] = Math.min(low[i % 2], value);
    high[i % 2] = Math.max(high[i % 2], value);
  });
  const half = 0.55 * Math.max(high[0] - low[0], high[1] - low[1], 0.02);
  return { middle: [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2], half };
}

const toPixel = (z, side, window) => [
  ((z[0] - window.middle[0]) / window.half + 1) * side / 2,
  (1 - (z[1] - window.middle[1]) / window.half) * side / 2,
];
const toLatent = (pixel, side, window) => [
  window.middle[0] + (2 * pixel[0] / side - 1) * window.half,
  window.middle[1] - (2 * pixel[1] / side - 1) * window.half,
];

// ---- drawing

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function sized(canvas) {
  const ratio = window.devicePixelRatio || 1, side = Math.round(canvas.clientWidth * ratio);
  if (canvas.width !== side) canvas.width = canvas.height = side;
  return { side, ratio, context: canvas.getContext("2d") };
}

function drawCodes(context, side, radius, weights, window, visible) {
  weights.mean.length && labels.forEach((label, i) => {
    if (!visible[label]) return;
    const [x, y] = toPixel([weights.mean[2 * i], weights.mean[2 * i + 1]], side, window);
    if (x < 0 || y < 0 || x > side || y > side) return;
    context.fillStyle = data.class_colors[label];
    context.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
  });
}

function drawRings(context, side, ratio, window) {
  const [x, y] = toPixel([0, 0], side, window);
  context.strokeStyle = color("--text");
  context.lineWidth = 1.3 * ratio;
  [1, 2].forEach((sigma) => {
    context.setLineDash(sigma === 1 ? [] : [6 * ratio, 4 * ratio]);
    context.beginPath();
    context.arc(x, y, sigma * side / (2 * window.half), 0, 2 * Math.PI);
    context.stroke();
  });
  context.setLineDash([]);
}

function roundStep(width) {
  const power = 10 ** Math.floor(Math.log10(width));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= width);
}

const label = (value) => String(Number(value.toPrecision(6)));

function drawAxes(context, side, ratio, window) {
  const step = roundStep(2 * window.half / 6);
  context.font = `${12 * ratio}px system-ui, sans-serif`;
  context.fillStyle = color("--faint");
  context.strokeStyle = color("--line");
  context.lineWidth = ratio;
  [0, 1].forEach((axis) => {
    const start = window.middle[axis] - window.half, end = window.middle[axis] + window.half;
    for (let i = Math.ceil(start / step); i * step <= end; i++) {
      const at = toPixel([i * step, i * step], side, window)[axis];
      context.beginPath();
      if (axis === 0) { context.moveTo(at, side); context.lineTo(at, side - 6 * ratio); }
      else { context.moveTo(0, at); context.lineTo(6 * ratio, at); }
      context.stroke();
      context.textAlign = axis === 0 ? "center" : "left";
      context.textBaseline = axis === 0 ? "bottom" : "middle";
      const inside = at > 14 * ratio && at < side - 22 * ratio;
      if (inside) context.fillText(label(i * step), ...(axis === 0 ? [at, side - 8 * ratio] : [9 * ratio, at]));
    }
  });
  context.textAlign = "right";
  context.fillText("z[0]", side - 6 * ratio, side - 8 * ratio);
  context.textAlign = "left";
  context.fillText("z[1]", 9 * ratio, 10 * ratio);
}

function drawCross(context, side, ratio, z, stroke, name) {
  const [x, y] = toPixel(z, side, view), arm = 8 * ratio;
  [[color("--paper"), 5], [stroke, 2]].forEach(([style, width]) => {
    context.strokeStyle = style;
    context.lineWidth = width * ratio;
    context.beginPath();
    context.moveTo(x - arm, y); context.lineTo(x + arm, y);
    context.moveTo(x, y - arm); context.lineTo(x, y + arm);
    context.stroke();
  });
  if (!name) return;
  context.font = `bold ${14 * ratio}px system-ui, sans-serif`;
  context.fillStyle = stroke;
  context.textAlign = "left";
  context.textBaseline = "bottom";
  context.fillText(name, x + 5 * ratio, y - 4 * ratio);
}

let background = null;  // the codes, which change less often than the point over them

function drawPlane(codesToo = true) {
  const { side, ratio, context } = sized(plane);
  if (!side) return;
  if (codesToo || !background || background.width !== side) {
    context.clearRect(0, 0, side, side);
    drawCodes(context, side, 1.5 * ratio, now, view, shown);
    drawRings(context, side, ratio, view);
    drawAxes(context, side, ratio, view);
    background = document.createElement("canvas");
    background.width = background.height = side;
    background.getContext("2d").drawImage(plane, 0, 0);
  } else {
    context.clearRect(0, 0, side, side);
    context.drawImage(background, 0, 0);
  }
  if (pins.length === 2) {
    context.strokeStyle = color("--mark");
    context.lineWidth = 2 * ratio;
    context.beginPath();
    context.moveTo(...toPixel(pins[0], side, view));
    context.lineTo(...toPixel(pins[1], side, view));
    context.stroke();
  }
  pins.forEach((pin, i) => drawCross(context, side, ratio, pin, color("--mark"), "AB"[i]));
  drawCross(context, side, ratio, point, color("--text"), "");
}

function nearestCode(z) {
  let nearest = -1, least = Infinity;
  for (let i = 0; i < labels.length; i++) {
    if (!shown[labels[i]]) continue;
    const distance = Math.hypot(now.mean[2 * i] - z[0], now.mean[2 * i + 1] - z[1]);
    if (distance < least) [nearest, least] = [i, distance];
  }
  return [nearest, least];
}

function fill(list, rows, nodes) {
  list.replaceChildren(...rows.flatMap((row) => nodes(...row)));
}

const node = (name, text, attributes = {}) => {
  const made = document.createElement(name);
  made.textContent = text;
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  return made;
};

const term = (name, value) => [node("dt", name), node("dd", value)];

function drawPoint() {
  const density = Math.exp(-(point[0] ** 2 + point[1] ** 2) / 2) / (2 * Math.PI);
  const [nearest, distance] = nearestCode(point), image = decode(now, ...point);
  draw(element("decoded"), image);
  draw(element("small"), image);
  const rows = [
    ["z", `(${point[0].toPrecision(4)}, ${point[1].toPrecision(4)})`],
    ["prior density", density < 1e-3 ? density.toExponential(1) : density.toFixed(4)],
    ["nearest code", nearest < 0 ? "no class is shown" : `${distance.toPrecision(3)} away`],
  ];
  const close = nearest >= 0 && distance < NEAR * 2 * view.half / (plane.clientWidth || 1);
  document.querySelectorAll(".of-image").forEach((figure) => { figure.hidden = nearest < 0; });
  if (nearest >= 0) {
    if (under !== nearest || drawnFor !== now) {
      draw(element("original"), originals.subarray(PIXELS * nearest, PIXELS * (nearest + 1)));
      draw(element("reconstruction"), decode(now, now.mean[2 * nearest], now.mean[2 * nearest + 1]));
    }
    element("original-caption").textContent = close ? "test image under the pointer" : "nearest test image";
    rows.push(["its class", data.class_names[labels[nearest]]]);
    rows.push(["its distortion", `${now.distortion[nearest].toFixed(1)} nats`]);
    rows.push(["its rate", `${now.rate[nearest].toFixed(2)} nats`]);
  }
  [under, drawnFor] = [nearest, now];
  fill(element("readout"), rows, term);
  drawHere();
}

function drawHere() {
  const here = element("here"), [x, y] = toPixel(point, 100, view);
  here.hidden = Math.max(x, y) > 100 || Math.min(x, y) < 0;
  here.style.left = `${x}%`;
  here.style.top = `${y}%`;
}

function drawStrip() {
  const strip = element("strip");
  const steps = pins.length === 2 ? STRIP : 0;
  strip.width = SIDE * Math.max(steps, 1);
  strip.height = SIDE;
  strip.hidden = !steps;
  for (let i = 0; i < steps; i++) {
    const share = i / (steps - 1);
    const z = [0, 1].map((axis) => (1 - share) * pins[0][axis] + share * pins[1][axis]);
    draw(strip, decode(now, ...z), SIDE * i);
  }
  element("strip-caption").textContent = ["Pin two points to see the way between them.",
    "One pin is set: a second shows the way between the two.", "From A to B, in even steps."][pins.length];
}

function drawManifold() {
  const mine = ++sweepOfGrid, grid = document.createElement("canvas");
  manifold.width = manifold.height = CELLS * SIDE;
  let cell = 0;
  const some = () => {
    if (mine !== sweepOfGrid) return;  // the window or the weight has changed since
    const started = performance.now();
    while (cell < CELLS * CELLS && performance.now() - started < MAP_MILLISECONDS) {
      const row = Math.floor(cell / CELLS), column = cell % CELLS;
      const z = toLatent([column + 0.5, row + 0.5], CELLS, view);
      draw(manifold, decode(now, ...z), SIDE * column, SIDE * row);
      cell++;
    }
    manifold.dataset.cells = cell;
    if (cell < CELLS * CELLS) requestAnimationFrame(some);
  };
  some();
}

function drawLosses() {
  const svg = element("losses"), margin = { left: 52, right: 16, top: 12, bottom: 42 };
  const width = Math.max(svg.clientWidth, 240), height = Math.min(0.75 * width, 340);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const rates = data.runs.map((run) => run.rate), distortions = data.runs.map((run) => run.distortion);
  const scale = (rate) => Math.asinh(Math.max(rate, 0));
  const right = scale(1.3 * Math.max(...rates)) || 1;
  const low = Math.min(...distortions), high = Math.max(...distortions), space = 0.12 * (high - low) || 1;
  const x = (rate) => margin.left + scale(rate) / right * (width - margin.left - margin.right);
  const y = (distortion) => margin.top + (high + space - distortion) / (high - low + 2 * space)
    * (height - margin.top - margin.bottom);
  const make = (name, attributes, text = "") => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    made.textContent = text;
    return made;
  };
  const bottom = height - margin.bottom;
  const parts = [make("path", { class: "axis", d: `M${margin.left} ${margin.top}V${bottom}H${width - margin.right}` })];
  [0, 0.1, 1, 3, 10, 30, 100, 300, 1000, 3000].filter((rate) => scale(rate) <= right && (rate > 0.5 || rate === 0))
    .forEach((rate) => parts.push(make("text", { x: x(rate), y: bottom + 16, "text-anchor": "middle" }, label(rate))));
  const step = roundStep((high - low || 1) / 4);
  for (let i = Math.ceil((low - space) / step); i * step <= high + space; i++) {
    parts.push(make("text", { x: margin.left - 6, y: y(i * step) + 4, "text-anchor": "end" }, label(i * step)));
  }
  parts.push(make("text", { x: (margin.left + width) / 2, y: height - 8, "text-anchor": "middle" }, "rate [nats/image]"));
  parts.push(make("text", { x: 14, y: height / 2, "text-anchor": "middle", transform: `rotate(-90 14 ${height / 2})` },
    "distortion [nats/image]"));
  data.runs.forEach((run) => {
    const present = run.kl_weight === now.kl_weight;
    const dot = make("circle", { cx: x(run.rate), cy: y(run.distortion), r: present ? 7 : 4.5, class: present ? "now" : "run" });
    dot.append(make("title", {}, `kl_weight ${run.kl_weight}, seed ${run.seed}`));
    const index = data.weights.findIndex((weight) => weight.kl_weight === run.kl_weight);
    if (index >= 0) dot.addEventListener("click", () => setWeight(index));
    parts.push(dot);
  });
  const [first] = data.runs.filter((run) => run.kl_weight === now.kl_weight), toTheLeft = x(first.rate) > width / 2;
  parts.push(make("text", { class: "name", x: x(first.rate) + (toTheLeft ? -12 : 12), y: y(first.distortion) - 12,
    "text-anchor": toTheLeft ? "end" : "start" }, `kl_weight ${first.kl_weight}`));
  svg.replaceChildren(...parts);
  fill(element("row"), Object.entries(now.measured), (name, value) => {
    const line = document.createElement("tr");
    line.append(node("th", name, { scope: "row" }), node("td", value));
    return [line];
  });
}

function drawAll() {
  drawPlane();
  drawPoint();
  drawStrip();
  drawManifold();
  drawLosses();
}

// ---- what a person does

async function setWeight(index) {
  slider.value = index;
  const name = `${data.weights[index].kl_weight}`;
  element("weight-value").textContent = name;
  slider.setAttribute("aria-valuetext", `kl_weight ${name}`);
  const loading = loaded[index] ??= load(data.weights[index]);
  const weights = await loading;
  if (Number(slider.value) !== index) return;  // moved on meanwhile
  now = weights;
  document.body.dataset.weight = name;
  drawAll();
}

const loaded = [];

function say(text) { element("spoken").textContent = text; }

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
  pins = pins.length === 2 ? [point] : [...pins, point];
  drawPlane(false);
  drawStrip();
  say(`Pin ${"AB"[pins.length - 1]} at ${point.map((value) => value.toPrecision(3)).join(", ")}`);
}

function unpin() {
  pins = [];
  drawPlane(false);
  drawStrip();
}

let gridLater = 0;
function setView(next) {
  view = next;
  drawPlane();
  drawPoint();
  clearTimeout(gridLater);
  gridLater = setTimeout(drawManifold, 120);
}

function intoView(z) {  // pans as far as it needs
  const reach = 0.95 * view.half, beyond = z.map((value, axis) => value - view.middle[axis]);
  if (beyond.every((distance) => Math.abs(distance) <= reach)) return;
  const pan = beyond.map((distance) => Math.sign(distance) * Math.max(Math.abs(distance) - reach, 0));
  setView({ ...view, middle: view.middle.map((value, axis) => value + pan[axis]) });
}

function zoom(factor, around = view.middle) {
  const half = Math.min(Math.max(view.half * factor, 1e-3), 1e5), ratio = half / view.half;
  setView({ half, middle: [0, 1].map((axis) => around[axis] + (view.middle[axis] - around[axis]) * ratio) });
}

const latentOf = ({ clientX, clientY }, canvas) => {
  const box = canvas.getBoundingClientRect();
  return toLatent([clientX - box.left, clientY - box.top], box.width, view);
};

const touching = new Map();  // pointers that are down, by their number
let dragged = false, before = null;

function gesture() {
  const [a, b] = [...touching.values()];
  return { x: (a.x + (b ?? a).x) / 2, y: (a.y + (b ?? a).y) / 2, spread: b ? Math.hypot(a.x - b.x, a.y - b.y) : 0 };
}

plane.addEventListener("pointerdown", (event) => {
  touching.set(event.pointerId, { x: event.clientX, y: event.clientY });
  plane.setPointerCapture(event.pointerId);
  dragged = touching.size > 1;
  before = gesture();
});

plane.addEventListener("pointermove", (event) => {
  const fingers = event.pointerType === "touch";
  if (!touching.has(event.pointerId) || (fingers && touching.size === 1)) moveTo(latentOf(event, plane));
  if (!touching.has(event.pointerId)) return;
  touching.set(event.pointerId, { x: event.clientX, y: event.clientY });
  const after = gesture();
  if (Math.hypot(after.x - before.x, after.y - before.y) > 4) dragged = true;
  if (!dragged || (fingers && touching.size === 1)) return;
  const perPixel = 2 * view.half / plane.clientWidth;
  const middle = [view.middle[0] - (after.x - before.x) * perPixel, view.middle[1] + (after.y - before.y) * perPixel];
  setView({ ...view, middle });
  if (after.spread && before.spread) {
    zoom(before.spread / after.spread, latentOf({ clientX: after.x, clientY: after.y }, plane));
  }
  before = after;
});

plane.addEventListener("pointerup", (event) => {
  if (!dragged) {
    point = latentOf(event, plane);
    drawPoint();
    pin();
  }
  touching.delete(event.pointerId);
  if (touching.size) before = gesture();
});

plane.addEventListener("pointercancel", (event) => touching.delete(event.pointerId));

plane.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoom(1.0015 ** event.deltaY, latentOf(event, plane));
}, { passive: false });

plane.addEventListener("keydown", (event) => {
  const step = view.half * (event.shiftKey ? 0.2 : 0.02);
  const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
  if (moves[event.key]) {
    moveTo(point.map((value, axis) => value + moves[event.key][axis]));
    intoView(point);
    const [nearest] = nearestCode(point);
    const near = nearest < 0 ? "" : `, near ${data.class_names[labels[nearest]]}`;
    say(`${point.map((value) => value.toPrecision(3)).join(", ")}${near}`);
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
element("unpin").addEventListener("click", unpin);
new ResizeObserver(() => now && drawPlane()).observe(plane);
new ResizeObserver(() => now && drawLosses()).observe(element("losses").parentElement);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);

function makeLegend() {
  data.class_names.forEach((name, i) => {
    const button = node("button", name, { type: "button", "aria-pressed": "true" });
    button.style.setProperty("--swatch", data.class_colors[i]);
    button.addEventListener("click", () => {
      shown[i] = !shown[i];
      button.setAttribute("aria-pressed", String(shown[i]));
      drawPlane();
      drawPoint();
    });
    element("legend").append(button);
  });
}

async function answer(question, place) {
  const weight = data.weights.findIndex(({ kl_weight }) => kl_weight === question.kl_weight);
  await setWeight(weight);
  if (Number(slider.value) !== weight) return;
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", question.answer);
  place.replaceChildren(canvas, node("p", question.answer));
  const window = question.window === "codes" ? fitCodes(now) : fitPrior();
  if (question.picture === "codes") {
    canvas.width = canvas.height = 288;  // 9rem at two pixels each
    drawCodes(canvas.getContext("2d"), 288, 1.5, now, window, shown.map(() => true));
    drawRings(canvas.getContext("2d"), 288, 2, window);
  } else {
    canvas.width = question.points.length * SIDE;
    canvas.height = question.points[0].length * SIDE;
    canvas.classList.toggle("row", question.points[0].length === 1);
    question.points.forEach((column, i) => column.forEach((z, j) => draw(canvas, decode(now, ...z), SIDE * i, SIDE * j)));
  }
  setView(window);
}

function makeQuestions() {
  data.questions.forEach((question) => {
    const item = node("li", ""), place = node("div", "", { class: "answer", "aria-live": "polite" });
    const button = node("button", "Reveal", { type: "button" });
    button.addEventListener("click", () => answer(question, place));
    item.append(node("p", question.question), button, place);
    element("questions").append(item);
  });
}

async function start() {
  labels = await unpacked(data.labels);
  originals = Float32Array.from(await unpacked(data.images), (grey) => grey / 15);
  view = fitPrior();
  makeLegend();
  makeQuestions();
  await setWeight(Number(slider.value));
  document.body.dataset.ready = "yes";
}

start().catch((error) => {
  element("failure").textContent = `The page could not start (${error.message}): it needs a browser of 2023 or later.`;
});

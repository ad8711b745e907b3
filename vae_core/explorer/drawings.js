// ---- windows of the plane: their middle, and half of their side

const fitPrior = () => ({ middle: [0, 0], half: 4 });

const fitCodes = (weights) => fit(weights.mean);

function fit(coordinates) {  // z[0] and z[1] in turn
  const low = [Infinity, Infinity], high = [-Infinity, -Infinity];
  coordinates.forEach((value, i) => {
    low[i % 2] = Math.min(low[i % 2], value);
    high[i % 2] = Math.max(high[i % 2], value);
  });
  const half = 0.55 * Math.max(high[0] - low[0], high[1] - low[1], 0.04);
  return { middle: [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2], half };
}

const toPixel = (z, side, view) => [
  ((z[0] - view.middle[0]) / view.half + 1) * side / 2,
  (1 - (z[1] - view.middle[1]) / view.half) * side / 2,
];
const toLatent = (pixel, side, view) => [
  view.middle[0] + (2 * pixel[0] / side - 1) * view.half,
  view.middle[1] - (2 * pixel[1] / side - 1) * view.half,
];

// ---- on canvases

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// What is a pixel at the usual font size, so that figures grow with the text: in pixels of the page.
const unitLength = () => parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;

// A square canvas as fine as the screen; unit: its pixels for a pixel at the usual font size.
function sized(canvas) {
  const ratio = devicePixelRatio || 1, side = Math.round(canvas.clientWidth * ratio);
  if (canvas.width !== side) canvas.width = canvas.height = side;
  return { side, unit: ratio * unitLength(), context: canvas.getContext("2d") };
}

function draw(canvas, image, left = 0, top = 0) {
  const pixels = new ImageData(WIDTH, HEIGHT);
  for (let pixel = 0; pixel < WIDTH * HEIGHT; pixel++) {
    for (let i = 0; i < 3; i++) pixels.data[4 * pixel + i] = Math.round(255 * image[CHANNELS * pixel + i % CHANNELS]);
    pixels.data[4 * pixel + 3] = 255;
  }
  canvas.getContext("2d").putImageData(pixels, left, top);
}

function drawLatentPlane({ side, unit, context }, view, weights, labels, visible) {
  context.clearRect(0, 0, side, side);
  drawCodes(context, side, unit, view, weights, labels, visible);
  drawRings(context, side, unit, view);
  drawAxes(context, side, unit, view);
}

// Those of the figures, which tell more than ten classes apart; x, y: the middle.
const MARKERS = {
  dot: (context, x, y, unit) => square(context, x, y, 1.7 * unit),
  s: (context, x, y, unit) => square(context, x, y, 2.8 * unit),
  o: (context, x, y, unit) => {
    context.beginPath();
    context.arc(x, y, 3.1 * unit, 0, 2 * Math.PI);
    context.fill();
  },
  "^": (context, x, y, unit) => {
    context.beginPath();
    context.moveTo(x, y - 4 * unit);
    context.lineTo(x + 3.8 * unit, y + 2.8 * unit);
    context.lineTo(x - 3.8 * unit, y + 2.8 * unit);
    context.fill();
  },
};
const square = (context, x, y, radius) => context.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);

function drawCodes(context, side, unit, view, weights, labels, visible) {
  labels.forEach((label, i) => {
    if (!visible[label]) return;
    const [x, y] = toPixel([weights.mean[2 * i], weights.mean[2 * i + 1]], side, view);
    if (x < 0 || y < 0 || x > side || y > side) return;
    context.fillStyle = data.class_colors[label];
    MARKERS[data.class_markers[label]](context, x, y, unit);
  });
}

// The share of the codes of visible classes that lie outside the window.
function shareOutside(view, weights, labels, visible) {
  let outside = 0, all = 0;
  labels.forEach((label, i) => {
    if (!visible[label]) return;
    all += 1;
    outside += [0, 1].some((axis) => Math.abs(weights.mean[2 * i + axis] - view.middle[axis]) > view.half);
  });
  return all ? outside / all : 0;
}

function drawRings(context, side, unit, view) {
  const [x, y] = toPixel([0, 0], side, view);
  context.strokeStyle = color("--text");
  context.lineWidth = 1.3 * unit;
  [1, 2].forEach((sigma) => {
    context.setLineDash(sigma === 1 ? [] : [6 * unit, 4 * unit]);
    context.beginPath();
    context.arc(x, y, sigma * side / (2 * view.half), 0, 2 * Math.PI);
    context.stroke();
  });
  context.setLineDash([]);
}

function roundStep(width) {
  const power = 10 ** Math.floor(Math.log10(width));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= width);
}

const short = (value) => String(Number(value.toPrecision(6))).replace("-", "\u2212");

function drawAxes(context, side, unit, view) {
  const step = roundStep(2 * view.half / 6);
  context.font = `${12 * unit}px system-ui, sans-serif`;
  context.strokeStyle = color("--line");
  context.lineWidth = unit;
  [0, 1].forEach((axis) => {
    const start = view.middle[axis] - view.half, end = view.middle[axis] + view.half;
    for (let i = Math.ceil(start / step); i * step <= end; i++) {
      const at = toPixel([i * step, i * step], side, view)[axis];
      context.beginPath();
      if (axis === 0) { context.moveTo(at, side); context.lineTo(at, side - 6 * unit); }
      else { context.moveTo(0, at); context.lineTo(6 * unit, at); }
      context.stroke();
      if (at < 22 * unit || at > side - 30 * unit) continue;  // the axis' name stands there
      if (axis === 0) writeOver(context, unit, short(i * step), at, side - 8 * unit, "center", "bottom");
      else writeOver(context, unit, short(i * step), 9 * unit, at, "left", "middle");
    }
  });
  writeOver(context, unit, "z[0]", side - 6 * unit, side - 8 * unit, "right", "bottom");
  writeOver(context, unit, "z[1]", 9 * unit, 12 * unit, "left", "middle");
}

// Text that can be read over dots.
function writeOver(context, unit, text, x, y, align, baseline, fill = color("--text")) {
  context.save();
  Object.assign(context, { textAlign: align, textBaseline: baseline, lineJoin: "round", lineWidth: 4 * unit });
  Object.assign(context, { strokeStyle: color("--paper"), fillStyle: fill });
  context.strokeText(text, x, y);
  context.fillText(text, x, y);
  context.restore();
}

function drawCross({ side, unit, context }, view, z, stroke, name = "") {
  const [x, y] = toPixel(z, side, view), arm = 8 * unit;
  [[color("--paper"), 5], [stroke, 2]].forEach(([style, width]) => {
    context.strokeStyle = style;
    context.lineWidth = width * unit;
    context.beginPath();
    context.moveTo(x - arm, y); context.lineTo(x + arm, y);
    context.moveTo(x, y - arm); context.lineTo(x, y + arm);
    context.stroke();
  });
  context.font = `bold ${15 * unit}px system-ui, sans-serif`;
  if (name) writeOver(context, unit, name, x + 5 * unit, y - 4 * unit, "left", "bottom", stroke);
}

// ---- on the page

const node = (name, text, attributes = {}) => {
  const made = document.createElement(name);
  made.textContent = text;
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  return made;
};

const svgNode = (name, attributes, text = "") => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  made.textContent = text;
  return made;
};

// Every run in the plane of rate and distortion; chosen: what a click on a run calls with its kl_weight.
function drawLosses(svg, present, chosen) {
  const unit = unitLength(), width = Math.max(svg.clientWidth, 240), height = Math.min(0.75 * width, 340 * unit);
  const left = 66 * unit, right = width - 16 * unit, top = 12 * unit, bottom = height - 44 * unit;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const rates = data.runs.map(({ rate }) => rate), distortions = data.runs.map(({ distortion }) => distortion);
  const most = Math.asinh(1.3 * Math.max(...rates)) || 1;
  const low = Math.min(...distortions), high = Math.max(...distortions), space = 0.12 * (high - low) || 1;
  const x = (rate) => left + Math.asinh(Math.max(rate, 0)) / most * (right - left);
  const y = (distortion) => top + (high + space - distortion) / (high - low + 2 * space) * (bottom - top);
  const parts = [svgNode("path", { class: "axis", d: `M${left} ${top}V${bottom}H${right}` })];
  [0, 1, 3, 10, 30, 100, 300, 1000, 3000].filter((rate) => x(rate) <= right).forEach((rate) => {
    parts.push(svgNode("text", { x: x(rate), y: bottom + 16 * unit, "text-anchor": "middle" }, short(rate)));
  });
  const step = roundStep((high - low + 2 * space) / 6);
  for (let i = Math.ceil((low - space) / step); i * step <= high + space; i++) {
    const at = { x: left - 6 * unit, y: y(i * step) + 4 * unit, "text-anchor": "end" };
    parts.push(svgNode("text", at, short(i * step)));
  }
  const axes = [{ x: (left + right) / 2, y: height - 8 * unit, "text-anchor": "middle" },
    { "text-anchor": "middle", transform: `translate(${14 * unit} ${(top + bottom) / 2}) rotate(-90)` }];
  parts.push(svgNode("text", axes[0], "rate [nats/image], asinh scale"));
  parts.push(svgNode("text", axes[1], "distortion [nats/image]"));
  const order = (run) => (run.kl_weight === present.kl_weight) + (isShown(run, present));
  const runs = data.runs.toSorted((one, other) => order(one) - order(other));  // what is shown lies on top
  runs.forEach((run) => {
    const kind = ["run", "same", "now"][order(run)], r = (kind === "now" ? 7 : 4.5) * unit;
    const dot = svgNode("circle", { cx: x(run.rate), cy: y(run.distortion), r, class: kind });
    dot.append(svgNode("title", {}, `kl_weight ${run.kl_weight}, seed ${run.seed}`));
    if (indexOf(run.kl_weight) >= 0) dot.addEventListener("click", () => chosen(run.kl_weight));
    parts.push(dot);
  });
  const named = [];
  runs.toReversed().forEach((run) => {
    if (named.some(({ kl_weight }) => kl_weight === run.kl_weight)) return;
    const name = isShown(run, present) ? `kl_weight ${run.kl_weight}` : String(run.kl_weight);
    const long = 8 * unit * name.length, [at, above] = [x(run.rate), y(run.distortion) - 11 * unit];
    const start = Math.min(Math.max(at - long / 2, left), right - long);
    const covers = (other) => start < other.end && other.start < start + long && Math.abs(above - other.above) < 16 * unit;
    if (named.some(covers)) return;
    named.push({ kl_weight: run.kl_weight, start, end: start + long, above });
    const attributes = { class: "name", x: start + long / 2, y: above, "text-anchor": "middle" };
    parts.push(svgNode("text", attributes, name));
  });
  svg.replaceChildren(...parts);
}

const isShown = (run, present) => run.kl_weight === present.kl_weight && run.seed === present.seed;

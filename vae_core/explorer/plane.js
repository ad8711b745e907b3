// The latent plane: windows of it, and what is drawn in them.

const plane = element("plane");

// ---- windows: their middle, and half of their side

// The window that fits points u of the plane.
function fit(points, name) {
  const low = [Infinity, Infinity], high = [-Infinity, -Infinity];
  points.forEach((u) => u.forEach((value, axis) => {
    low[axis] = Math.min(low[axis], value);
    high[axis] = Math.max(high[axis], value);
  }));
  const half = 0.55 * Math.max(high[0] - low[0], high[1] - low[1], 0.04);
  return { fit: name, middle: [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2], half };
}

const fitCodes = (model) => fit(codesOn(model, "means"), "codes");

const toPixel = (u, side, view) => [
  ((u[0] - view.middle[0]) / view.half + 1) * side / 2,
  (1 - (u[1] - view.middle[1]) / view.half) * side / 2,
];
const toLatent = (pixel, side, view) => [
  view.middle[0] + (2 * pixel[0] / side - 1) * view.half,
  view.middle[1] - (2 * pixel[1] / side - 1) * view.half,
];

const isInside = (u, view) => u.every((value, axis) => Math.abs(value - view.middle[axis]) <= view.half);

// ---- codes

let noise = null;  // (N, 2): one draw from q(z|x) for every image, with the same noise at every weight

const places = new WeakMap();  // of each model: { means, draws }, each made once

// Where the code of each test image is drawn: its mean, or a draw from q(z|x).
function codesOn(model, dots) {
  if (!places.has(model)) places.set(model, {});
  return (places.get(model)[dots] ??= Array.from(labels, (_, i) =>
    toPlane(model, dots === "draws" ? drawOf(model, i, noiseOf(i)) : codeOf(model, i))));
}

function noiseOf(image) {
  noise ??= normals(2 * labels.length, 1);
  return noise.subarray(2 * image, 2 * image + 2);
}

// What the window leaves out, in percent of the codes of visible classes, and how much of its width the codes take.
function seenOf(codes, view) {
  const shown = codes.filter((_, i) => state.visible[labels[i]]);
  const outside = shown.filter((u) => !isInside(u, view)).length;
  return { outside: Math.round(100 * outside / (shown.length || 1)),
    width: shown.length ? Math.round(100 * fit(shown).half / 1.1 / view.half) : 100 };
}

// Those of the figures, which tell more than ten classes apart; x, y: the middle.
const square = (context, x, y, radius) => context.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
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

function drawCodes({ side, unit, context }, view, codes, visible) {
  const colors = classColors();
  codes.forEach((u, i) => {
    if (!visible[labels[i]]) return;
    const [x, y] = toPixel(u, side, view);
    if (x < 0 || y < 0 || x > side || y > side) return;
    context.fillStyle = colors[labels[i]];
    MARKERS[data.class_markers[labels[i]]](context, x, y, unit);
  });
}

// ---- the prior and the axes

function drawRings({ side, unit, context }, view) {
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

// turned: the axes of the plane are not those of the run
function drawAxes({ side, unit, context }, view, turned) {
  const step = roundStep(2 * view.half / 6), names = turned ? ["u[0]", "u[1]"] : ["z[0]", "z[1]"];
  const pen = { unit, context };
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
      if (axis === 0) writeOver(pen, short(i * step), at, side - 8 * unit, "center", "bottom");
      else writeOver(pen, short(i * step), 9 * unit, at, "left", "middle");
    }
  });
  writeOver(pen, names[0], side - 6 * unit, side - 8 * unit, "right", "bottom");
  writeOver(pen, names[1], 9 * unit, 12 * unit, "left", "middle");
}

// Text that can be read over dots.
function writeOver({ unit, context }, words, x, y, align, baseline, fill = color("--text")) {
  context.save();
  Object.assign(context, { textAlign: align, textBaseline: baseline, lineJoin: "round", lineWidth: 4 * unit });
  Object.assign(context, { strokeStyle: color("--paper"), fillStyle: fill });
  context.strokeText(words, x, y);
  context.fillText(words, x, y);
  context.restore();
}

const isTurned = ({ turn }) => Math.abs(turn[0][0] - 1) + Math.abs(turn[1][1] - 1) > 1e-6;

function drawCodesRingsAxes(canvas, view, model, dots, visible) {
  canvas.context.clearRect(0, 0, canvas.side, canvas.side);
  drawCodes(canvas, view, codesOn(model, dots), visible);
  drawRings(canvas, view);
  drawAxes(canvas, view, isTurned(model));
}

// ---- what lies over the codes

// A line with an edge of the paper's colour, so that it is seen over dots.
function stroke({ unit, context }, style, path, dash = []) {
  context.setLineDash(dash.map((length) => length * unit));
  [[color("--paper"), 5], [style, 2]].forEach(([strokeStyle, width]) => {
    Object.assign(context, { strokeStyle, lineWidth: width * unit });
    context.beginPath();
    path(context);
    context.stroke();
  });
  context.setLineDash([]);
}

// The letter of a pin stands where the plane has room for it.
function drawCross(canvas, view, u, style, name = "") {
  const { side, unit, context } = canvas, [x, y] = toPixel(u, side, view), arm = 8 * unit;
  stroke(canvas, style, () => {
    context.moveTo(x - arm, y); context.lineTo(x + arm, y);
    context.moveTo(x, y - arm); context.lineTo(x, y + arm);
  });
  if (!name) return;
  context.font = `bold ${15 * unit}px system-ui, sans-serif`;
  const [left, below] = [x > side - 22 * unit, y < 22 * unit];
  writeOver(canvas, name, x + (left ? -5 : 5) * unit, y + (below ? 4 : -4) * unit,
    left ? "right" : "left", below ? "top" : "bottom", style);
}

function drawHeld(canvas, view, u) {
  const { side, unit, context } = canvas, [x, y] = toPixel(u, side, view);
  stroke(canvas, color("--text"), () => context.arc(x, y, 11 * unit, 0, 2 * Math.PI));
}

// One and two standard deviations of q(z|x), to scale; its mean is the dot in the middle.
const drawEllipses = (canvas, view, model, image) =>
  drawEllipsesOf(canvas, view, model, codeOf(model, image), deviationsOf(model, image), color("--mark"));

function drawEllipsesOf(canvas, view, model, mean, deviations, style) {
  const { side, unit, context } = canvas;
  [1, 2].forEach((sigma) => stroke(canvas, style, () => {
    for (let i = 0; i <= 72; i++) {
      const angle = 2 * Math.PI * i / 72, around = [Math.cos(angle), Math.sin(angle)];
      const z = mean.map((m, axis) => m + sigma * deviations[axis] * around[axis]);
      context[i ? "lineTo" : "moveTo"](...toPixel(toPlane(model, z), side, view));
    }
  }, sigma === 1 ? [] : [6, 4]));
  const [x, y] = toPixel(toPlane(model, mean), side, view);
  context.fillStyle = style;
  context.beginPath();
  context.arc(x, y, 3.5 * unit, 0, 2 * Math.PI);
  context.fill();
}

function drawMarks(canvas, view, points) {
  const { side, unit, context } = canvas;
  points.forEach((u) => {
    const [x, y] = toPixel(u, side, view);
    stroke(canvas, color("--text"), () => context.arc(x, y, 3 * unit, 0, 2 * Math.PI));
  });
}

// Everything but the codes; layer: a canvas with the codes, which change less often than the point.
function drawOver(canvas, layer, view, model) {
  const { side, context } = canvas;
  context.clearRect(0, 0, side, side);
  context.drawImage(layer, 0, 0);
  if (state.samples) drawMarks(canvas, view, samplesOf(model).map((z) => toPlane(model, z)));
  if (state.image !== null) drawEllipses(canvas, view, model, state.image);
  if (state.own !== null && model.encode) drawOwn(canvas, view, model);
  if (state.pins.length === 2) {
    stroke(canvas, color("--mark"), () => {
      context.moveTo(...toPixel(state.pins[0], side, view));
      context.lineTo(...toPixel(state.pins[1], side, view));
    });
  }
  state.pins.forEach((pin, i) => drawCross(canvas, view, pin, color("--mark"), "AB"[i]));
  drawCross(canvas, view, state.point, color("--text"));
  if (state.held) drawHeld(canvas, view, state.point);
}

const layerOf = (canvas) => (canvas.layer ??= document.createElement("canvas"));

function drawCodeLayer(canvas, model) {
  const there = sized(canvas), layer = layerOf(canvas);
  if (!there.side) return;
  layer.width = layer.height = there.side;
  drawCodesRingsAxes({ ...there, context: layer.getContext("2d") }, state.view, model, state.dots, state.visible);
}

function drawPlane() {
  if (layerOf(plane).width !== sized(plane).side) drawCodeLayer(plane, now);
  drawOver(sized(plane), layerOf(plane), state.view, now);
}

// What the plane was turned for.
function turnOf(model) {
  const { turn: [[a, b], [c, d]] } = model, way = a * d - b * c > 0 ? "turned" : "mirrored";
  if (model.encode) return text("plane.network", { start: data.start });
  if (model.alike === false) return text("plane.unlike");
  return NETWORK ? text(`plane.${way}.network`) : text(`plane.${way}`);
}

function describeWindow() {
  const { outside, width } = seenOf(codesOn(now, state.dots), state.view);
  const about = [outside && text("plane.outside", { percent: outside }),
    !outside && width < 15 && text("plane.small", { percent: Math.max(width, 1) })];
  element("outside").textContent = about.filter(Boolean).join("; ");
  element("turned").textContent = isTurned(now) ? turnOf(now) : "";
  press("fit-codes", state.view.fit === "codes");
  press("fit-prior", state.view.fit === "prior");
  press("draws", state.dots === "draws");
}

draws(["weight", "view", "visible", "dots"], () => {
  drawCodeLayer(plane, now);
  describeWindow();
});
draws(["weight", "view", "visible", "dots", "image", "pins", "point", "held", "samples", "own"], drawPlane);
draws(["pins"], () => { element("unpin").disabled = !state.pins.length; });

// ---- the legend

function makeLegend() {
  const legend = element("legend");
  if (!legend) return;
  const show = (visible) => change({ visible });
  data.class_names.forEach((name, i) => {
    const button = node("button", name, { type: "button", "aria-pressed": "true", "data-marker": data.class_markers[i] });
    button.addEventListener("click", () => show(state.visible.with(i, !state.visible[i])));
    legend.append(button);
  });
  [["all", true], ["none", false]].forEach(([name, seen]) => {
    const button = node("button", text(`plane.${name}`), { type: "button", class: "every" });
    button.addEventListener("click", () => show(state.visible.map(() => seen)));
    legend.append(button);
  });
  colorLegend();
}

function colorLegend() {
  element("legend")?.querySelectorAll("[data-marker]").forEach((button, i) => {
    button.style.setProperty("--swatch", classColors()[i]);
    button.setAttribute("aria-pressed", String(state.visible[i]));
  });
}
draws(["visible"], colorLegend);

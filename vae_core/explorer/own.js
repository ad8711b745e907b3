// An image of one's own, encoded by the one network: where it lands, how sure its code is and what comes back, at this
// weight and at all others.

const PATH = 41;  // weights of the path and of the curve, evenly spaced in their logarithm
const NEIGHBOURS = 10;  // codes of test images that say of which class the image would be

let drawn = null;  // the image of the widget, while the panel is closed too
let stations = [];  // { weight, encode, decoder } at each weight of the path; empty until the network is read

async function makeStations() {
  const network = await theNetwork(), ratio = NETWORK.most / NETWORK.least;
  for (let i = stations.length; i < PATH; i = stations.length) {
    const weight = NETWORK.least * ratio ** (i / (PATH - 1)), encode = encoderAt(network, weight);
    stations.push({ weight, encode: (image) => encode(hiddenOf(network, image)), decoder: decoderAt(network, weight) });
    if (i % 4 === 0) await new Promise((resolve) => setTimeout(resolve));
  }
}

// Mean and deviations of q(z|x).
function codeIn({ mean, log_var }) {
  return [codeOf({ mean }, 0), deviationsIn(log_var, 0)];
}

const paths = new WeakMap();  // of an image: its mean at the weights of the path, where the plane shows it

function pathOf(image) {
  if (!paths.has(image)) {
    paths.set(image, stations.map(({ encode }) => toPlane({ turn: NETWORK.turn }, codeIn(encode(image))[0])));
  }
  return paths.get(image);
}

// Over the codes: the path with the weights at its ends, and the ellipses at this weight.
function drawOwn(canvas, view, model) {
  const style = color("--dot-now"), path = pathOf(state.own).map((u) => toPixel(u, canvas.side, view));
  stroke(canvas, style, (context) => path.forEach((at, i) => context[i ? "lineTo" : "moveTo"](...at)));
  canvas.context.font = `${12 * canvas.unit}px system-ui, sans-serif`;
  [[0, NETWORK.least], [PATH - 1, NETWORK.most]].forEach(([i, weight]) => {
    const [x, y] = path[i];
    writeOver(canvas, inThree(weight), x + 6 * canvas.unit, y, "left", "middle");
  });
  drawEllipsesOf(canvas, view, model, ...codeIn(model.encode(state.own)), style);
}

function lossesOf(model, image, mean, deviations) {
  const distortion = distortionOfCode(model, image, mean, deviations), rate = rateOfCode(mean, deviations);
  return { distortion, rate, elbo: distortion + rate };
}

// The class that most of the nearest codes have, and how many.
function classAmong(model, z) {
  const distances = Array.from(labels, (_, i) => Math.hypot(model.mean[2 * i] - z[0], model.mean[2 * i + 1] - z[1]));
  const nearest = Array.from(labels.keys()).sort((i, j) => distances[i] - distances[j]).slice(0, NEIGHBOURS);
  const counts = data.class_names.map((_, label) => nearest.filter((i) => labels[i] === label).length);
  const count = Math.max(...counts);
  return [counts.indexOf(count), count];
}

function showOwn() {
  const shown = state.own !== null && Boolean(now.encode);
  element("own-problem").textContent = state.own !== null && !shown ? text("own.beyond", NETWORK) : "";
  document.querySelectorAll(".own-found").forEach((part) => { part.hidden = !shown; });
  if (!shown) return;
  const [mean, deviations] = codeIn(now.encode(state.own));
  const { distortion, rate, elbo } = lossesOf(now, state.own, mean, deviations);
  const rows = [["z", inPlane(mean)], ["deviations", inPlane(deviations)], ["distortion", nats(distortion, 4)],
    ["rate", nats(rate)], ["elbo", nats(elbo, 4)]];
  if (data.class_names.length) {
    const [label, count] = classAmong(now, mean);
    rows.push(["class", text("own.among", { count, all: NEIGHBOURS, name: data.class_names[label] })]);
  }
  draw(element("own-reconstruction"), decode(now, ...mean));
  element("own-readout").replaceChildren(...rows.flatMap(([name, value]) =>
    [node("dt", text(`own.${name}`)), node("dd", value)]));
  say(rows.map(([name, value]) => `${text(`own.${name}`)} ${value}`).join("; "));
}

// ---- the curve over all weights

let curve = [], curveDrawing = 0;

// Anew for every image, in slices: while somebody draws, the last one stays.
function measureCurve() {
  const mine = ++curveDrawing, image = state.own, found = [];
  if (image === null) return;
  const some = () => {
    if (mine !== curveDrawing) return;
    const started = performance.now();
    while (found.length < PATH && performance.now() - started < SLICE_MILLISECONDS) {
      const { weight, encode, decoder } = stations[found.length];
      found.push({ weight, ...lossesOf(decoder, image, ...codeIn(encode(image))) });
    }
    if (found.length < PATH) return requestAnimationFrame(some);
    curve = found;
    drawCurve();
  };
  some();
}

// Two panels over one axis: distortion and negative ELBO, and the rate, which is smaller.
function drawCurve() {
  const svg = element("own-curve"), unit = unitLength(), width = Math.max(svg.clientWidth, 200);
  if (!curve.length || !now.encode) return;
  const left = 44 * unit, right = width - 8 * unit, height = 250 * unit;
  const x = (weight) => left + Math.log(weight / NETWORK.least) / Math.log(NETWORK.most / NETWORK.least) * (right - left);
  const panels = [{ names: ["elbo", "distortion"], top: 24 * unit, bottom: 120 * unit },
    { names: ["rate"], top: 150 * unit, bottom: 206 * unit }];
  const parts = panels.flatMap((panel) => linesOf(panel, { unit, left, right, x }));
  [0.01, 0.1, 1, 10, 100].filter((weight) => x(weight) >= left && x(weight) <= right).forEach((weight) =>
    parts.push(svgNode("text", { x: x(weight), y: 222 * unit, "text-anchor": "middle" }, String(weight))));
  parts.push(svgNode("text", { x: (left + right) / 2, y: 240 * unit, "text-anchor": "middle" }, text("own.axis")));
  const here = x(Math.min(Math.max(state.weight, NETWORK.least), NETWORK.most));
  parts.push(svgNode("line", { class: "here", x1: here, x2: here, y1: panels[0].top, y2: panels[1].bottom }));
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren(...parts);
}

function linesOf({ names, top, bottom }, { unit, left, right, x }) {
  const values = names.flatMap((name) => curve.map((row) => row[name])), low = Math.min(...values), high = Math.max(...values);
  const y = (value) => bottom - (value - low) / (high - low || 1) * (bottom - top);
  const parts = [svgNode("path", { class: "axis", d: `M${left} ${top}V${bottom}H${right}` })], step = roundStep((high - low) / 3 || 1);
  for (let i = Math.ceil(low / step); i * step <= high; i++) {
    parts.push(svgNode("text", { x: left - 5 * unit, y: y(i * step) + 4 * unit, "text-anchor": "end" }, short(i * step)));
  }
  names.forEach((name, i) => {
    const start = left + i * 0.5 * (right - left), line = top - 12 * unit;
    parts.push(svgNode("polyline", { class: name, points: curve.map((row) => `${x(row.weight)},${y(row[name])}`).join(" ") }),
      svgNode("line", { class: name, x1: start, x2: start + 18 * unit, y1: line, y2: line }),
      svgNode("text", { x: start + 22 * unit, y: line + 4 * unit }, text(`own.curve.${name}`)));
  });
  return parts;
}

// ---- the panel

function showPanel(open) {
  press("draw", open);
  element("own").hidden = !open;
  element("at-point").hidden = open;
}

const isDrawing = () => !element("own").hidden;

function leaveDrawing() {
  if (NETWORK) showPanel(false);
}

async function takeOwn(image) {
  drawn = image;
  if (stations.length === PATH && isDrawing()) await go({ own: image });
}

function makeOwn() {
  if (!NETWORK) return;
  sketching.widget(element("sketch"), {
    shape: data.image_shape, placing: data.placing, texts: data.texts, onImage: takeOwn,
    tests: { labels, class_names: data.class_names, image: originalOf },
  });
  element("draw").addEventListener("click", async () => {
    const open = !isDrawing();
    showPanel(open);
    try {
      if (open) await makeStations();
    } catch {
      showPanel(false);
      fail(text("failure.network"));
      return;
    }
    if (open === isDrawing()) await go({ own: open ? drawn : null });
  });
  draws(["weight", "own"], showOwn);
  draws(["own"], measureCurve);
  draws(["weight", "own"], drawCurve);
}

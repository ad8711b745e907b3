// Every run in the plane of rate and distortion, and the measures at the weight.

const losses = element("losses");

function scales() {
  const unit = unitLength(), width = Math.max(losses.clientWidth, 240), height = Math.min(0.75 * width, 340 * unit);
  const left = 66 * unit, right = width - 16 * unit, top = 12 * unit, bottom = height - 44 * unit;
  const points = [...data.runs, ...(NETWORK?.curve ?? [])];
  const rates = points.map(({ rate }) => rate), distortions = points.map(({ distortion }) => distortion);
  const most = Math.asinh(1.3 * Math.max(...rates)) || 1;
  const low = Math.min(...distortions), high = Math.max(...distortions), space = 0.12 * (high - low) || 1;
  const x = (rate) => left + Math.asinh(Math.max(rate, 0)) / most * (right - left);
  const y = (distortion) => top + (high + space - distortion) / (high - low + 2 * space) * (bottom - top);
  return { unit, width, height, left, right, top, bottom, low: low - space, high: high + space, x, y };
}

function axesOf({ unit, height, left, right, top, bottom, low, high, x, y }) {
  const parts = [svgNode("path", { class: "axis", d: `M${left} ${top}V${bottom}H${right}` })];
  [0, 1, 3, 10, 30, 100, 300, 1000, 3000].filter((rate) => x(rate) <= right).forEach((rate) => {
    parts.push(svgNode("text", { x: x(rate), y: bottom + 16 * unit, "text-anchor": "middle" }, short(rate)));
  });
  const step = roundStep((high - low) / 6);
  for (let i = Math.ceil(low / step); i * step <= high; i++) {
    const at = { x: left - 6 * unit, y: y(i * step) + 4 * unit, "text-anchor": "end" };
    parts.push(svgNode("text", at, short(i * step)));
  }
  const axes = [{ x: (left + right) / 2, y: height - 8 * unit, "text-anchor": "middle" },
    { "text-anchor": "middle", transform: `translate(${14 * unit} ${(top + bottom) / 2}) rotate(-90)` }];
  return [...parts, svgNode("text", axes[0], text("losses.rate")), svgNode("text", axes[1], text("losses.distortion"))];
}

const isShown = (run) => run.kl_weight === now.kl_weight && run.seed === now.seed;

const overlap = (one, other) => Math.max(0, Math.min(one.right, other.right) - Math.max(one.left, other.left))
  * Math.max(0, Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top));

const AROUND = [[0, -1], [0, 1], [1, 0], [-1, 0], [1, -1], [-1, -1], [1, 1], [-1, 1]];

// Where a name of half the width and height can stand: on rings about its dot, within the axes.
function placesFor({ x, y, r }, width, height, { unit, left, right, top, bottom }) {
  const places = [0, 1, 2, 3, 4].flatMap((ring) => AROUND.map(([across, down]) => {
    const gap = r + 14 * unit * ring, [cx, cy] = [x + across * (width + gap), y + down * (height + gap)];
    return { ring, cx, cy, left: cx - width, right: cx + width, top: cy - height, bottom: cy + height };
  }));
  return places.filter((place) => place.left >= left && place.right <= right + 16 * unit
    && place.top >= top - 12 * unit && place.bottom <= bottom);
}

// The names of all weights, each where it covers no other name and as few dots as can be; far from its dot, with a line.
function namesOf(scale, dots) {
  const { unit } = scale, taken = [], parts = [];
  const around = dots.map(({ x, y, r }) => ({ left: x - r, right: x + r, top: y - r, bottom: y + r }));
  const sum = (boxes, place) => boxes.reduce((total, box) => total + overlap(place, box), 0);
  const cost = (place) => 100 * sum(taken, place) + sum(around, place) + 20 * unit ** 2 * place.ring;
  const named = new Map(dots.map((dot) => [dot.run.kl_weight, dot]));  // of each weight the dot that lies on top
  [...named.values()].toReversed().forEach((dot) => {
    const weight = dot.run.kl_weight, name = isShown(dot.run) ? text("weight.value", { weight }) : String(weight);
    const places = placesFor(dot, (4 * name.length + 2) * unit, 8 * unit, scale);
    const place = places.toSorted((one, other) => cost(one) - cost(other))[0];
    taken.push(place);
    if (place.ring) parts.push(svgNode("line", { class: "lead", x1: dot.x, y1: dot.y, x2: place.cx, y2: place.cy }));
    const middle = { class: "name", x: place.cx, y: place.cy + 4.5 * unit, "text-anchor": "middle" };
    parts.push(svgNode("text", middle, name));
  });
  return parts;
}

function dotsOf({ unit, x, y }) {
  const order = (run) => (run.kl_weight === now.kl_weight) + isShown(run);
  return data.runs.toSorted((one, other) => order(one) - order(other)).map((run) => {  // what is shown lies on top
    const kind = ["run", "same", "now"][order(run)];
    return { run, kind, x: x(run.rate), y: y(run.distortion), r: (kind === "now" ? 7 : 4.5) * unit };
  });
}

// The one network: a line over its weights, and a ring at this one, if it decodes.
function curveOf({ unit, x, y }) {
  if (!NETWORK) return [];
  const line = svgNode("polyline", { class: "curve",
    points: NETWORK.curve.map(({ rate, distortion }) => `${x(rate)},${y(distortion)}`).join(" ") });
  if (!now.encode) return [line];
  const { rate, distortion } = measuredAt(now.kl_weight);
  return [line, svgNode("circle", { class: "ring", cx: x(rate), cy: y(distortion), r: 7 * unit })];
}

let dots = [];
function drawLosses() {
  const scale = scales();
  dots = dotsOf(scale);
  const circles = dots.map(({ run, kind, x, y, r }) => {
    const circle = svgNode("circle", { cx: x, cy: y, r, class: kind });
    circle.append(svgNode("title", {}, text("losses.run", { weight: run.kl_weight, seed: run.seed })));
    return circle;
  });
  losses.setAttribute("viewBox", `0 0 ${scale.width} ${scale.height}`);
  losses.replaceChildren(...axesOf(scale), ...curveOf(scale), ...circles, ...namesOf(scale, dots));
  const run = now.encode ? measuredAt(now.kl_weight) : data.runs.find(isShown);
  losses.setAttribute("aria-valuemax", STOPS.length - 1);
  losses.setAttribute("aria-valuenow", positionOf(now.kl_weight));
  losses.setAttribute("aria-valuetext", text("losses.value",
    { weight: now.kl_weight, rate: run.rate.toFixed(2), distortion: run.distortion.toFixed(2) }));
}

function drawMeasures() {
  element("row").replaceChildren(...Object.entries(now.measured).map(([name, value]) => {
    const line = node("tr", "");
    line.append(node("th", name, { scope: "row" }), node("td", value));
    return line;
  }));
  element("losses-help").textContent = now.encode ? text("losses.network") : text("losses.help", { seed: now.seed });
}

draws(["weight"], () => {
  drawLosses();
  drawMeasures();
});

losses.addEventListener("click", ({ clientX, clientY }) => {
  const box = losses.getBoundingClientRect(), scale = losses.viewBox.baseVal.width / box.width;
  const distance = ({ x, y }) => Math.hypot(x - (clientX - box.left) * scale, y - (clientY - box.top) * scale);
  const reached = dots.filter(({ run }) => WEIGHTS.includes(run.kl_weight));
  stop();
  go({ weight: reached.toSorted((one, another) => distance(one) - distance(another))[0].run.kl_weight });
});

losses.addEventListener("keydown", (event) => {
  const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, Home: -1, End: 1 };
  if (!steps[event.key] || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  const end = steps[event.key] > 0 ? WEIGHTS.at(-1) : WEIGHTS[0];
  stop();
  go({ weight: (["Home", "End"].includes(event.key) ? undefined : nextOf(WEIGHTS, state.weight, steps[event.key])) ?? end });
});

// The slider: a stop for each run, between them the one network where there is one, and a mark where the law of collapse
// says that a latent unit dies.

const slider = element("weight");

// What dies above the k-th largest of the weights of collapse.
function whatDies(k) {
  if (k === 0) return text("collapse.first");
  return text(k === 1 ? "collapse.unit" : "collapse.units", { number: k + 1, left: k });
}

const COLLAPSE = data.collapse.map((weight, k) => ({ weight, what: whatDies(k), position: positionOf(weight) }));
const STEP = NETWORK ? 0.05 : 1;  // of the way from stop to stop

function showWeight() {
  const weight = String(state.weight);
  slider.value = positionOf(state.weight);
  slider.setAttribute("aria-valuetext", NETWORK ? sourceOf(now) : text("weight.value", { weight }));
  element("weight-value").textContent = weight;
  document.body.dataset.weight = weight;
}

// Who decodes.
const sourceOf = (model) => text(model.encode ? "source.network" : "source.run", { weight: model.kl_weight });

// The smallest collapse weight that lies above the present weight, and the largest that lies below.
function showCollapse() {
  const next = COLLAPSE.findLast(({ weight }) => weight > state.weight);
  const passed = COLLAPSE.find(({ weight }) => weight <= state.weight);
  const told = [passed && ["passed", passed], next && ["next", next]].filter(Boolean).slice(0, 1);
  const sentences = told.map(([name, { weight, what }]) => text(`collapse.${name}`, { weight: inThree(weight), what }));
  element("collapse").textContent = [...(NETWORK ? [sourceOf(now)] : []), ...sentences].join(" ");
}

function makeTicks() {
  const every = Math.ceil(STOPS.length / 9);  // more would touch each other on a phone
  const ticks = STOPS.map((weight, i) => node("span", i % every ? "" : weight));
  const marks = COLLAPSE.filter(({ position }) => !Number.isNaN(position)).map(({ weight, what, position }) => {
    const mark = node("b", "\u25be", { title: text("collapse.next", { weight: inThree(weight), what }) });
    mark.style.left = placeOf(position);
    return mark;
  });
  const runs = WEIGHTS.filter(() => NETWORK).map((weight) => {
    const dot = node("i", "");
    dot.style.left = placeOf(positionOf(weight));
    return dot;
  });
  element("ticks").replaceChildren(...ticks);
  element("marks").replaceChildren(...marks, ...runs);
}

const placeOf = (position) => `${100 * position / Math.max(STOPS.length - 1, 1)}%`;

// The weight at a place of the slider; where the network does not reach, that of the nearest stop.
function weightNear(position) {
  const weight = weightAt(position);
  return hasModel(weight) ? weight : STOPS[Math.round(position)];
}

function makeContinuous() {
  if (!NETWORK) return;
  Object.assign(slider, { max: STOPS.length - 1, step: STEP });
  document.body.classList.add("continuous");
  element("play").hidden = STOPS.length < 2;
}

draws(["weight"], () => {
  showWeight();
  showCollapse();
});
slider.addEventListener("input", () => {
  stop();
  go({ weight: weightNear(Number(slider.value)) });
});

// Page Up and Page Down go from stop to stop; an arrow crosses in one step what the network does not reach.
const WAYS = { ArrowRight: 1, ArrowUp: 1, PageUp: 1, ArrowLeft: -1, ArrowDown: -1, PageDown: -1 };
slider.addEventListener("keydown", (event) => {
  const way = WAYS[event.key];
  if (!NETWORK || !way || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  stop();
  const position = Number(slider.value), weight = weightNear(position);
  const next = event.key.startsWith("Page") ? undefined : steppedFrom(position, way);
  go({ weight: next ?? nextOf(STOPS, weight, way) ?? weight });
});

// A step farther on; undefined where there is no model or the slider ends.
function steppedFrom(position, way) {
  const next = Math.round(position / STEP + way) * STEP, near = Number(next.toFixed(6));
  const weight = near >= 0 && near <= STOPS.length - 1 ? weightAt(near) : undefined;
  return weight !== undefined && hasModel(weight) ? weight : undefined;
}

// The slider: a step for each weight, and a mark where the law of collapse says that a latent unit dies.

const slider = element("weight");

// What dies above the k-th largest of the weights of collapse.
function whatDies(k) {
  if (k === 0) return text("collapse.first");
  return text(k === 1 ? "collapse.unit" : "collapse.units", { number: k + 1, left: k });
}

const COLLAPSE = data.collapse.map((weight, k) => ({ weight, what: whatDies(k), position: positionOf(weight) }));
const inThree = (weight) => String(Number(weight.toPrecision(3)));

function showWeight() {
  const weight = String(state.weight);
  slider.value = WEIGHTS.indexOf(state.weight);
  slider.setAttribute("aria-valuetext", text("weight.value", { weight }));
  element("weight-value").textContent = weight;
  document.body.dataset.weight = weight;
}

// The smallest collapse weight that lies above the present weight, and the largest that lies below.
function showCollapse() {
  const next = COLLAPSE.findLast(({ weight }) => weight > state.weight);
  const passed = COLLAPSE.find(({ weight }) => weight <= state.weight);
  const told = [passed && ["passed", passed], next && ["next", next]].filter(Boolean).slice(0, 1);
  element("collapse").textContent = told.map(([name, { weight, what }]) =>
    text(`collapse.${name}`, { weight: inThree(weight), what })).join(" ");
}

function makeTicks() {
  const every = Math.ceil(WEIGHTS.length / 9);  // more would touch each other on a phone
  const ticks = WEIGHTS.map((weight, i) => node("span", i % every ? "" : weight));
  const marks = COLLAPSE.filter(({ position }) => !Number.isNaN(position)).map(({ weight, what, position }) => {
    const mark = node("b", "\u25be", { title: text("collapse.next", { weight: inThree(weight), what }) });
    mark.style.left = `${100 * position / Math.max(WEIGHTS.length - 1, 1)}%`;
    return mark;
  });
  element("ticks").replaceChildren(...ticks);
  element("marks").replaceChildren(...marks);
}

draws(["weight"], () => {
  showWeight();
  showCollapse();
});
slider.addEventListener("input", () => {
  stop();
  go({ weight: WEIGHTS[Number(slider.value)] });
});

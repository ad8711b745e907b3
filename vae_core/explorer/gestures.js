// Mouse, fingers and keys on the plane.

function setView(view) {
  change({ view });
  say(text("plane.window", { middle: inPlane(view.middle), half: digits(view.half) }));
}

function intoView(u) {  // pans as far as it needs
  const { view } = state, reach = 0.95 * view.half, beyond = u.map((value, axis) => value - view.middle[axis]);
  if (beyond.every((distance) => Math.abs(distance) <= reach)) return;
  const pan = beyond.map((distance) => Math.sign(distance) * Math.max(Math.abs(distance) - reach, 0));
  setView({ ...view, fit: "own", middle: view.middle.map((value, axis) => value + pan[axis]) });
}

function zoom(factor, around = state.view.middle, { middle, half: before } = state.view) {
  const half = Math.min(Math.max(before * factor, WINDOW[0]), WINDOW[1]), ratio = half / before;
  setView({ fit: "own", half, middle: [0, 1].map((axis) => around[axis] + (middle[axis] - around[axis]) * ratio) });
}

function hold(point) {
  change({ point, held: true });
  say(text("said.held", { point: inPlane(point) }));
}

function free() {
  change({ held: false });
  say(text("said.free"));
}

function pin(point = state.point) {
  const pins = state.pins.length === 2 ? [point] : [...state.pins, point];
  change({ pins });
  say(text("said.pin", { name: "AB"[pins.length - 1], point: inPlane(point) }));
}

function unpin() {
  change({ pins: [] });
  say(text("said.unpinned"));
}

const latentOf = ({ clientX, clientY }, canvas, view = state.view) => {
  const box = canvas.getBoundingClientRect();
  return toLatent([clientX - box.left, clientY - box.top], box.width, view);
};

// Whether two points are one to the eye.
const areNear = (one, two) => Math.hypot(one[0] - two[0], one[1] - two[1]) < 12 * 2 * state.view.half / plane.clientWidth;

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
  const isDown = touching.has(event.pointerId);
  const finger = event.pointerType === "touch" && touching.size === 1;  // moves the point instead of the window
  if (finger || (!isDown && !state.held)) movePoint(latentOf(event, plane), finger);
  if (!isDown) return;
  touching.set(event.pointerId, { x: event.clientX, y: event.clientY });
  const after = gesture(), [right, down] = [after.clientX - before.clientX, after.clientY - before.clientY];
  dragged ||= Math.hypot(right, down) > (event.pointerType === "touch" ? 10 : 4);
  if (!dragged || finger) return;
  const { view } = state, perPixel = 2 * view.half / plane.clientWidth;
  const moved = { ...view, middle: [view.middle[0] - right * perPixel, view.middle[1] + down * perPixel] };
  zoom(after.spread && before.spread ? before.spread / after.spread : 1, latentOf(after, plane, moved), moved);
  before = after;
});

plane.addEventListener("pointerup", (event) => {
  if (!touching.delete(event.pointerId)) return;
  if (touching.size) before = gesture();
  if (dragged) return;
  const u = latentOf(event, plane);
  if (event.shiftKey) pin(u);
  else if (state.held && areNear(u, state.point) && event.pointerType !== "touch") free();
  else hold(u);
});

plane.addEventListener("pointercancel", (event) => touching.delete(event.pointerId));

plane.addEventListener("wheel", (event) => {
  if (!event.ctrlKey && document.activeElement !== plane) return;  // the page scrolls
  event.preventDefault();
  zoom(1.0015 ** event.deltaY, latentOf(event, plane));
}, { passive: false });

plane.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;  // the browser's own keys
  const step = state.view.half * (event.shiftKey ? 0.2 : 0.02);
  const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
  if (moves[event.key]) {
    change({ point: state.point.map((value, axis) => value + moves[event.key][axis]), held: true });
    intoView(state.point);
    const [nearest] = nearestCode(now, labels, state.visible, state.point), point = inPlane(state.point);
    const name = data.class_names[labels[nearest]];  // there is none without classes
    say(name === undefined ? point : text("said.near", { point, name }));
  } else if (event.key === "Enter" || event.key === " ") pin();
  else if (event.key === "Escape" && state.held) free();
  else if (event.key === "Escape") unpin();
  else if (event.key === "f" || event.key === "F") follow();
  else if (event.key === "+" || event.key === "=") zoom(0.8);
  else if (event.key === "-") zoom(1.25);
  else return;
  event.preventDefault();
});

element("fit-codes").addEventListener("click", () => setView(fitCodes(now)));
element("fit-prior").addEventListener("click", () => setView(fitPrior()));
element("zoom-in").addEventListener("click", () => zoom(0.7));
element("zoom-out").addEventListener("click", () => zoom(1 / 0.7));
element("pin").addEventListener("click", () => pin());
element("unpin").addEventListener("click", unpin);
element("draws").addEventListener("click", () => change({ dots: state.dots === "draws" ? "means" : "draws" }));
element("hold").addEventListener("click", () => (state.held ? free() : hold(state.point)));

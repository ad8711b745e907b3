// What the page shows. `change` and `go` are the only functions that change it, and each drawing says on what it depends.
// Points u of the plane are where they are drawn: see `turn` in decoder.js.

const fitPrior = () => ({ fit: "prior", middle: [0, 0], half: data.prior_half });
const WINDOW = [0.02, 1e4];  // the least and the largest half of a window's side

const START = {  // where the page opens
  weight: data.start,
  beside: null,  // another weight, or null
  point: data.point,
  held: false,  // else the point follows the mouse
  image: null,  // which of the page's test images is followed, or null
  view: { ...fitPrior(), fit: data.window },  // fit: "prior", "codes", which follows them from weight to weight, or "own"
  dots: "means",  // or "draws" from q(z|x)
};
const state = {
  ...START,
  visible: data.class_markers.map(() => true),  // by class; without classes all codes have one look
  pins: [],
  samples: null,  // { of: "prior" or "posterior", seed }
  own: null,  // an image of one's own, (pixels,), which only the one network can encode
};
let now, other = null;  // the models at state.weight and at state.beside

const drawings = [];
const draws = (parts, drawing) => drawings.push([parts, drawing]);

function redraw(parts) {
  drawings.forEach(([needed, drawing]) => { if (needed.some((part) => parts.includes(part))) drawing(); });
}

function change(patch) {
  Object.assign(state, patch);
  redraw(Object.keys(patch));
  rememberSoon();
}

let frame = 0;
function movePoint(point, held = false) {  // drawn with the next frame: a mouse may move more often than the screen is drawn
  Object.assign(state, { point, held });
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    redraw(["point", "held"]);
  });
  rememberSoon();
}

const tellDamaged = (weight) => fail(text("failure.weight", { weight }));

// A change for which models may have to be loaded. Of several that wait for theirs all are made at once. Returns whether
// they were.
let wishes = {}, asked = 0;
async function go(patch) {
  const mine = ++asked;
  wishes = { ...wishes, ...patch };
  const { weight, beside, own } = { ...state, ...wishes }, encodes = own !== null;
  let models;
  try {
    models = await Promise.all([modelAt(weight, encodes), beside === null ? null : modelAt(beside, encodes)]);
  } catch {
    if (mine !== asked) return false;
    const broken = await modelAt(weight, encodes).then(() => beside, () => weight);
    tellDamaged(broken);
    wishes = {};
    if (now) change({ weight: state.weight, beside: state.beside });  // back to what is still shown
    return false;
  }
  if (mine !== asked) return false;  // moved on meanwhile
  const others = [now !== models[0] && { weight }, other !== models[1] && { beside }];  // of the same weight, as it may be
  const made = Object.assign({}, ...others, wishes), view = made.view ?? state.view;
  [now, other] = models;
  wishes = {};
  change(view.fit === "codes" ? { ...made, view: fitCodes(now) } : made);
  loadNeighbours(weight);
  return true;
}

// ---- the address

const ADDRESS_MILLISECONDS = 400;  // so that a gesture is one step of the browser's history
let written = "", writing = 0;  // the address as it is, and the timer
const HAS_ADDRESS = location.protocol !== "about:";  // a page inside a notebook has none

const round = (value) => Number(value.toPrecision(4));

function address() {
  const { weight, beside, point, held, image, view, dots } = state, parts = { weight };
  if (beside !== null) parts.beside = beside;
  if (held) parts.z = point.map(round);
  if (image !== null) parts.image = testNumbers[image];
  if (view.fit !== START.view.fit) parts.window = view.fit === "own" ? [...view.middle, view.half].map(round) : view.fit;
  if (dots !== START.dots) parts.dots = dots;
  return `#${Object.entries(parts).map(([name, value]) => `${name}=${value}`).join("&")}`;
}

const listOf = (value, length) => {
  const list = value.split(",").map((part) => (part.trim() ? Number(part) : NaN));
  return list.length === length && list.every((number) => Math.abs(number) <= WINDOW[1]) ? list : undefined;
};

const READERS = {  // undefined for what is not understood
  weight: (value) => listOf(value, 1)?.find(hasModel),
  beside: (value) => READERS.weight(value),
  z: (value) => listOf(value, 2),
  image: (value) => {
    const image = testNumbers.indexOf(listOf(value, 1)?.[0]);
    return image < 0 ? undefined : image;
  },
  window: (value) => {
    if (["prior", "codes"].includes(value)) return { ...fitPrior(), fit: value };
    const [x, y, half] = listOf(value, 3) ?? [];
    return half >= WINDOW[0] ? { fit: "own", middle: [x, y], half } : undefined;
  },
  dots: (value) => (["means", "draws"].includes(value) ? value : undefined),
};

// The part of the state that an address gives, and what of it is not understood.
function readAddress(hash) {
  const parts = hash.replace(/^#/, "").split("&").filter(Boolean).map((part) => part.split(/=(.*)/s));
  const found = { ...START }, broken = [];
  parts.forEach(([name, value = ""]) => {
    const read = Object.hasOwn(READERS, name) ? READERS[name](value) : undefined;
    if (read === undefined) broken.push(value ? `${name}=${value}` : name);
    else if (name === "z") Object.assign(found, { point: read, held: true });
    else found[name === "window" ? "view" : name] = read;
  });
  return [found, broken];
}

async function followAddress() {
  const [found, broken] = readAddress(location.hash);
  const made = await go(found);
  clearTimeout(writing);
  written = address();
  if (made) fail(broken.length ? text("failure.address", { parts: broken.join(", ").slice(0, 200) }) : "");
}

function rememberSoon() {
  clearTimeout(writing);
  writing = setTimeout(remember, ADDRESS_MILLISECONDS);
}

function remember() {
  clearTimeout(writing);
  if (!HAS_ADDRESS || address() === written) return;
  written = address();
  history[isPlaying() ? "replaceState" : "pushState"](null, "", written);  // playing is no way of steps to go back
}

addEventListener("hashchange", followAddress);

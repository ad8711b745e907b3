// From the beginning.

function drawAgain() {  // in other colours or another size
  if (!now) return;
  redraw(["view", "visible", "beside"]);
  drawLosses();
  if (NETWORK) drawCurve();
  document.querySelectorAll(".answer canvas").forEach((canvas) => canvas.redraw?.());
}

let sizes = "";
const sizesNow = () => [plane, losses, otherPlane].map(({ clientWidth }) => clientWidth).join();
function drawIfResized() {
  if (sizesNow() === sizes) return;
  sizes = sizesNow();
  drawAgain();
}

async function start() {
  await loadImages();
  makeLegend();
  makeTicks();
  makeContinuous();
  makeOwn();
  makeBeside();
  makeQuestions();
  showPlay();
  element("link").hidden = !HAS_ADDRESS;
  fail("");
  await followAddress();
  if (!now) await go(START);  // the weight in the address is damaged
  redraw(["pins", "samples"]);  // which no address has
  sizes = sizesNow();
  [plane, otherPlane, losses.parentElement].forEach((part) => new ResizeObserver(drawIfResized).observe(part));
  darkScheme.addEventListener("change", drawAgain);
  document.body.dataset.ready = "yes";
  if (NETWORK) (window.requestIdleCallback ?? setTimeout)(() => hiddenOfAll().catch(() => {}));
}

start();

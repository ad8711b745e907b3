// What stands beside the plane: the same window, decoded, or the same window at another weight.

const CELLS = 20;  // images across the manifold, of square ones
const COLUMNS = Math.round(CELLS * Math.sqrt(HEIGHT / WIDTH)), ROWS = Math.round(CELLS * Math.sqrt(WIDTH / HEIGHT));
const CELL_MILLISECONDS = 10;  // of every frame that the manifold may take, so that the pointer stays at the screen's rate
const WINDOW_MILLISECONDS = 120;  // that a window must rest before it is decoded
const manifold = element("manifold"), otherPlane = element("other-plane");

let manifoldDrawing = 0;  // the number of the present one: those begun before it stop

function drawManifold() {
  const drawing = ++manifoldDrawing, { view } = state, model = now;
  manifold.width = COLUMNS * WIDTH;
  manifold.height = ROWS * HEIGHT;
  let cell = 0;
  const some = () => {
    if (drawing !== manifoldDrawing) return;  // the window or the weight has changed since
    const started = performance.now();
    while (cell < COLUMNS * ROWS && performance.now() - started < CELL_MILLISECONDS) {
      const row = Math.floor(cell / COLUMNS), column = cell % COLUMNS;
      const u = toLatent([(column + 0.5) / COLUMNS, (row + 0.5) / ROWS], 1, view);
      draw(manifold, decodeAt(model, u), WIDTH * column, HEIGHT * row);
      cell++;
    }
    manifold.dataset.cells = cell;
    if (cell < COLUMNS * ROWS) requestAnimationFrame(some);
  };
  manifold.dataset.cells = 0;
  some();
}

let manifoldLater = 0;
function drawManifoldLater() {
  clearTimeout(manifoldLater);
  manifoldLater = setTimeout(drawManifold, WINDOW_MILLISECONDS);
}

function markPoint() {
  const mark = element("here"), [x, y] = toPixel(state.point, 100, state.view);
  mark.hidden = Boolean(other) || !isInside(state.point, state.view);
  mark.style.left = `${x}%`;
  mark.style.top = `${y}%`;
}

function drawOtherPlane() {
  if (other) drawOver(sized(otherPlane), layerOf(otherPlane), state.view, other);
}

function chooseBeside() {
  manifold.hidden = Boolean(other);
  otherPlane.hidden = !other;
  offer(state.beside);
  element("beside").value = String(state.beside);
  element("beside-help").textContent = text(other ? "beside.plane.help" : "beside.manifold.help");
}

draws(["beside"], chooseBeside);
draws(["weight"], drawManifold);
draws(["view"], drawManifoldLater);
draws(["weight", "beside", "point", "view"], markPoint);
draws(["beside", "view", "visible", "dots"], () => { if (other) drawCodeLayer(otherPlane, other); });
draws(["beside", "view", "visible", "dots", "image", "pins", "point", "held", "samples", "own"], drawOtherPlane);

function makeBeside() {
  const choices = [["null", text("beside.decoded")],
    ...WEIGHTS.map((weight) => [String(weight), text("beside.weight", { weight })])];
  element("beside").replaceChildren(...choices.map(([value, name]) => node("option", name, { value })));
}

// A weight between the runs, which an address can have.
function offer(weight) {
  const select = element("beside");
  select.querySelector(".between")?.remove();
  if (weight === null || WEIGHTS.includes(weight)) return;
  select.append(node("option", text("beside.weight", { weight }), { value: String(weight), class: "between" }));
}

element("beside").addEventListener("change", ({ target: { value } }) =>
  go({ beside: value === "null" ? null : Number(value) }));
[manifold, otherPlane].forEach((canvas) => canvas.addEventListener("click", (event) => {
  hold(latentOf(event, canvas));
  plane.focus({ preventScroll: true });
}));

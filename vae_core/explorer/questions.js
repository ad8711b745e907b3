// Questions, to be guessed before they are answered.

function makeQuestions() {
  data.questions.forEach((question, i) => {
    const item = node("li", ""), place = node("div", "", { class: "answer", id: `answer-${i}`, "aria-live": "polite" });
    const button = node("button", "", { type: "button", "aria-controls": place.id });
    const show = (open) => {
      const name = open ? "hide" : "reveal";
      button.setAttribute("aria-expanded", String(open));
      button.textContent = text(`questions.${name}`);
      button.setAttribute("aria-label", text(`questions.${name}.label`, { question: question.question }));
    };
    show(false);
    button.addEventListener("click", async () => {
      const open = button.getAttribute("aria-expanded") === "false";
      show(open);
      place.replaceChildren();
      if (open) await answer(question, place);
    });
    item.append(node("p", question.question), button, place);
    element("questions").append(item);
  });
}

async function answer(question, place) {
  const model = await modelAt(question.kl_weight).catch(() => tellDamaged(question.kl_weight));
  if (!model) return;
  const points = question.points.flat().map((z) => toPlane(model, z));
  const area = { codes: () => fitCodes(model), points: () => fit(points, "own"), prior: fitPrior }[question.window]();
  const there = node("button", text("questions.show"), { type: "button" });
  there.addEventListener("click", async () => {
    const dots = question.picture === "draws" ? "draws" : "means";
    const patch = { weight: question.kl_weight, view: area, dots };
    await go(question.window === "points" ? { ...patch, point: points[0], held: true } : patch);
    plane.scrollIntoView({ block: "nearest" });
    plane.focus({ preventScroll: true });
  });
  const said = node("div", "");
  said.append(node("p", question.answer), there);
  place.replaceChildren(said);
  PICTURES[question.picture](place, question, model, area);
}

const PICTURES = {
  codes: (place, question, model, area) => showCodes(place, "questions.codes", model, area, "means"),
  draws: (place, question, model, area) => {
    showCodes(place, "questions.means", model, area, "means");
    showCodes(place, "questions.draws", model, area, "draws");
  },
  images: (place, { points }, model) => {
    const canvas = pictureIn(place, text("questions.images", { weight: model.kl_weight }));
    const rows = points[0].map((_, row) => points.map((column) => column[row]));
    canvas.classList.toggle("row", rows.length === 1);
    drawGrid(canvas, rows.flat().map((z) => decode(model, ...z)), points.length);
  },
  bars: (place, { bars }) => place.prepend(barsOf(bars)),
};

function pictureIn(place, label) {
  const figure = node("figure", ""), canvas = node("canvas", "", { role: "img", "aria-label": label });
  figure.append(canvas, node("figcaption", label));
  place.insertBefore(figure, place.lastElementChild);
  return canvas;
}

function showCodes(place, label, model, area, dots) {
  const canvas = pictureIn(place, text(label, { weight: model.kl_weight }));
  canvas.redraw = () => drawCodesRingsAxes(sized(canvas), area, model, dots, state.visible.map(() => true));
  canvas.redraw();
}

// A bar for each number, in nats per image; the answer's is marked.
function barsOf(bars) {
  const list = node("dl", "", { class: "bars" }), most = Math.max(...bars.map(([, value]) => value));
  bars.forEach(([name, value, marked]) => {
    const bar = node("dd", "", { class: marked ? "marked" : "" }), line = node("span", "", { "aria-hidden": "true" });
    line.style.width = `${60 * value / most}%`;
    bar.append(line, value.toFixed(2));
    list.append(node("dt", name), bar);
  });
  return list;
}

// A tour: each step is a sentence and the address of what it shows.

let tourStep = -1;  // there is none

async function showStep(index) {
  tourStep = index;
  const step = data.tour[index];
  element("tour").hidden = !step;
  press("start-tour", Boolean(step));
  if (!step) {
    tourStep = -1;
    element("start-tour").focus();
    return;
  }
  element("tour-title").textContent = text("tour.step", { number: index + 1, steps: data.tour.length });
  element("tour-text").textContent = step.text;
  element("tour-back").disabled = index === 0;
  element("tour-next").textContent = text(index === data.tour.length - 1 ? "tour.end" : "tour.next");
  stop();
  leaveDrawing();
  await go({ ...readAddress(step.address)[0], samples: null, own: null });
}

element("start-tour").addEventListener("click", async () => {
  await showStep(tourStep < 0 ? 0 : -1);
  if (tourStep === 0) element("tour-next").focus();
});
element("tour-back").addEventListener("click", () => showStep(tourStep - 1));
element("tour-next").addEventListener("click", () => showStep(tourStep + 1));
element("tour-end").addEventListener("click", () => showStep(-1));
element("tour").addEventListener("keydown", ({ key }) => { if (key === "Escape") showStep(-1); });

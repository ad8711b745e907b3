// The slider runs by itself, and stops at the first weight at which a latent unit is said to be dead.

const STEP_MILLISECONDS = 1200;
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
let playing = 0;  // the timer of the next step; 0: it stands still

const isPlaying = () => playing !== 0;

const nextWeight = () => WEIGHTS[WEIGHTS.indexOf(state.weight) + 1] ?? WEIGHTS[0];

// Whether a unit dies on the way to this weight from the one before it.
function isCollapse(weight) {
  const before = WEIGHTS[WEIGHTS.indexOf(weight) - 1] ?? 0;
  return data.collapse.some((one) => before < one && one <= weight);
}

async function step() {
  await go({ weight: nextWeight() });
  if (!playing) return;
  if (state.weight === WEIGHTS.at(-1) || isCollapse(state.weight)) stop();
  else playing = setTimeout(step, STEP_MILLISECONDS);
}

function stop() {
  clearTimeout(playing);
  playing = 0;
  showPlay();
}

function showPlay() {
  element("play").textContent = text(reducedMotion.matches ? "play.step" : playing ? "play.stop" : "play");
}

element("play").addEventListener("click", () => {
  if (reducedMotion.matches) go({ weight: nextWeight() });
  else if (playing) stop();
  else {
    playing = setTimeout(step, 0);
    showPlay();
  }
});
reducedMotion.addEventListener("change", stop);

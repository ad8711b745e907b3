// The slider runs by itself, and stops at the first weight at which a latent unit is said to be dead.

const STEP_MILLISECONDS = NETWORK ? 100 : 1200;
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
let playing = 0;  // the timer of the next step; 0: it stands still

const isPlaying = () => playing !== 0;

const nextStop = () => nextOf(STOPS, state.weight, 1) ?? STOPS[0];
const nextWeight = () => (NETWORK && steppedFrom(positionOf(state.weight), 1)) || nextStop();

// Whether a unit dies on the way from one weight to another.
const isCollapse = (before, weight) => data.collapse.some((one) => before < one && one <= weight);

async function step() {
  const before = state.weight;
  await go({ weight: nextWeight() });
  if (!playing) return;
  if (state.weight === STOPS.at(-1) || isCollapse(before, state.weight)) stop();
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
  if (reducedMotion.matches) go({ weight: nextStop() });
  else if (playing) stop();
  else {
    playing = setTimeout(step, 0);
    showPlay();
  }
});
reducedMotion.addEventListener("change", stop);

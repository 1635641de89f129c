// The page of a trial, and that of a comparison: learning curves, and pictures of the network.

import { drawCurves } from "./charts/curves.js";
import { caption, showEmpty } from "./charts/svg.js";
import { liveEvents } from "./common/live_events.js";
import { Picture } from "./common/pictures.js";
import { getJson, getJsonPatiently } from "./common/requests.js";

const fetchCurves = async (sweep, trials) => {
  const { curves } = await getJson(`/api/v1/sweeps/${sweep}/curves?trials=${trials}`);
  return curves;
};

// The curves of trials of one or more sweeps, each under a name that tells them apart.
const fetchPairs = async (pairs) => {
  const sweeps = new Set(pairs.map(({ sweep }) => sweep));
  const shown = {};
  for (const { sweep, trial } of pairs) {
    const curves = await fetchCurves(sweep, trial);
    shown[sweeps.size > 1 ? `${sweep} ${trial}` : trial] = curves[trial];
  }
  return shown;
};

const pairsOf = (text) =>
  text.split(" ").map((pair) => {
    const [sweep, trial] = pair.split(":");
    return { sweep, trial };
  });

const showCurves = async (figure) => {
  const { sweep, trials, best, pairs } = figure.dataset;
  try {
    if (pairs) {
      drawCurves(figure, await fetchPairs(pairsOf(pairs)));
      return;
    }
    const bestEpochs = { [trials]: Number(best) };
    drawCurves(figure, await fetchCurves(sweep, trials), { bestEpochs });
    if (best) caption(figure, `the dot is the best epoch, ${best}`);
  } catch (error) {
    showEmpty(figure, error.message);
  }
};

const paragraph = (className, textContent) =>
  Object.assign(document.createElement("p"), { className, textContent });

const pictureFigure = ({ name, title, caption: words }, url) => {
  const figure = document.createElement("figure");
  figure.className = "busy";
  const heading = Object.assign(document.createElement("h3"), { textContent: title });
  const figcaption = document.createElement("figcaption");
  figcaption.append(heading, Object.assign(document.createElement("p"), { textContent: words }));
  figure.addEventListener("picture", ({ detail: state }) => {
    figure.classList.toggle("busy", state === "waiting");
    figure.classList.toggle("failed", state === "failed");
  });
  figure.append(figcaption, new Picture(`${url}/${name}`, title).node);
  return figure;
};

const showPictures = async (place) => {
  const { url } = place.dataset;
  try {
    const { figures, left_out: leftOut } = await getJsonPatiently(url);
    const grid = Object.assign(document.createElement("div"), { className: "figures" });
    // Two stacks, so that a low figure leaves no hole; a phone shows them in their order.
    const stacks = [0, 1].map(() => grid.appendChild(document.createElement("div")));
    for (const [order, figure] of figures.entries()) {
      const made = pictureFigure(figure, url);
      made.style.order = order;
      stacks[order % 2].append(made);
    }
    const missing = leftOut.map((text) => paragraph("muted", `Not shown: ${text}`));
    place.replaceChildren(grid, ...missing);
  } catch (error) {
    place.replaceChildren(paragraph("error", error.message));
  }
};

const openPage = async () => {
  const traceback = document.getElementById("traceback");
  if (traceback) traceback.scrollTop = traceback.scrollHeight; // its end says most
  const curves = document.getElementById("curves");
  if (curves) {
    liveEvents.onChange(() => showCurves(curves));
    await showCurves(curves);
  }
  const pictures = document.getElementById("trial-figures");
  if (pictures) await showPictures(pictures);
};

openPage();

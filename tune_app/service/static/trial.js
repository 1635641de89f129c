// The page of a trial, and that of a comparison: learning curves, and figures of the network.
import { get, onChange } from "./app.js";
import { drawCurves, empty } from "./charts.js";

const curves = document.getElementById("curves");

const drawAll = async () => {
  const box = curves.querySelector(".draw");
  try {
    if (curves.dataset.pairs) {
      const shown = {};
      const pairs = curves.dataset.pairs.split(" ").map((one) => one.split(":"));
      const sweeps = new Set(pairs.map(([sweep]) => sweep));
      for (const [sweep, trial] of pairs) {
        const found = await get(`/api/v1/sweeps/${sweep}/curves?trials=${trial}`);
        shown[sweeps.size > 1 ? `${sweep} ${trial}` : trial] = found.curves[trial];
      }
      drawCurves(curves, shown);
    } else {
      const { sweep, trials, best } = curves.dataset;
      const found = await get(`/api/v1/sweeps/${sweep}/curves?trials=${trials}`);
      drawCurves(curves, found.curves, { best: { [trials]: Number(best) } });
      if (best)
        curves.querySelector("figcaption p").textContent = `the dot is the best epoch, ${best}`;
    }
  } catch (error) {
    empty(box, error.message);
  }
};

const place = document.getElementById("trial-figures");

const figure = ({ name, title, caption }, url) => {
  const box = document.createElement("figure");
  const picture = document.createElement("picture");
  const dark = document.createElement("source");
  dark.media = "(prefers-color-scheme: dark)";
  dark.srcset = `${url}/${name}?theme=dark`;
  const image = document.createElement("img");
  image.loading = "lazy";
  image.alt = title;
  image.src = `${url}/${name}?theme=light`;
  box.className = "busy";
  for (const ended of ["load", "error"])
    image.addEventListener(ended, () => box.classList.remove("busy"));
  picture.append(dark, image);
  const words = document.createElement("figcaption");
  const heading = document.createElement("h3");
  heading.textContent = title;
  const text = document.createElement("p");
  text.textContent = caption;
  words.append(heading, text);
  box.append(words, picture);
  return box;
};

const drawFigures = async () => {
  const { url } = place.dataset;
  try {
    const found = await get(url);
    const grid = document.createElement("div");
    grid.className = "figures";
    // Two stacks, so that a low figure leaves no hole; a phone shows them in their order.
    const stacks = [0, 1].map(() => grid.appendChild(document.createElement("div")));
    found.figures.forEach((one, place) => {
      const made = figure(one, url);
      made.style.order = place;
      stacks[place % 2].append(made);
    });
    const missing = found.left_out.map((text) =>
      Object.assign(document.createElement("p"), {
        className: "muted",
        textContent: `Not shown: ${text}`,
      }),
    );
    place.replaceChildren(grid, ...missing);
  } catch (error) {
    place.replaceChildren(
      Object.assign(document.createElement("p"), {
        className: "error",
        textContent: error.message,
      }),
    );
  }
};

const traceback = document.querySelector("#traceback");
if (traceback) traceback.scrollTop = traceback.scrollHeight; // its end says most
if (curves) {
  await drawAll();
  onChange(drawAll);
}
if (place) await drawFigures();

// What to expect of a search file: its time, and how many random draws fit its budgets.

import { drawHistograms } from "../charts/histograms.js";
import { fullNumber } from "../charts/svg.js";
import { sendChange } from "../common/requests.js";

const durationText = (seconds) => {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
};

const paragraph = (textContent, className = "") =>
  Object.assign(document.createElement("p"), { textContent, className });

const timeText = (forecast) => {
  const { low, expected, high } = forecast.seconds;
  const planned = fullNumber(forecast.planned_epochs);
  const parts = [
    `${forecast.trials} trials, about ${fullNumber(forecast.expected_epochs)} of ${planned} epochs`,
    `${forecast.concurrent} at once: about ${durationText(expected)} of training on this computer`,
  ];
  const range = `between ${durationText(low)} and ${durationText(high)}`;
  const final = forecast.final_trainings
    ? `; about ${durationText(forecast.final_seconds)} more for the final stage`
    : "";
  return `${parts.join(", ")} (${range})${final}.`;
};

const budgetText = ({ budget, share, trials }) => {
  const limit = budget === null ? "All sizes" : `At most ${fullNumber(budget)} weights`;
  return `${limit}: ${(100 * share).toFixed(1)} % of random draws fit, ${trials} trials`;
};

export const showForecast = async (box, source) => {
  box.textContent = "Drawing configurations and timing a few steps…";
  try {
    const forecast = await (await sendChange("/api/v1/forecast", { source })).json();
    const budgets = forecast.budgets.map((budget) => paragraph(budgetText(budget), "muted"));
    box.replaceChildren(paragraph(timeText(forecast)), ...budgets);
    if (!forecast.histograms.length) return;
    const limits = forecast.budgets.map(({ budget }) => budget).filter(Boolean);
    const drawing = Object.assign(document.createElement("div"), { className: "draw" });
    box.append(drawing);
    drawHistograms(drawing, forecast.histograms, limits);
  } catch (error) {
    box.replaceChildren(paragraph(error.message, "error"));
  }
};

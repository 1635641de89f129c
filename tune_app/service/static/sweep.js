// The page of a sweep: its table without reloads, its charts, its live updates.

import { liveEvents } from "./common/live_events.js";
import { showOnNextPage } from "./common/messages.js";
import { SweepCharts } from "./sweep/charts.js";
import { showRankingReasons } from "./sweep/ranking_reasons.js";
import { TrialTable } from "./sweep/trial_table.js";

const TOGETHER_MS = 700; // changes that come together are shown together
const ACTIVE = ["running", "stopping"];

// Calls `work` after the next frame: the table is what somebody waits for.
const afterPaint = (work) => requestAnimationFrame(() => setTimeout(work));

// Calls `work` once `node` is scrolled to. Returns a function that calls it again, if it was.
const whenSeen = (node, work) => {
  let isSeen = false;
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    isSeen = true;
    work();
  });
  observer.observe(node);
  return () => isSeen && work();
};

const followChanges = (name, table, charts, onRest) => {
  let isDue = false;
  liveEvents.onChange(({ status }) => {
    if (status === "deleted") {
      showOnNextPage(`${name} was deleted or renamed.`);
      location.assign("/");
      return;
    }
    if (isDue) return;
    isDue = true;
    setTimeout(async () => {
      isDue = false;
      await table.refresh();
      await charts.load();
      if (!ACTIVE.includes(status)) onRest();
    }, TOGETHER_MS);
  });
};

const openPage = async () => {
  const { name } = document.getElementById("sweep").dataset;
  const table = new TrialTable({
    onView: ({ isClick, isFiltered }) => {
      charts.follow();
      if (isClick && isFiltered) afterPaint(() => charts.load());
    },
    onSelect: () => charts.showSelection(),
  });
  const charts = new SweepCharts(name, table);
  await charts.load();
  const reasons = document.querySelector("#why .why");
  const again = [
    whenSeen(charts.figures.importance, () => charts.drawImportance()),
    whenSeen(reasons, () => showRankingReasons(reasons, `/api/v1/sweeps/${name}/why`)),
  ];
  followChanges(name, table, charts, () => {
    for (const look of again) look();
  });
};

openPage();

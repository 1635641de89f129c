// Times of the record, told as ages: "3 minutes ago".

const UNITS = [
  { unit: "day", seconds: 86_400 },
  { unit: "hour", seconds: 3_600 },
  { unit: "minute", seconds: 60 },
  { unit: "second", seconds: 1 },
];
const relativeTime = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

export const updateAges = (root = document) => {
  for (const node of root.querySelectorAll("time[data-age]")) {
    const then = new Date(Number(node.dataset.age) * 1000);
    const passed = Math.max(0, (Date.now() - then) / 1000);
    const { unit, seconds } = UNITS.find((one) => passed >= one.seconds) ?? UNITS.at(-1);
    node.textContent = relativeTime.format(-Math.round(passed / seconds), unit);
    node.dateTime = then.toISOString();
    node.title = then.toLocaleString();
  }
};

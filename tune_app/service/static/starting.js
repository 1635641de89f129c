// The page of a sweep that waits or starts: its log grows, and then the sweep's own page follows.

import { refreshLiveParts } from "./common/live_parts.js";

const LOG_MS = 2_000;

setInterval(() => {
  if (!document.hidden) refreshLiveParts().catch(() => {}); // the next look tells
}, LOG_MS);

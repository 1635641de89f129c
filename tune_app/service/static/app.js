// What every page does: live events, dialogs, menus, ages, messages.

import { updateAges } from "./common/ages.js";
import { handleCompareForm } from "./common/compare_button.js";
import { handleDialogs } from "./common/dialogs.js";
import { liveEvents } from "./common/live_events.js";
import { refreshLiveParts } from "./common/live_parts.js";
import { handleMenus } from "./common/menus.js";
import { showError, showKeptMessage } from "./common/messages.js";

const AGES_MS = 10_000;

handleDialogs();
handleMenus();
handleCompareForm("#compare-sweeps");
// Forms that are sent as soon as something is chosen.
document.addEventListener("change", (event) => {
  event.target.closest("form[data-auto]")?.requestSubmit();
});
showKeptMessage();
updateAges();
setInterval(updateAges, AGES_MS);
liveEvents.onChange(() => refreshLiveParts().catch(showError));
liveEvents.start();

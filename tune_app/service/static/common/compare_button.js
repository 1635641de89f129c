// "Compare selected" can be pressed once two to eight boxes are ticked.

const FEWEST = 2;
const MOST = 8;

export const updateCompareButton = (button, count) => {
  if (!button) return;
  button.disabled = count < FEWEST || count > MOST;
  if (count > MOST) button.textContent = `Compare at most ${MOST} (${count} selected)`;
  else if (count === 1) button.textContent = `Compare 1 of ${FEWEST}`;
  else button.textContent = count ? `Compare selected (${count})` : "Compare selected";
};

// For a form whose own boxes are all that can be ticked: the list of sweeps.
export const handleCompareForm = (selector) => {
  const update = () => {
    const form = document.querySelector(selector);
    if (!form) return;
    const count = form.querySelectorAll("td input[type=checkbox]:checked").length;
    updateCompareButton(form.querySelector("[data-compare]"), count);
  };
  document.addEventListener("change", update);
  document.addEventListener("replaced", update);
  update();
};

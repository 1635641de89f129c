// Menus (details elements): Escape closes them, and so does a click elsewhere.

const openMenus = () => document.querySelectorAll("details.menu[open]");

export const closeMenusOutside = (node) => {
  for (const menu of openMenus()) if (!node || !menu.contains(node)) menu.removeAttribute("open");
};

export const handleMenus = () => {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of openMenus()) {
      menu.removeAttribute("open");
      if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
    }
  });
  document.addEventListener("click", (event) => closeMenusOutside(event.target));
};

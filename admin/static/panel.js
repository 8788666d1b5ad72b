// The groups of pages at the top fold up again by themselves: with Escape, with a click elsewhere, when the keyboard
// leaves them, and when one comes back to a page. Without this script they unfold and fold by their own names.
"use strict";

const groups = [...document.querySelectorAll(".top .wide details")];
const all = [...document.querySelectorAll(".top details")];

function fold(some) {
  for (const one of some) one.open = false;
}

for (const group of groups) {
  group.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !group.contains(event.relatedTarget)) fold([group]);
  });
}
document.addEventListener("click", (event) => {
  fold(groups.filter((group) => !group.contains(event.target)));
});
document.addEventListener("keydown", (event) => {
  const open = all.find((one) => one.open);
  if (event.key !== "Escape" || !open) return;
  if (open.contains(document.activeElement)) open.querySelector("summary").focus();
  fold(all);
});
addEventListener("pageshow", (event) => {
  if (event.persisted) fold(all);
});

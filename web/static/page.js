// What pages do in the browser beyond forms and links: local times, and keys in lists.
"use strict";

function localTimes(root) {
  const format = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "short" });
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (!Number.isNaN(moment.getTime())) {
      time.title = time.dateTime;
      time.textContent = format.format(moment);
    }
  }
}

function moveChoice(step) {
  const rows = [...document.querySelectorAll("table.rows tbody tr")];
  if (!rows.length) return;
  const now = rows.findIndex((row) => row.classList.contains("chosen"));
  const next = Math.min(rows.length - 1, Math.max(0, now < 0 ? 0 : now + step));
  if (now >= 0) rows[now].classList.remove("chosen");
  rows[next].classList.add("chosen");
  rows[next].scrollIntoView({ block: "nearest" });
}

function openChoice() {
  document.querySelector("table.rows tr.chosen a")?.click();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, select, textarea, button, a")) return;
  if (event.key === "j") moveChoice(1);
  else if (event.key === "k") moveChoice(-1);
  else if (event.key === "Enter") openChoice();
});

localTimes(document);
document.addEventListener("htmx:afterSwap", (event) => localTimes(event.target.parentElement ?? document));

// The window of a scan's picture: the server draws it anew shortly after a control has stopped moving.
const picture = document.getElementById("picture");
const controls = document.getElementById("window");
if (picture && controls) {
  let due;
  const show = () => {
    const { centre, width } = controls.elements;
    controls.querySelector("output").textContent = `${centre.value} / ${width.value}`;
    clearTimeout(due);
    due = setTimeout(() => {
      const isUsual = centre.value === centre.dataset.usual && width.value === width.dataset.usual;
      picture.src = picture.dataset.src + (isUsual ? "" : `&centre=${centre.value}&width=${width.value}`);
    }, 150);
  };
  controls.addEventListener("input", show);
  controls.addEventListener("submit", (event) => event.preventDefault());
  for (const button of controls.querySelectorAll("button[data-centre]")) {
    button.addEventListener("click", () => {
      controls.elements.centre.value = button.dataset.centre;
      controls.elements.width.value = button.dataset.width;
      show();
    });
  }
  picture.addEventListener("error", () => { picture.hidden = true; document.getElementById("no-picture").hidden = false; });
  picture.addEventListener("load", () => { picture.hidden = false; document.getElementById("no-picture").hidden = true; });
  if (picture.complete && !picture.naturalWidth) picture.dispatchEvent(new Event("error"));
}

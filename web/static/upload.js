// Uploads: three files at a time, each as the body of a request; then asks what became of it until that is known.
"use strict";

const form = document.getElementById("upload");
const list = document.getElementById("uploads");
const drop = document.getElementById("drop");
const AT_ONCE = 3;
const OPEN = new Map([["dropped", "in the inbox"], ["waiting", "waits to be read"], ["reading", "is being read"]]);
const waiting = [];
let running = 0;

function addFiles(files) {
  for (const file of files) {
    const item = document.createElement("li");
    const name = document.createElement("span");
    name.className = "name";
    const bdi = document.createElement("bdi");
    bdi.textContent = file.name;
    name.append(bdi);
    const bar = document.createElement("progress");
    bar.max = 1;
    bar.value = 0;
    bar.setAttribute("aria-label", `Upload of ${file.name}`);
    const said = document.createElement("span");
    said.className = "said";
    said.textContent = "waits to be sent";
    item.append(name, bar, said);
    list.append(item);
    waiting.push({ file, bar, said });
  }
  sendNext();
}

function sendNext() {
  while (running < AT_ONCE && waiting.length) {
    running += 1;
    send(waiting.shift()).finally(() => { running -= 1; sendNext(); });
  }
}

async function send({ file, bar, said }) {
  if (file.size > Number(form.dataset.most) * 2 ** 20) {
    said.textContent = `Not sent: the file has more than ${form.dataset.most} MiB.`;
    return;
  }
  said.textContent = "is being sent";
  const urgent = document.getElementById("urgent").checked ? "1" : "";
  const suffix = /\.[a-z]{3,4}$/i.exec(file.name)?.[0] ?? ""; // the name stays here: it may be a patient's
  const answer = await post(`${form.dataset.to}?urgent=${urgent}&name=${encodeURIComponent(suffix)}`, file, bar);
  if (!answer.outcome) {
    said.textContent = answer.fault ?? "It did not arrive: check the connection, log in again if needed, and send it once more.";
    return;
  }
  bar.removeAttribute("value");
  follow(answer.outcome, bar, said);
}

function post(address, file, bar) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("POST", address);
    request.setRequestHeader("X-Form-Token", form.dataset.token);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.addEventListener("progress", (event) => { if (event.lengthComputable) bar.value = event.loaded / event.total; });
    request.addEventListener("loadend", () => {
      try { resolve(JSON.parse(request.responseText)); } catch { resolve({}); }
    });
    request.send(file);
  });
}

async function follow(address, bar, said) {
  for (let pause = 500; ; pause = Math.min(5000, pause * 1.3)) {
    await new Promise((resolve) => { setTimeout(resolve, pause); });
    let found;
    try {
      const answer = await fetch(address, { headers: { "HX-Request": "true" } });
      if (answer.status === 401) { said.textContent = "You were logged out; the file is in the inbox."; return; }
      found = await answer.json();
    } catch { continue; }
    if (OPEN.has(found.outcome)) { said.textContent = OPEN.get(found.outcome); continue; }
    bar.value = 1;
    said.textContent = `${found.outcome}: ${found.detail}${found.known ? " (these bytes were there before)" : ""} `;
    if (found.scan) {
      const link = document.createElement("a");
      link.href = found.scan;
      link.textContent = "Show the scan";
      said.append(link);
    }
    return;
  }
}

document.getElementById("files").addEventListener("change", (event) => { addFiles(event.target.files); event.target.value = ""; });
form.addEventListener("submit", (event) => event.preventDefault());
for (const kind of ["dragover", "dragenter"]) drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => { event.preventDefault(); drop.classList.remove("over"); addFiles(event.dataTransfer.files); });

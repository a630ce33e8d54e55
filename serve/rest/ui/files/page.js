// Shows a card with the answer for each picture. Each picture is a separate request, so a bad one does not affect others.

const AT_ONCE = 4;
const TRIES = 5;
const STAGES = { decode: "decoding", queue: "waiting", inference: "computing" };

const answers = document.querySelector("#answers");
const status = document.querySelector("#status");
const template = document.querySelector("#answer");
const which = document.querySelector("#which");
const models = which.querySelector("select");
const queue = [];
let running = 0;
let finished = 0;
let total = 0;
let offered = false;

function take(files) {
  for (const file of files) {
    const card = template.content.firstElementChild.cloneNode(true);
    card.querySelector(".file").textContent = file.name;
    const image = card.querySelector("img");
    image.alt = file.name;
    image.onload = () => URL.revokeObjectURL(image.src);
    image.onerror = () => {
      URL.revokeObjectURL(image.src);
      card.querySelector(".picture").remove();
    };
    image.src = URL.createObjectURL(file);
    answers.prepend(card);
    queue.push({ file, card, chosen: models.value });
    total += 1;
  }
  next();
}

function next() {
  status.textContent = total ? `${finished} of ${total} answered` : "";
  while (running < AT_ONCE && queue.length) {
    running += 1;
    answer(queue.shift()).finally(() => {
      running -= 1;
      finished += 1;
      next();
    });
  }
}

async function answer({ file, card, chosen }) {
  const said = card.querySelector(".said");
  try {
    const response = await ask(() => `predict?activation_map=true${chosen || models.value}`, file);
    show(card, await response.json(), file);
    said.append(element("p", "timing", timing(response.headers.get("Server-Timing"))));
  } catch (error) {
    said.replaceChildren(element("p", "error", error.message));
    said.firstChild.setAttribute("role", "alert");
  }
  said.setAttribute("aria-busy", "false");
}

// The list of models may require the API key. The user is asked for the key only when a picture is sent.
async function offer() {
  if (offered) return;
  const response = await fetch("models", { headers: keyHeader() }).catch(() => null);
  if (!response?.ok) return;
  const options = (await response.json()).flatMap(optionsOf);
  if (!offered && options.length > 1) {
    models.append(...options);
    which.hidden = false;
  }
  offered = true;
}

function optionsOf({ name, versions }) {
  return versions.map(({ version, labels: [label] }) => {
    const shown = versions.length > 1 ? `${name}, ${label}: version ${version}` : name;
    return new Option(shown, `&${new URLSearchParams({ model: name, version: label })}`);
  });
}

function keyHeader() {
  const key = sessionStorage.getItem("key");
  return key ? { "X-API-Key": key } : {};
}

// An overloaded server answers 429 and says when to try again.
async function ask(route, file) {
  for (let tries = 1; ; tries += 1) {
    await offer();
    const key = sessionStorage.getItem("key");
    const response = await fetch(route(), { method: "POST", body: file, headers: keyHeader() }).catch(async () => {
      throw new Error(await whyNothingCame(file));
    });
    if (response.ok) return response;
    if (response.status === 401 && tries < TRIES) {
      askForKey(key);
      continue;
    }
    if (response.status !== 429 || tries === TRIES) throw new Error(await problemOf(response));
    await new Promise((resolve) => setTimeout(resolve, 1000 * Number(response.headers.get("Retry-After"))));
  }
}

// A file that was moved or changed since it was chosen can't be sent any more, and the browser does not say so.
async function whyNothingCame(file) {
  const readable = await file.slice(0, 1).arrayBuffer().then(() => true, () => false);
  return readable
    ? "The server does not respond. Check that it is still running."
    : "This file can't be read: it is a folder, or it was moved or changed. Choose it again.";
}

// A proxy in front of the server may answer with a page of its own.
async function problemOf(response) {
  const body = await response.json().catch(() => null);
  if (body?.error?.message) return body.error.message;
  if (response.status === 413) return "The picture is too large for the proxy in front of the server (413).";
  if (response.status >= 500) return `The proxy in front of the server gets no answer from it (${response.status}).`;
  return `A proxy in front of the server refused the picture (${response.status}).`;
}

// Several requests may fail without the key at the same time, but the user is asked only once.
function askForKey(tried) {
  if (sessionStorage.getItem("key") !== tried) return;
  const key = prompt("This server requires an API key. Enter the key:");
  if (key === null) throw new Error("This server requires an API key. Choose the picture again to enter the key.");
  if (!/^[\x21-\x7e]+$/.test(key.trim())) throw new Error("A key has only Latin letters, digits and signs. Choose the picture again.");
  sessionStorage.setItem("key", key.trim());
}

function show(card, given, file) {
  document.querySelector("#model").textContent = `Model ${given.model}, version ${given.version}`;
  const list = element("ol", "classes");
  list.append(...given.predictions.map(line));
  const download = element("button", "download", "Download the annotated picture");
  download.type = "button";
  download.onclick = () => save(download, file, given);
  card.querySelector(".said").replaceChildren(list, download);
  if (card.querySelector(".picture")) overlay(card, given);
}

function line(prediction) {
  const { label, display_name: shown, probability } = prediction;
  const item = element("li");
  const name = element("span", "name", shown === label ? label : `${shown} (${label})`);
  const bar = element("progress");
  bar.value = probability;
  bar.max = 1;
  bar.setAttribute("aria-label", label);
  item.append(name, element("span", "share", `${(100 * probability).toFixed(1)} %`), bar);
  return item;
}

// Draw the map over the part of the picture that the model saw.
function overlay(card, { activation_map: rows, view }) {
  const canvas = card.querySelector("canvas");
  const slider = card.querySelector(".opacity");
  const most = Math.max(1e-6, ...rows.flat());
  canvas.width = rows[0].length;
  canvas.height = rows.length;
  const pixels = new ImageData(canvas.width, canvas.height);
  rows.flat().forEach((value, place) => {
    const level = Math.max(0, value) / most;
    const colour = [3, 2, 1].map((peak) => 255 * (1.5 - Math.abs(3.5 * level - peak)));
    pixels.data.set([...colour, 255 * level], 4 * place);
  });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  Object.assign(canvas.style, {
    left: `${100 * view.left}%`,
    top: `${100 * view.top}%`,
    width: `${100 * (view.right - view.left)}%`,
    height: `${100 * (view.bottom - view.top)}%`,
  });
  const range = slider.querySelector("input");
  const fade = () => { canvas.style.opacity = range.value / 100; };
  range.oninput = fade;
  fade();
  slider.hidden = false;
}

// Use the version that gave the answer, even if the user has chosen another one since.
async function save(button, file, { model, version }) {
  button.disabled = true;
  try {
    const response = await ask(() => `annotate?${new URLSearchParams({ model, version })}`, file);
    const link = element("a");
    link.href = URL.createObjectURL(await response.blob());
    link.download = `${file.name.replace(/\.[^.]*$/, "")}_result.jpg`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  } catch (error) {
    button.after(element("p", "error", error.message));
  }
  button.disabled = false;
}

function timing(header) {
  const parts = [...(header ?? "").matchAll(/(\w+);dur=([\d.]+)/g)]
    .filter(([, stage]) => stage in STAGES)
    .map(([, stage, ms]) => `${STAGES[stage]} ${Number(ms).toFixed(0)} ms`);
  return parts.join(", ");
}

function element(name, className = "", text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

// A folder stands for the pictures in it.
async function takeDropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const files = [...transfer.files];
  const found = entries.some((entry) => entry.isDirectory) ? (await Promise.all(entries.map(filesIn))).flat() : files;
  take(found);
  if (!found.length) status.textContent = "There is no picture in it. Drop picture files, or a folder that has some.";
}

async function filesIn(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const inside = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break; // it gives a hundred at a time
    inside.push(...some);
  }
  return (await Promise.all(inside.filter((one) => !one.name.startsWith(".")).map(filesIn))).flat();
}

offer();

for (const id of ["pick", "photograph"]) {
  const input = document.querySelector(`#${id}`);
  input.onchange = () => {
    take(input.files);
    input.value = "";
  };
}

document.addEventListener("paste", (event) => take(event.clipboardData.files));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dropping");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  takeDropped(event.dataTransfer);
});

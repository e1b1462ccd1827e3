"use strict";
const find = (id) => document.getElementById(id);
let photo = null, requests = 0;

function settings() {
  const method = find("settings").elements.method.value;
  const query = new URLSearchParams({ method });
  for (const label of document.querySelectorAll("[data-for]")) {
    label.hidden = label.dataset.for !== method;
    const input = label.querySelector("input");
    if (!label.hidden && input.value !== "") query.set(input.name, input.value);
  }
  if (method === "beam" && Number(query.get("beam_size")) < Number(query.get("n_best"))) {
    query.set("beam_size", query.get("n_best"));
  }
  find("script").textContent =
    `curl --data-binary @photo.jpg '${location.origin}/caption?${query}'`;
  return query;
}

async function ask() {
  const query = settings();
  if (!photo) return;
  const number = ++requests;
  find("caption").textContent = "…";
  find("error").textContent = "";
  find("others").replaceChildren();
  find("looks").style.display = "none";
  let answer;
  try {
    const response = await fetch(`/caption?${query}`, { method: "POST", body: photo,
      headers: { "Content-Type": photo.type || "application/octet-stream" } });
    answer = await response.json();
  } catch {
    answer = { error: "the server does not answer; is it still running?" };
  }
  if (number !== requests) return;  // the user has changed the picture or a setting meanwhile
  find("caption").replaceChildren();
  if (answer.error) find("error").textContent = answer.error;
  else show(answer.captions);
}

function show(captions) {
  const [best, ...others] = captions;
  find("photo").alt = best.text;
  best.words.forEach((word, n) => {
    const part = document.createElement("span"), sureness = Math.exp(best.word_scores[n]);
    part.textContent = word;
    part.title = `${Math.round(100 * sureness)} % sure`;
    part.style.setProperty("--sureness", (0.45 * sureness).toFixed(3));
    if (best.attention) showAttention(part, best.attention[n]);
    find("caption").append(part, " ");
  });
  for (const each of others) {
    const item = document.createElement("li");
    item.textContent = `${each.text} (${each.score.toFixed(2)})`;
    find("others").append(item);
  }
}

function showAttention(part, weights) {  // rows of 0 to 255
  part.className = "looks";
  part.tabIndex = 0;
  const canvas = find("looks");
  const draw = () => {
    const side = weights.length, small = new OffscreenCanvas(side, side);
    const pixels = new ImageData(side, side);
    weights.flat().forEach((weight, n) => { pixels.data[4 * n + 3] = 0.8 * (255 - weight); });
    small.getContext("2d").putImageData(pixels, 0, 0);
    canvas.width = canvas.height = 224;
    canvas.getContext("2d").drawImage(small, 0, 0, 224, 224);
    canvas.style.display = "block";
  };
  const hide = () => { canvas.style.display = "none"; };
  part.addEventListener("mouseenter", draw);
  part.addEventListener("focus", draw);
  part.addEventListener("mouseleave", hide);
  part.addEventListener("blur", hide);
}

function take(file) {
  if (!file) return;
  photo = file;
  URL.revokeObjectURL(find("photo").src);
  find("photo").src = URL.createObjectURL(file);
  document.querySelector(".picture").style.display = "block";
  ask();
}

find("file").addEventListener("change", () => take(find("file").files[0]));
for (const kind of ["dragenter", "dragover"]) {
  find("drop").addEventListener(kind, (event) => { event.preventDefault(); find("drop").classList.add("over"); });
}
for (const kind of ["dragleave", "drop"]) {
  find("drop").addEventListener(kind, () => find("drop").classList.remove("over"));
}
find("drop").addEventListener("drop", (event) => { event.preventDefault(); take(event.dataTransfer.files[0]); });
document.addEventListener("paste", (event) => take([...event.clipboardData.files][0]));
find("settings").addEventListener("change", ask);
find("settings").addEventListener("submit", (event) => event.preventDefault());
settings();

// The cards of the photos, and the captions that people edit in them. Besides what the queue keeps,
// a card has `edit`, the caption of a person, where there is one.
import { confidenceNote, otherCaptions, shadedWords } from "./parts/captions.js";
import { announce, copyButton, find, make } from "./parts/dom.js";
import { watch } from "./parts/thumbnails.js";

const byElement = new WeakMap();
let edited = () => {};

// changed() is called when a caption has been edited.
export function tellOfEdits(changed) { edited = changed; }

export function makeCard(file, name) {
  const card = { file, name };
  card.image = make("img", { alt: "" });
  card.picture = make("div", { className: "picture" }, card.image);
  card.below = make("div", { className: "below" });
  card.element = make("li", {}, card.picture, card.below);
  card.element.setAttribute("aria-label", name);
  byElement.set(card.element, card);
  watch(card);
  return card;
}

const bestOf = (card) => card.answer.captions?.[0];
export const textOf = (card) => card.edit ?? bestOf(card)?.text ?? "";

// What the card's line in a caption file is made of.
export function entryOf(card) {
  const best = card.edit === undefined ? bestOf(card) : undefined;
  return { name: card.name, text: textOf(card), best, error: card.answer.error ?? "not captioned" };
}

export function show(card) {
  const { state } = card, isEnded = state === "done" || state === "failed";
  card.image.alt = textOf(card);
  card.element.className = state === "working" ? "waiting working" : state;
  const foot = make("div", { className: "foot" }, make("span", { className: "name", textContent: card.name }));
  if (isEnded) foot.append(buttonsOf(card));
  card.below.replaceChildren(...contentOf(card), foot);
}

function contentOf(card) {
  const { state, answer, edit } = card, paragraph = (text) => make("p", { className: "caption", textContent: text });
  if (edit !== undefined) return [paragraph(edit), editedNote(card), ...errorOf(card), ...othersOf(card)];
  if (state === "waiting") return [paragraph("Waiting")];
  if (state === "working") return [paragraph("…")];
  if (state === "failed") return errorOf(card);
  const line = make("p", { className: "caption" }), [best] = answer.captions;
  line.append(...shadedWords(best).flatMap((word) => [word, " "]));
  find("legend").hidden = false;
  return [line, ...confidenceNote(best), ...othersOf(card)];
}

const errorOf = ({ answer }) => (answer.error ? [make("p", { className: "error", textContent: answer.error })] : []);

function othersOf(card) {
  const isSingle = find("cards").className === "single";
  return otherCaptions(card.answer.captions?.slice(1) ?? [], isSingle, ({ text }) => {
    const use = make("button", { type: "button", textContent: "Use" });
    use.setAttribute("aria-label", `Use: ${text}`);
    use.addEventListener("click", () => {
      changeTo(card, text);
      focusEdit(card);
    });
    return use;
  });
}

function editedNote(card) {
  const undo = make("button", { type: "button", textContent: "Undo", className: "undo" }), before = bestOf(card)?.text;
  undo.setAttribute("aria-label", before ? `Undo, back to: ${before}` : "Undo, back to no caption");
  undo.addEventListener("click", () => {
    changeTo(card, undefined);
    focusEdit(card);
  });
  return make("div", { className: "edited" }, make("span", { className: "mark", textContent: "Edited" }), undo);
}

function buttonsOf(card) {
  const text = textOf(card), edit = make("button", { type: "button", className: "edit", textContent: text ? "Edit" : "Write" });
  edit.setAttribute("aria-label", text ? `Edit: ${text}` : `Write a caption of ${card.name}`);
  edit.addEventListener("click", () => openEditor(card));
  return make("span", { className: "buttons" }, edit, ...(text ? [copyButton(text)] : []));
}

function changeTo(card, edit) {
  card.edit = edit;
  show(card);
  announce(edit === undefined ? "Undone" : `Changed to: ${edit}`);
  edited();
}

function focusEdit(card) { card.element.querySelector(".edit")?.focus(); }

function openEditor(card) {
  const before = card.edit, text = make("textarea", { value: textOf(card), rows: 2, enterKeyHint: "done" });
  const hint = make("span", { className: "note key-hint", id: "key-hint",
    textContent: "Enter keeps it, Ctrl+Enter also opens the next one, Escape drops the change." });
  text.setAttribute("aria-label", `Caption of ${card.name}`);
  text.setAttribute("aria-describedby", hint.id);
  card.below.querySelector(".caption")?.remove();
  card.below.prepend(text, hint);
  card.below.querySelector(".foot .buttons").remove();
  card.element.classList.add("editing");
  let isOpen = true;
  const close = (edit) => {
    if (!isOpen) return;
    isOpen = false;
    if (edit !== before) changeTo(card, edit);
    else show(card);
  };
  // Kept at every letter, so that nothing is lost when the card is drawn anew meanwhile.
  text.addEventListener("input", () => { card.edit = editOf(card, text.value); edited(); });
  text.addEventListener("blur", () => close(editOf(card, text.value)));
  text.addEventListener("keydown", (event) => {
    if (event.isComposing || (event.key !== "Enter" && event.key !== "Escape")) return;
    event.preventDefault();
    if (event.key === "Escape") card.edit = before;
    close(event.key === "Escape" ? before : editOf(card, text.value));
    const next = event.key === "Enter" && (event.ctrlKey || event.metaKey) && nextToEdit(card);
    if (next) openEditor(next);
    else focusEdit(card);
  });
  text.focus();
  text.select();
}

// A caption is one line; an empty one, or that of the model, is no edit.
function editOf(card, value) {
  const text = value.split(/\s+/).filter(Boolean).join(" ");
  return text && text !== bestOf(card)?.text ? text : undefined;
}

function nextToEdit(card) {
  let element = card.element.nextElementSibling;
  while (element && !element.querySelector(".edit")) element = element.nextElementSibling;
  return element && byElement.get(element);
}

// Puts the cards in an order: as they were added, or the least sure first, after those that failed.
export function arrange(cards, order) {
  const rank = (card) => {
    if (card.edit !== undefined) return 2;
    return card.state === "failed" ? -1 : bestOf(card)?.confidence ?? 3;
  };
  const sorted = order === "unsure" ? [...cards].sort((one, other) => rank(one) - rank(other)) : cards;
  find("cards").append(...sorted.map((card) => card.element));
}

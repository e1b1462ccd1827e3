// The form of the search settings, made from their description: { name, type, default, help, label,
// methods, and perhaps minimum, exclusiveMinimum, maximum, enum }.
import { find, make } from "./dom.js";

const LABELS = { n_best: "Captions", no_repeat_ngram: "No repeated N words", no_repeat_word: "No repeated word" };
const STARTING_VALUES = { n_best: 3 };  // unlike the model's own, which scripts get
const PAUSE = 400;  // milliseconds after a change

// changed() is called at once, captionAgain() a little later, when the values can be used.
export function makeSettings(settings, { changed, captionAgain }) {
  for (const setting of settings) {
    const id = `setting-${setting.name}`, value = STARTING_VALUES[setting.name] ?? "";
    const help = make("span", { className: "note", id: `${id}-help`, textContent: setting.help });
    const label = make("label", { htmlFor: id,
      textContent: LABELS[setting.name] ?? setting.label[0].toUpperCase() + setting.label.slice(1) });
    const input = setting.enum || setting.type === "boolean" ? listOf(setting)
      : make("input", { type: "number", value, placeholder: setting.default,
        min: setting.minimum ?? setting.exclusiveMinimum ?? "", max: setting.maximum ?? "",
        step: setting.type === "integer" ? 1 : "any" });
    Object.assign(input, { id, name: setting.name });
    input.setAttribute("aria-describedby", help.id);
    const field = make("div", {}, label, input, help);
    field.dataset.methods = setting.methods.join(" ");
    find("settings").append(field);
  }
  let change;
  find("settings").addEventListener("change", () => {
    clearTimeout(change);
    changed();
    if (find("settings").reportValidity()) change = setTimeout(captionAgain, PAUSE);
  });
  find("settings").addEventListener("submit", (event) => event.preventDefault());
  changed();
}

function listOf(setting) {
  const values = setting.enum || ["true", "false"];
  const options = values.map((each) => new Option(each === "true" ? "yes" : each === "false" ? "no" : each, each));
  const list = make("select", {}, ...options);
  list.value = String(setting.default);
  return list;
}

// The values that differ from the model's own. Fields that the method does not take are hidden.
export function readSettings(settings) {
  const { elements } = find("settings"), method = elements.method.value, chosen = {};
  for (const { name, methods, type, default: usual } of settings) {
    const input = elements[name], isOfMethod = !methods.length || methods.includes(method);
    input.closest("div").hidden = input.disabled = !isOfMethod;
    if (isOfMethod && input.value !== "" && input.value !== String(usual)) chosen[name] = valueOf(input.value, type);
  }
  // More captions than the beam keeps side by side would be an error.
  if (chosen.beam_size < chosen.n_best) chosen.beam_size = chosen.n_best;
  return chosen;
}

function valueOf(text, type) {
  if (type === "string") return text;
  return type === "boolean" ? text === "true" : Number(text);  // ".5" and "007" are numbers, too
}

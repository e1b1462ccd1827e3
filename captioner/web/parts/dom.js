// Small tools for pages. Two pages share the modules of this folder: the server's, and the one that
// `captioner export --format web` writes.

export const find = (id) => document.getElementById(id);

export function make(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

export const percent = (share) => `${Math.round(100 * share)} %`;
export const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

export function announce(text) { find("announcement").textContent = text; }

export function copyButton(text) {
  const button = make("button", { type: "button", textContent: "Copy", className: "copy" });
  button.setAttribute("aria-label", `Copy: ${text}`);
  button.addEventListener("click", async () => {
    await copy(text, button);
    button.textContent = "Copied";
    announce("Copied");
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  return button;
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {  // browsers have a clipboard only for pages from this machine or by https
    const area = make("textarea", { value: text, className: "unseen" });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
}

// Keeps the site for use without a network, by service_worker.js, and offers its new versions.
import { find, percent } from "./parts/dom.js";

const say = (text) => { find("offline").textContent = text; };
const READY = "Ready for offline use";

export async function keepOffline() {
  const container = navigator.serviceWorker;  // there is none by http, except from this machine
  if (!container) return say("Works online only: offline use needs https");
  container.addEventListener("message", ({ data }) => {
    say(`Saving for offline use: ${percent(data.loaded / data.total)}`);
  });
  try {
    const version = await currentVersion();
    follow(version ? await container.register(`service_worker.js?${version}`, { updateViaCache: "none" })
      : await container.getRegistration());
  } catch (error) {
    say(`Not kept for offline use: ${error.message}`);
  }
}

// The version that the site has now; none without a network.
async function currentVersion() {
  try {
    return (await (await fetch("files.json", { cache: "no-store" })).json()).version;
  } catch {
    return undefined;
  }
}

function follow(registration) {
  const { installing, waiting, active } = registration ?? {};
  if (waiting) offer(waiting);
  if (active) say(READY);
  installing?.addEventListener("statechange", () => {
    if (installing.state === "activated") say(READY);
    else if (installing.state === "installed" && active) offer(installing);
    else if (installing.state === "redundant") say(active ? READY : "Not kept for offline use: reload to try again");
  });
}

function offer(worker) {
  find("update").hidden = false;
  find("reload").addEventListener("click", () => {
    navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
    worker.postMessage("take over");
  }, { once: true });
}

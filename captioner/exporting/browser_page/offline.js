// Keeps the site for use without a network, by service_worker.js, and offers its new versions.
import { BUILD } from "./engine/runtime.js";
import { announce, find, percent } from "./parts/dom.js";

const READY = "Ready for offline use";
const say = (text) => { find("offline").textContent = text; };

export async function keepOffline() {
  const container = navigator.serviceWorker;  // there is none by http, except from this machine
  if (!container) return say("Works online only: offline use needs https");
  container.addEventListener("message", ({ data }) => {
    if (find("offline").textContent !== READY) say(`Saving for offline use: ${percent(data.loaded / data.total)}`);
  });
  try {
    const version = await currentVersion();
    follow(version ? await container.register(`service_worker.js?${version}&${BUILD}`, { updateViaCache: "none" })
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

function follow({ active, waiting, installing } = {}) {
  if (active) say(READY);
  const worker = installing ?? waiting;  // of the first version, or of a new one
  const look = () => {
    if (worker.state === "installed" && active) offer(worker);
    if (worker.state === "redundant" && !active) say("Not kept for offline use: reload to try again");
    if (worker.state === "activated") {
      say(READY);
      announce(READY);
    }
  };
  worker?.addEventListener("statechange", look);
  if (worker) look();
}

function offer(worker) {
  find("update").hidden = false;
  find("reload").addEventListener("click", () => {
    navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
    worker.postMessage("take over");
  }, { once: true });
}

// Keeps the files of one version of the site, and answers from them. The page starts it as
// service_worker.js?VERSION&BUILD. The browser starts it only when every file is there and whole.
// Of the builds of LiteRT.js only the one that suits this browser is kept: they are large.

const [VERSION, BUILD] = location.search.slice(1).split("&");
const CACHES = `captioner ${registration.scope} `;  // other sites may have the same host
const CACHE = CACHES + VERSION;

addEventListener("install", (event) => event.waitUntil(fill()));
addEventListener("activate", (event) => event.waitUntil(takeOver()));
addEventListener("message", ({ data }) => { if (data === "take over") skipWaiting(); });
addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  if (method === "GET" && url.startsWith(registration.scope)) event.respondWith(answer(event.request));
});

async function fill() {
  const list = await fetch("files.json", { cache: "no-store" });
  const { version, files: all } = await list.clone().json();
  const files = all.filter(({ path }) => !path.startsWith("runtime/") || path.startsWith(`runtime/${BUILD}.`));
  if (version !== VERSION) throw new Error("the site has changed meanwhile");
  const cache = await caches.open(CACHE), total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let loaded = 0;
  await cache.put("files.json", list);
  for (const file of files) {
    await cache.put(file.path, await whole(file, cache));
    loaded += file.bytes;
    for (const page of await clients.matchAll({ includeUncontrolled: true })) page.postMessage({ loaded, total });
  }
}

// A file as the list describes it: from a download that was interrupted, from the version before, or
// from the site; past the browser's own cache where that has an older one.
async function whole({ path, sha256 }, cache) {
  const places = [() => cache.match(path), () => caches.match(path), () => fetch(path),
    () => fetch(path, { cache: "reload" })];
  for (const place of places) {
    const response = await place(), bytes = response?.ok && await response.arrayBuffer();
    if (bytes && await digest(bytes) === sha256) {
      return new Response(bytes, { headers: { "Content-Type": response.headers.get("Content-Type") } });
    }
  }
  throw new Error(`${path} is not as files.json says`);
}

async function digest(bytes) {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function takeOver() {
  for (const name of await caches.keys()) {
    if (name.startsWith(CACHES) && name !== CACHE) await caches.delete(name);
  }
  await clients.claim();
}

// What is not to be stored asks for the site as it is now.
async function answer(request) {
  if (request.cache === "no-store") return fetch(request);
  const cache = await caches.open(CACHE), isHome = request.url.split(/[?#]/)[0] === registration.scope;
  return await cache.match(isHome ? "index.html" : request, { ignoreSearch: true }) ?? fetch(request);
}

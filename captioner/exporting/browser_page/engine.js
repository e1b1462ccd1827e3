// The captioner as the page sees it: a worker, so that the page stays responsive while it computes.

export class Engine {
  // progress(loaded, total) is called with the bytes of the model and of what runs it.
  constructor(progress) {
    this.waiting = new Map();  // what to do with the answer, by the number of the request
    this.number = 0;
    this.opened = new Promise((resolve, reject) => { Object.assign(this, { resolve, reject }); });
    this.worker = new Worker("engine/worker.js", { type: "module" });
    this.worker.onerror = (event) => {
      event.preventDefault();
      this.fail(`The captioner ${this.isOpen ? "stopped working" : "could not be loaded"}. Reload the page to try again.`);
    };
    this.worker.onmessage = ({ data }) => this.hear(data, progress);
    this.worker.postMessage({ type: "open", folder: "model/" });
  }

  hear(message, progress) {
    if (message.type === "progress") progress(message.loaded, message.total);
    else if (message.type === "opened") {
      this.isOpen = true;
      this.resolve(message.about);
    } else if (message.type === "failed") this.fail(message.error);
    else {
      this.waiting.get(message.id)?.resolve(message);  // nothing waits for what was cancelled
      this.waiting.delete(message.id);
    }
  }

  fail(text) {
    this.error = new Error(text);
    this.reject(this.error);
    for (const { reject } of this.waiting.values()) reject(this.error);
    this.waiting.clear();
  }

  // { captions } of a photo, best first, or { error }.
  async caption(file, settings, signal) {
    await this.opened;
    signal.throwIfAborted();
    if (this.error) throw this.error;
    const id = this.number += 1;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ type: "caption", id, file, settings });
      signal.addEventListener("abort", () => {
        if (!this.waiting.delete(id)) return;
        this.worker.postMessage({ type: "cancel", id });
        reject(signal.reason);
      });
    });
  }
}

// Photos that wait for their captions. A card is { file, name, state, answer }; its state is
// "waiting", "working", "done" or "failed".

const RECENT = 20;  // photos that the pace is measured by

export class Queue {
  // caption(file, signal) gives { captions } or { error }, or throws what stops the queue; show(card)
  // is called when a card has changed, changed() after each change; say(problem) with what stopped
  // the queue, and with "" when it starts.
  constructor({ atOnce, caption, show, changed, say }) {
    Object.assign(this, { atOnce, caption, show, changed, say });
    this.cards = [];
    this.running = 0;
    this.isStopped = false;
    this.control = new AbortController();
    this.ends = [];
  }

  number(state) { return this.cards.filter((card) => card.state === state).length; }

  add(cards) {
    for (const card of cards) this.set(card, "waiting");
    this.cards.push(...cards);
  }

  again() {  // with other settings
    this.abort();
    for (const card of this.cards) this.set(card, "waiting");
    this.start();
  }

  start() {
    this.isStopped = false;
    this.say("");
    this.ends = [performance.now()];
    this.next();
  }

  stop(problem = "") {
    this.isStopped = true;
    this.say(problem);
    this.abort();
    for (const card of this.cards) if (card.state === "working") this.set(card, "waiting");
    this.changed();
  }

  clear() {
    this.stop();
    this.cards.length = 0;
    this.changed();
  }

  abort() {
    this.control.abort();
    this.control = new AbortController();
  }

  next() {
    while (this.running < this.atOnce && !this.isStopped) {
      const card = this.cards.find((each) => each.state === "waiting");
      if (!card) break;
      this.running += 1;
      this.set(card, "working");
      this.run(card, this.control.signal).finally(() => { this.running -= 1; this.next(); });
    }
    this.changed();
  }

  async run(card, signal) {
    try {
      const answer = await this.caption(card.file, signal);
      if (signal.aborted) return;  // stopped, removed, or to be captioned with other settings
      this.ends = [...this.ends, performance.now()].slice(-RECENT);
      this.set(card, answer.error ? "failed" : "done", answer);
    } catch (error) {
      if (!signal.aborted) this.stop(error.message);
    }
  }

  set(card, state, answer = {}) {
    Object.assign(card, { state, answer });
    this.show(card);
  }

  // Photos in a second, of late; 0 while too few are done to say.
  pace() {
    const seconds = (this.ends.at(-1) - this.ends[0]) / 1000;
    return this.ends.length > 3 && seconds > 0 ? (this.ends.length - 1) / seconds : 0;
  }
}

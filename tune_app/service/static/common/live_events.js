// The stream of changes of a sweep, or of the list. A hidden page lets go of its stream.

const RETRY_MS = 5_000;

class LiveEvents {
  constructor() {
    this.listeners = [];
    this.stream = null;
    this.address = document.body.dataset.events;
    this.revision = document.body.dataset.revision; // what the page shows
    this.light = document.getElementById("live");
  }

  onChange(listener) {
    this.listeners.push(listener);
  }

  start() {
    if (!this.address) return;
    document.addEventListener("visibilitychange", () => this.watch());
    this.watch();
  }

  watch() {
    if (!document.hidden) {
      if (!this.stream) this.listen();
      return;
    }
    this.stream?.close();
    this.stream = null;
    this.show("", "");
  }

  listen() {
    const stream = new EventSource(this.address);
    this.stream = stream;
    stream.addEventListener("open", () => this.show("on", "Live"));
    stream.addEventListener("error", () => {
      this.show("off", "Connecting…");
      // The browser tries again by itself, except after an answer that is an error.
      if (stream.readyState !== EventSource.CLOSED) return;
      setTimeout(() => this.stream === stream && this.listen(), RETRY_MS);
    });
    stream.addEventListener("changed", (event) => this.tell(JSON.parse(event.data)));
  }

  tell(state) {
    if (state.revision === this.revision) return;
    this.revision = state.revision;
    for (const listener of this.listeners) listener(state);
  }

  show(state, text) {
    this.light.className = `live ${state}`;
    this.light.textContent = text;
  }
}

export const liveEvents = new LiveEvents();

// The draft of a search file, kept in this browser until it is started or discarded. Each starter,
// and each sweep or trial that is run again, has a draft of its own.

const PREFIX = "tune-app draft ";

export class Draft {
  // `starter` is the text that the page came with, `name` what it is a starter of.
  constructor(name, starter) {
    this.key = PREFIX + name;
    this.starter = starter;
  }

  // The text that was kept; null where there is none, or where it is the starter's.
  get kept() {
    const kept = this.storage?.getItem(this.key) ?? null;
    return kept === this.starter ? null : kept;
  }

  get storage() {
    try {
      return localStorage;
    } catch {
      return null; // a browser that keeps nothing
    }
  }

  keep(text) {
    try {
      if (text === this.starter) this.discard();
      else this.storage?.setItem(this.key, text);
    } catch {
      // No room is left: the text is still on the page.
    }
  }

  discard() {
    this.storage?.removeItem(this.key);
  }
}

// Pictures that the service draws when they are asked for. A page asks for a few at a time, and
// asks again where the service has too much to draw: nobody is left with a broken image.

const AT_ONCE = 2;
const WAITS_S = [1, 2, 4, 8, 15, 30, 60]; // before each further attempt

class PictureQueue {
  constructor() {
    this.waiting = [];
    this.loading = 0;
    this.observer = new IntersectionObserver((entries) => this.see(entries), {
      rootMargin: "400px",
    });
  }

  // `picture` is filled from `url` once it is scrolled to.
  add(picture) {
    this.observer.observe(picture.image);
    picture.image.picture = picture;
  }

  see(entries) {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      this.observer.unobserve(target);
      this.waiting.push(target.picture);
    }
    this.next();
  }

  next() {
    while (this.loading < AT_ONCE && this.waiting.length) {
      this.loading += 1;
      const picture = this.waiting.shift();
      picture.load().then(() => {
        this.loading -= 1;
        this.next();
      });
    }
  }
}

const queue = new PictureQueue();

export class Picture {
  constructor(url, title) {
    this.url = url;
    this.attempts = 0;
    this.node = document.createElement("picture");
    this.dark = document.createElement("source");
    this.dark.media = "(prefers-color-scheme: dark)";
    this.image = document.createElement("img");
    this.image.alt = title;
    this.node.append(this.dark, this.image);
    queue.add(this);
  }

  // Resolves when the picture is there, or this attempt has failed.
  load() {
    this.attempts += 1;
    const done = new Promise((resolve) => {
      this.image.onload = () => {
        this.show("there");
        resolve();
      };
      this.image.onerror = () => {
        this.fail();
        resolve();
      };
    });
    // Removed first, so that the browser asks again for an address that failed.
    this.dark.removeAttribute("srcset");
    this.dark.srcset = `${this.url}?theme=dark`;
    this.image.src = `${this.url}?theme=light`;
    return done;
  }

  fail() {
    const wait = WAITS_S[this.attempts - 1];
    if (wait === undefined) {
      this.offerAgain();
      return;
    }
    this.show("waiting");
    setTimeout(() => this.enqueue(), wait * 1000);
  }

  enqueue() {
    queue.waiting.push(this);
    queue.next();
  }

  show(state) {
    this.node.dispatchEvent(new CustomEvent("picture", { bubbles: true, detail: state }));
  }

  offerAgain() {
    this.show("failed");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Load the picture again";
    button.addEventListener("click", () => {
      button.remove();
      this.attempts = 0;
      this.show("waiting");
      this.enqueue();
    });
    this.node.after(button);
  }
}

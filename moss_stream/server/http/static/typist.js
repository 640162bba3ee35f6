// Gives a text as a language model would write it: a few letters at a time, at a rate.
const TOKEN = /\s*\S{1,4}\s*$|\s*\S{1,4}/gy; // about what tokens are in English; the last one takes the spaces after it
const TICK_MS = 20;

export class Typist {
  // `rate` is in tokens a second; Infinity gives the text as one piece. `write(piece)` and `end()` take it.
  constructor(text, rate, { write, end }) {
    this.pieces = rate === Infinity ? [text] : (text.match(TOKEN) ?? [text]);
    this.rate = rate;
    this.write = write;
    this.end = end;
    this.given = 0;
    this.beganMs = performance.now();
    this.timer = setInterval(() => this.tick(), TICK_MS);
    this.tick();
  }

  tick() {
    const due = 1 + ((performance.now() - this.beganMs) / 1000) * this.rate;
    for (; this.given < Math.min(this.pieces.length, Math.floor(due)); this.given += 1) this.write(this.pieces[this.given]);
    if (this.given < this.pieces.length) return;
    this.stop();
    this.end();
  }

  stop() {
    clearInterval(this.timer);
  }
}

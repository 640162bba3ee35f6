// One of the settings that are compared: what is chosen, its connection, and the utterance that it speaks.
import { Sheet } from "./sheet.js";
import { Typist } from "./typist.js";

export class Side {
  // `on` has the functions changed(), which is told of every new state, and problem(message).
  constructor(root, scale, on) {
    root.append(document.querySelector("#side").content.cloneNode(true));
    this.root = root;
    this.name = root.querySelector("h2").textContent;
    this.on = on;
    this.sheet = new Sheet(root, scale);
    this.voice = root.querySelector(".voice");
    this.codebooks = root.querySelector(".codebooks");
    this.codebooks.addEventListener("input", () => this.showCodebooks());
    this.transport = null; // kept from one utterance to the next
    this.isHeard = true;
    this.state = "idle";
  }

  get isSpeaking() {
    return this.state === "speaking";
  }

  // Voices that can be chosen; the choice stays if it is among them.
  offerVoices(names) {
    const chosen = this.voice.value;
    this.voice.replaceChildren(new Option("default", ""), ...names.map((name) => new Option(name, name)));
    this.voice.value = names.includes(chosen) ? chosen : "";
  }

  offerCodebooks(most, chosen) {
    Object.assign(this.codebooks, { max: most, value: chosen });
    this.showCodebooks();
  }

  showCodebooks() {
    this.root.querySelector(".value").textContent = this.codebooks.value;
  }

  listen(isHeard) {
    this.isHeard = isHeard;
    this.transport?.listen(isHeard);
  }

  // Speaks, and returns "done", "interrupted" or "failed" when it is over.
  async speak(text, rate, Transport, server) {
    this.isUnwanted = false;
    this.enter("connecting");
    try {
      await this.connect(Transport, server);
    } catch (error) {
      this.fail(error.message);
      return this.state;
    }
    this.sheet.begin(text, this.transport.leadName);
    if (this.isUnwanted) {
      this.leave("interrupted");
      return this.state;
    }
    this.isMade = false;
    this.enter("speaking");
    const isOver = new Promise((resolve) => { this.resolve = resolve; });
    this.transport.begin();
    this.givenMs = performance.now();
    this.transport.send({ type: "start", voice: this.voice.value || null, n_vq: Number(this.codebooks.value) });
    this.typist = new Typist(text, rate, {
      write: (piece) => this.write(piece),
      end: () => this.transport.send({ type: "end" }),
    });
    return isOver;
  }

  async connect(Transport, server) {
    if (this.transport instanceof Transport) return;
    await this.transport?.close();
    this.transport = null;
    const fresh = new Transport(this);
    try {
      await fresh.open(server);
    } catch (error) {
      await fresh.close();
      throw error;
    }
    fresh.listen(this.isHeard);
    this.transport = fresh;
  }

  write(piece) {
    this.transport.send({ type: "text", text: piece });
    this.sheet.mark({ given: this.sheet.given + piece.length });
  }

  interrupt() {
    this.isUnwanted = true; // if it is still connecting
    if (!this.isSpeaking) return;
    this.typist.stop();
    this.transport?.interrupt();
  }

  // What a transport tells: messages of the server, the first sound, figures, and that the connection is gone.
  message(message) {
    if (!this.isSpeaking) return;
    if (message.type === "done") {
      this.isMade = true;
      if (!this.transport.playsOut) this.finish();
    }
    if (message.type === "cancelled") {
      this.sheet.mark({ heard: message.spoken.char_end });
      this.leave("interrupted");
    }
    if (message.type === "error") this.fail(message.message);
  }

  first() {
    this.sheet.first(performance.now() - this.givenMs);
  }

  figures({ soundS, heard, leadS, gaps, playedChars, isEmpty }) {
    this.sheet.figures({ soundS, heard: this.isSpeaking && heard, leadS, gaps });
    if (!this.isSpeaking) return;
    this.sheet.mark({ heard: playedChars });
    if (this.isMade && isEmpty) this.finish();
  }

  closed(reason) {
    this.transport?.close();
    this.transport = null;
    if (this.isSpeaking) this.fail(reason || "The connection was closed.");
  }

  finish() {
    this.sheet.mark({ heard: this.sheet.text.length });
    this.leave("done");
  }

  fail(message) {
    this.interrupt(); // whatever is left of it
    this.on.problem(message);
    this.leave("failed");
  }

  leave(state) {
    this.news = this.sheet.end(this.name, state);
    this.enter(state);
    this.resolve?.(state);
  }

  enter(state) {
    this.state = this.root.dataset.state = state;
    this.on.changed();
  }
}

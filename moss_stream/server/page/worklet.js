// On the audio thread: one node plays what it is given, the other one listens to what passes.
const AUDIBLE = 0.005;
const FADE = 120; // samples: 5 ms at 24 kHz, so that an interruption does not click
const REPORT = 1200; // samples between two reports: 50 ms

// Counts what can be heard, and reports it.
class Ear {
  constructor(port, figures) {
    this.port = port;
    this.figures = figures;
    this.sound = 0;
    this.wasSilent = true;
    this.sinceReport = 0;
  }

  hear(samples) {
    let sound = 0;
    for (const sample of samples) sound += Math.abs(sample) > AUDIBLE;
    this.sound += sound;
    this.sinceReport += samples.length;
    const isFirst = sound > 0 && this.wasSilent;
    if (sound > 0) this.wasSilent = false;
    if (isFirst || this.sinceReport >= REPORT) {
      this.sinceReport = 0;
      this.port.postMessage({ sound: this.sound, isFirst, ...this.figures() });
    }
  }
}

class Player extends AudioWorkletProcessor {
  constructor() {
    super();
    this.blocks = [];
    this.at = 0;
    this.queued = 0;
    this.played = 0;
    this.gaps = 0;
    this.isSpeaking = false;
    this.isComplete = true;
    this.ear = new Ear(this.port, () => ({ played: this.played, queued: this.queued, gaps: this.gaps }));
    this.port.onmessage = ({ data }) => this[data.order](data);
  }

  begin() {
    this.isComplete = false;
    this.isSpeaking = false;
    this.played = 0;
    this.ear.wasSilent = true;
  }

  add({ samples }) {
    this.blocks.push(samples);
    this.queued += samples.length;
  }

  end() {
    this.isComplete = true;
  }

  clear() {
    const tail = new Float32Array(Math.min(FADE, this.queued));
    this.read(tail);
    this.blocks = [tail.map((sample, index) => sample * (1 - index / tail.length))];
    this.at = 0;
    this.queued = tail.length;
    this.isComplete = true;
  }

  read(out) {
    let filled = 0;
    while (filled < out.length && this.blocks.length) {
      const block = this.blocks[0];
      const take = Math.min(block.length - this.at, out.length - filled);
      out.set(block.subarray(this.at, this.at + take), filled);
      filled += take;
      this.at += take;
      if (this.at === block.length) {
        this.blocks.shift();
        this.at = 0;
      }
    }
    this.queued -= filled;
    return filled;
  }

  process(inputs, outputs) {
    const out = outputs[0][0];
    const filled = this.read(out);
    this.played += filled;
    if (filled === out.length) this.isSpeaking = true;
    else if (this.isSpeaking) {
      this.isSpeaking = false;
      if (!this.isComplete) this.gaps += 1;
    }
    this.ear.hear(out);
    return true;
  }
}

class Meter extends AudioWorkletProcessor {
  constructor() {
    super();
    this.ear = new Ear(this.port, () => ({}));
    this.port.onmessage = () => { this.ear.wasSilent = true; };
  }

  process(inputs) {
    if (inputs[0].length) this.ear.hear(inputs[0][0]);
    return true;
  }
}

registerProcessor("player", Player);
registerProcessor("meter", Meter);

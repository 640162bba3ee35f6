// On the audio thread: one node plays what it is given, the other one listens to what passes.
/* global Rebuffer -- of rebuffer.js, which is loaded before */
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
    this.places = []; // where it may pause, as samples from the first one of all
    this.at = 0;
    this.queued = 0;
    this.taken = 0;
    this.played = 0;
    this.rebuffer = new Rebuffer(sampleRate);
    this.ear = new Ear(this.port, () => ({
      played: this.played,
      queued: this.queued,
      gaps: this.rebuffer.underruns,
    }));
    this.port.onmessage = ({ data }) => this[data.order](data);
  }

  begin() {
    this.played = 0;
    this.ear.wasSilent = true;
  }

  add({ samples, places, rtf, leftS }) {
    this.rebuffer.expect(rtf, leftS);
    for (const place of places) this.places.push(this.taken + this.queued + place);
    this.blocks.push(samples);
    this.queued += samples.length;
  }

  end() {
    this.rebuffer.end();
  }

  clear() {
    const tail = new Float32Array(this.rebuffer.isPlaying ? Math.min(FADE, this.queued) : 0);
    this.read(tail);
    this.blocks = [tail.map((sample, index) => sample * (1 - index / tail.length))];
    this.at = 0;
    this.queued = tail.length;
    this.places = [];
    this.rebuffer.reset();
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
    this.taken += filled;
    return filled;
  }

  nextPlace() {
    while (this.places.length && this.places[0] < this.taken) this.places.shift();
    return this.places.length ? this.places[0] - this.taken : null;
  }

  process(inputs, outputs) {
    const out = outputs[0][0];
    const speech = this.rebuffer.playable(this.queued, out.length, this.nextPlace());
    this.played += this.read(out.subarray(0, speech));
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

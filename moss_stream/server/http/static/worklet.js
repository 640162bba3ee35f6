// On the audio thread: one node plays what it is given, the other one listens to what passes.
/* global Rebuffer -- of rebuffer.js, which is loaded before */
const AUDIBLE = 0.005;
const FADE = Math.floor(0.005 * sampleRate); // samples: so that an interruption does not click
const REPORT = Math.floor(0.05 * sampleRate); // samples between two reports
const BLOCK = 128; // samples of one call of process()
const WINDOW = BLOCK * Math.max(1, Math.round((0.02 * sampleRate) / BLOCK)); // samples that a peak is of

// Counts what can be heard, and reports it: in all, its beginning, and the peaks since the last report.
class Ear {
  constructor(port, figures) {
    this.port = port;
    this.figures = figures;
    this.sound = 0;
    this.wasSilent = true;
    this.sinceReport = 0;
    this.peaks = [];
    this.peak = 0;
    this.inWindow = 0;
  }

  // `sides` has the samples of each channel; what is heard on one of them is heard.
  hear(sides) {
    let sound = 0;
    for (let index = 0; index < sides[0].length; index += 1) {
      let loud = 0;
      for (const side of sides) loud = Math.max(loud, Math.abs(side[index]));
      this.peak = Math.max(this.peak, loud);
      sound += loud > AUDIBLE;
    }
    this.sound += sound;
    this.sinceReport += sides[0].length;
    this.passWindow(sides[0].length);
    const isFirst = sound > 0 && this.wasSilent;
    if (sound > 0) this.wasSilent = false;
    if (isFirst || this.sinceReport >= REPORT) {
      this.sinceReport = 0;
      // Of this block too, which is played from `currentTime` on.
      const endS = currentTime + (sides[0].length - this.inWindow) / sampleRate;
      const heard = { peaks: this.peaks, windowS: WINDOW / sampleRate, endS };
      this.port.postMessage({ soundS: this.sound / sampleRate, isFirst, heard, ...this.figures() });
      this.peaks = [];
    }
  }

  passWindow(count) {
    this.inWindow += count;
    if (this.inWindow < WINDOW) return;
    this.peaks.push(this.peak);
    this.peak = 0;
    this.inWindow -= WINDOW;
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
    this.queued += samples[0].length;
  }

  end() {
    this.rebuffer.end();
  }

  clear() {
    const length = this.rebuffer.isPlaying ? Math.min(FADE, this.queued) : 0;
    const tail = (this.blocks[0] ?? []).map(() => new Float32Array(length));
    this.read(tail, length);
    this.blocks = [tail.map((side) => side.map((sample, index) => sample * (1 - index / length)))];
    this.at = 0;
    this.queued = length;
    this.places = [];
    this.rebuffer.reset();
  }

  read(out, count) {
    let filled = 0;
    while (filled < count && this.blocks.length) {
      const block = this.blocks[0];
      const length = block.length ? block[0].length : 0;
      const take = Math.min(length - this.at, count - filled);
      block.forEach((side, number) => out[number].set(side.subarray(this.at, this.at + take), filled));
      filled += take;
      this.at += take;
      if (this.at === length) {
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
    const out = outputs[0];
    const speech = this.rebuffer.playable(this.queued, out[0].length, this.nextPlace());
    this.played += this.read(out, speech);
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
    if (inputs[0].length) this.ear.hear(inputs[0]);
    return true;
  }
}

registerProcessor("player", Player);
registerProcessor("meter", Meter);

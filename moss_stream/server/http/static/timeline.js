// A picture of one utterance: what was heard since its text was given, and below it the audio in hand.
const LEAST_S = 6;
const GROWTH = 1.25; // a step seldom enough that the picture does not crawl
const MOST_BARS = 2400; // a minute at first; a longer utterance is shown more coarsely
const BAR_S = 0.025;
const COLUMN = 3; // pixels, one of them empty
const AXIS = 16;
const AUDIBLE = 0.005;
const NEARLY = 1e-6; // bars: what sums of seconds are off by

// The seconds that all timelines of the page show, so that they can be compared.
export class Scale {
  constructor() {
    this.timelines = [];
    this.seconds = LEAST_S;
  }

  reset() {
    this.seconds = LEAST_S;
    for (const timeline of this.timelines) timeline.draw();
  }

  reach(seconds) {
    if (seconds <= this.seconds) return;
    while (this.seconds < seconds) this.seconds *= GROWTH;
    for (const timeline of this.timelines) timeline.draw();
  }
}

export class Timeline {
  constructor(canvas, scale) {
    this.canvas = canvas;
    this.scale = scale;
    scale.timelines.push(this);
    this.clear();
    new ResizeObserver(() => this.fit()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  clear() {
    this.bars = []; // of barS seconds each: {peak, leadS, isGap}
    this.barS = BAR_S;
    this.gaps = 0;
    this.isGap = false;
    this.firstS = null;
    this.mostLeadS = 0;
    this.draw();
  }

  first(seconds) {
    this.firstS = seconds;
  }

  // Peaks of windows of `windowS` seconds, the last of which ends at `endS`.
  add({ peaks, windowS, endS }, leadS, gaps) {
    this.isGap ||= gaps > this.gaps;
    this.gaps = gaps;
    this.mostLeadS = Math.max(this.mostLeadS, leadS);
    peaks.forEach((peak, index) => {
      const atS = endS - (peaks.length - index) * windowS;
      if (peak > AUDIBLE) this.isGap = false;
      if (atS >= 0) this.put(atS, atS + windowS, { peak, leadS, isGap: this.isGap });
    });
    this.scale.reach(endS);
    this.draw();
  }

  put(fromS, toS, bar) {
    while (toS > MOST_BARS * this.barS) this.coarsen();
    const last = Math.ceil(toS / this.barS - NEARLY) - 1;
    for (let index = Math.floor(fromS / this.barS + NEARLY); index <= last; index += 1) {
      this.bars[index] = joined([this.bars[index], bar]);
    }
  }

  coarsen() {
    const half = Array.from({ length: Math.ceil(this.bars.length / 2) }, (_, at) => joined(this.bars.slice(2 * at, 2 * at + 2)));
    this.bars = half;
    this.barS *= 2;
  }

  fit() {
    this.canvas.width = this.canvas.clientWidth * devicePixelRatio;
    this.canvas.height = this.canvas.clientHeight * devicePixelRatio;
    this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const pen = this.canvas.getContext("2d");
    const style = getComputedStyle(this.canvas);
    const color = (name) => style.getPropertyValue(`--${name}`);
    pen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const lanes = { width, wave: (height - AXIS) * 0.62, bottom: height - AXIS };
    this.drawAxis(pen, color, lanes);
    for (let x = 0; x < width; x += COLUMN) this.drawColumn(pen, color, lanes, x);
    if (this.firstS !== null) {
      pen.fillStyle = color("ink");
      pen.fillRect((this.firstS / this.scale.seconds) * width, 0, 1, lanes.bottom);
    }
  }

  drawAxis(pen, color, { width, wave, bottom }) {
    pen.fillStyle = color("line");
    pen.fillRect(0, wave / 2, width, 1);
    pen.fillRect(0, bottom, width, 1);
    pen.fillStyle = color("soft");
    pen.font = "11px system-ui, sans-serif";
    const stepS = [1, 2, 5, 10, 20, 60, 120, 300, 600].find((step) => (step / this.scale.seconds) * width >= 48) ?? 1800;
    for (let atS = 0; atS < this.scale.seconds; atS += stepS) {
      pen.fillText(`${atS} s`, (atS / this.scale.seconds) * width + 2, bottom + 12);
    }
    const lead = this.mostLeadS < 1 ? `${Math.round(1000 * this.mostLeadS)} ms` : `${this.mostLeadS.toFixed(1)} s`;
    if (this.mostLeadS) pen.fillText(lead, width - pen.measureText(lead).width - 2, wave + 12);
  }

  drawColumn(pen, color, { width, wave, bottom }, x) {
    const barsOf = (at) => Math.floor(((at / width) * this.scale.seconds) / this.barS);
    const from = barsOf(x);
    const bar = joined(this.bars.slice(from, Math.max(from + 1, barsOf(x + COLUMN))));
    if (!bar) return;
    pen.fillStyle = color(bar.isGap ? "bad" : "side");
    const tall = Math.max(bar.isGap ? wave / 4 : 1, bar.peak * wave);
    pen.fillRect(x, (wave - tall) / 2, COLUMN - 1, tall);
    pen.fillStyle = color("tint");
    const deep = (bar.leadS / Math.max(this.mostLeadS, 0.001)) * (bottom - wave - AXIS);
    pen.fillRect(x, bottom - deep, COLUMN, deep);
  }
}

// Several bars as one; undefined if there are none.
function joined(bars) {
  const there = bars.filter(Boolean);
  if (!there.length) return undefined;
  return {
    peak: Math.max(...there.map((bar) => bar.peak)),
    leadS: there.at(-1).leadS,
    isGap: there.some((bar) => bar.isGap),
  };
}

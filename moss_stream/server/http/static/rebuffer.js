// When a player pauses to collect audio, and when it goes on. The same as moss_stream/rebuffer.py, which has the reasons.
const FRAME_S = 0.08;
const LEAST_S = 3 * FRAME_S;
const MOST_S = 1.5;
const LOW_S = 0.4;
const SPARE_S = 0.8;
const STALLED_S = 1.0;
const WINDOW_S = 0.01;
const QUIET_WINDOWS = 3;
const QUIET_PEAK = 400;

export class Rebuffer {
  constructor(rate) {
    this.rate = rate;
    this.underruns = 0;
    this.rtf = 0;
    this.leftS = 0;
    this.silent = 0;
    this.isPlaying = false;
    this.hasPaused = false;
    this.hasEnded = true;
  }

  // Audio has come from a machine that needs `rtf` seconds for a second of it; `leftS` seconds follow.
  expect(rtf, leftS) {
    this.rtf = rtf;
    this.leftS = leftS;
    this.silent = 0;
    this.hasEnded = false;
  }

  end() {
    this.hasEnded = true;
    this.hasPaused = false;
  }

  reset() {
    this.end();
    this.isPlaying = false;
  }

  // How many of the next `count` samples are speech, with so many in hand; `place`: where a pause is little noticed.
  playable(queued, count, place = null) {
    const isStart = !this.isPlaying;
    if (isStart && !this.mayStart(queued)) {
      this.silent += count;
      return 0;
    }
    this.isPlaying = true;
    let played = Math.min(queued, count);
    const isPlace = place !== null && place <= played && !(isStart && place === 0);
    if (isPlace && this.shouldPause(queued)) {
      played = place;
      this.pause(count - played);
    } else if (played < count || (this.hasEnded && played === queued)) {
      this.pause(count - played);
    }
    return played;
  }

  mayStart(queued) {
    if (queued === 0 || this.hasEnded) return queued > 0;
    return this.isStalled() || queued >= this.rate * this.wantedS();
  }

  wantedS() {
    if (this.rtf <= 1) return 0;
    return Math.min(MOST_S, Math.max(this.hasPaused ? LEAST_S : 0, this.missingS(this.leftS + SPARE_S)));
  }

  missingS(leftS) {
    return (this.rtf - 1) * leftS;
  }

  isStalled() {
    return this.silent >= STALLED_S * this.rate;
  }

  shouldPause(queued) {
    if (this.hasEnded || this.isStalled()) return false;
    return queued < LOW_S * this.rate && queued < this.missingS(this.leftS) * this.rate;
  }

  pause(silent) {
    this.isPlaying = false;
    this.silent += silent;
    if (this.hasEnded) return;
    this.hasPaused = true;
    this.underruns += 1;
  }
}

// The middles of the silences of a chunk of int16; if it has none and a word begins in it, its softest moment.
// Samples of several channels take turns; a place counts those of all channels as one.
export function places(samples, rate, beginsWord, channels = 1) {
  const window = Math.floor(WINDOW_S * rate);
  const size = window * channels;
  const peaks = [];
  for (let at = 0; at + size <= samples.length; at += size) {
    let peak = 0;
    for (let index = at; index < at + size; index += 1) peak = Math.max(peak, Math.abs(samples[index]));
    peaks.push(peak);
  }
  const found = [];
  for (let first = 0, last = 0; first < peaks.length; first = last + 1) {
    for (last = first; last < peaks.length && peaks[last] < QUIET_PEAK;) last += 1;
    if (last - first >= QUIET_WINDOWS) found.push(Math.floor(((first + last) * window) / 2));
  }
  if (!found.length && beginsWord && peaks.length) found.push(peaks.indexOf(Math.min(...peaks)) * window);
  return found;
}

// The modules of an AudioWorklet share this scope, and not every browser lets them import each other.
globalThis.Rebuffer = Rebuffer;

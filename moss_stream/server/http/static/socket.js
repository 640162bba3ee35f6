// Text and PCM over WS /v1/speak, played by an AudioWorklet.
import { places } from "./rebuffer.js";

const HEADER_BYTES = 20;
const CHARS_PER_S = 14; // about what is spoken

export class SocketTransport {
  leadName = "In hand";
  playsOut = true; // when all is made, some of it is still to be heard

  // `on` has the functions message(object), figures({soundS, heard, gaps, leadS, playedChars, isEmpty}), first() and
  // closed(reason). Times of `heard` count from begin().
  constructor(on) {
    this.on = on;
    this.generation = 0;
    this.spans = [];
    this.rtf = 0;
  }

  async open(server) {
    const { data: [model] } = await server.ask("/v1/models");
    ({ sample_rate: this.rate, channels: this.channels } = model);
    this.context = new AudioContext({ sampleRate: this.rate });
    await this.context.audioWorklet.addModule("/page/rebuffer.js");
    await this.context.audioWorklet.addModule("/page/worklet.js");
    this.player = new AudioWorkletNode(this.context, "player", { outputChannelCount: [this.channels] });
    this.loudness = new GainNode(this.context);
    this.player.connect(this.loudness).connect(this.context.destination);
    this.player.port.onmessage = ({ data }) => this.report(data);
    this.socket = new WebSocket(server.socketAddress("/v1/speak"));
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = ({ data }) => (typeof data === "string" ? this.take(JSON.parse(data)) : this.play(data));
    await new Promise((resolve, reject) => {
      this.socket.onopen = resolve;
      this.socket.onclose = ({ reason }) => reject(new Error(reason || "The server did not take the connection. Is the API key right?"));
    });
    this.socket.onclose = ({ reason }) => this.on.closed(reason);
    await this.context.resume();
  }

  // Whether it can be heard; it plays in any case.
  listen(isHeard) {
    this.loudness.gain.value = isHeard ? 1 : 0;
  }

  begin() {
    this.originS = this.context.currentTime;
    this.spans = [];
    this.text = "";
    this.playedS = 0;
    this.sentS = 0;
    this.player.port.postMessage({ order: "begin" });
  }

  send(message) {
    if (message.type === "text") this.text += message.text;
    const wanted = message.type === "start" ? { channels: this.channels } : {};
    this.socket.send(JSON.stringify({ ...message, ...wanted }));
  }

  interrupt() {
    this.player.port.postMessage({ order: "clear" });
    this.send({ type: "played", seconds: this.playedS });
    this.send({ type: "cancel" });
  }

  take(message) {
    if ("expected_rtf" in message) this.rtf = message.expected_rtf ?? 0;
    if (message.type === "cancelled") this.generation = message.generation;
    if (["done", "flushed"].includes(message.type)) this.player.port.postMessage({ order: "end" });
    this.on.message(message);
  }

  play(data) {
    const header = new DataView(data, 0, HEADER_BYTES);
    if (header.getUint32(4, true) !== this.generation) return; // of a stream that was cancelled
    const pcm = new Int16Array(data, HEADER_BYTES);
    const [start, end] = [12, 16].map((at) => header.getUint32(at, true));
    const beginsWord = start === 0 || /\s/.test(this.text.slice(start - 1, start + 1));
    const endMs = header.getUint32(8, true) + (1000 * pcm.length) / this.channels / this.rate;
    this.spans.push({ endS: endMs / 1000, chars: end });
    const sides = Array.from({ length: this.channels }, (_, side) => side);
    const samples = sides.map((side) => Float32Array.from(
      { length: pcm.length / this.channels }, (_, index) => pcm[index * this.channels + side] / 32768,
    ));
    const pauses = places(pcm, this.rate, beginsWord, this.channels);
    const sound = { order: "add", samples, places: pauses, rtf: this.rtf };
    const moved = samples.map((side) => side.buffer);
    this.player.port.postMessage({ ...sound, leftS: (this.text.length - end) / CHARS_PER_S }, moved);
  }

  report({ soundS, isFirst, heard, played, queued, gaps }) {
    this.playedS = played / this.rate;
    if (isFirst) this.on.first();
    const playedChars = this.spans.findLast((span) => span.endS <= this.playedS + 0.001)?.chars ?? 0;
    heard.endS -= this.originS;
    this.on.figures({ soundS, heard, gaps, leadS: queued / this.rate, playedChars, isEmpty: queued === 0 });
    const isNews = this.playedS > this.sentS && this.socket.readyState === WebSocket.OPEN;
    if (isNews) this.send({ type: "played", seconds: this.playedS });
    this.sentS = Math.max(this.sentS, this.playedS);
  }

  async close() {
    if (this.socket) this.socket.onclose = null;
    this.socket?.close();
    await this.context?.close();
  }
}

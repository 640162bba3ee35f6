// Audio over a WebRTC track, text and events over its data channel.
const GATHER_MS = 1000;
const REPORT_MS = 100;

export class CallTransport {
  leadName = "Jitter buffer";

  constructor(on) {
    this.on = on;
    this.words = [];
    this.sound = 0;
    this.gaps = 0;
    this.gapsBefore = 0;
  }

  async open(key) {
    this.context = new AudioContext();
    await this.context.audioWorklet.addModule("/page/rebuffer.js"); // the worklet's player needs it
    await this.context.audioWorklet.addModule("/page/worklet.js");
    this.meter = new AudioWorkletNode(this.context, "meter");
    this.meter.port.onmessage = ({ data }) => this.hear(data);
    this.meter.connect(this.context.destination); // it is silent, but what leads nowhere is not run
    this.peer = new RTCPeerConnection();
    this.peer.addTransceiver("audio", { direction: "recvonly" });
    this.peer.ontrack = ({ streams, track }) => this.listen(streams[0] ?? new MediaStream([track]));
    this.channel = this.peer.createDataChannel("moss");
    this.channel.onmessage = ({ data }) => this.take(JSON.parse(data));
    const isOpen = new Promise((resolve) => { this.channel.onopen = resolve; });
    const offer = await this.peer.createOffer();
    // Without it a browser plays mono, whatever comes.
    await this.peer.setLocalDescription({ ...offer, sdp: offer.sdp.replace("useinbandfec=1", "useinbandfec=1;stereo=1") });
    await this.gathered();
    await this.peer.setRemoteDescription(await this.answer(key));
    await isOpen;
    this.channel.onclose = () => this.on.closed("The call has ended.");
    await this.context.resume();
    this.timer = setInterval(() => this.report(), REPORT_MS);
  }

  async gathered() {
    if (this.peer.iceGatheringState === "complete") return;
    await new Promise((resolve) => {
      this.peer.onicegatheringstatechange = () => this.peer.iceGatheringState === "complete" && resolve();
      setTimeout(resolve, GATHER_MS);
    });
  }

  async answer(key) {
    const headers = { "Content-Type": "application/json", ...(key && { Authorization: `Bearer ${key}` }) };
    const body = JSON.stringify(this.peer.localDescription);
    const response = await fetch("/webrtc/offer", { method: "POST", headers, body });
    const content = await response.json();
    if (!response.ok) throw new Error(content.error.message);
    return content;
  }

  listen(stream) {
    this.audio = new Audio();
    this.audio.srcObject = stream;
    this.audio.play();
    this.context.createMediaStreamSource(stream).connect(this.meter);
  }

  begin() {
    this.words = [];
    this.firstMs = null;
    this.gapsBefore = this.gaps;
    this.meter.port.postMessage("begin");
  }

  send(message) {
    this.channel.send(JSON.stringify(message.type === "start" ? { ...message, channels: 2 } : message));
  }

  interrupt() {
    this.send({ type: "cancel" });
  }

  take(message) {
    if (message.type === "words") this.words.push(...message.words);
    this.on.message(message);
  }

  hear({ sound, isFirst }) {
    this.sound = sound;
    if (isFirst) {
      this.firstMs = performance.now();
      this.on.first();
    }
  }

  async report() {
    let leadS = 0;
    for (const stats of (await this.peer.getStats()).values()) {
      if (stats.type !== "inbound-rtp") continue;
      if (stats.jitterBufferEmittedCount) leadS = stats.jitterBufferDelay / stats.jitterBufferEmittedCount;
      this.gaps = (stats.concealmentEvents ?? 0) - (stats.silentConcealmentEvents ?? 0);
    }
    const playedS = this.firstMs ? (performance.now() - this.firstMs) / 1000 : 0;
    const heard = this.words.findLast((word) => word.start_s <= playedS);
    const playedChars = (this.firstMs && heard?.char_end) || 0;
    this.on.figures({ sound: this.sound, gaps: this.gaps - this.gapsBefore, leadS, playedChars, isEmpty: true });
  }

  async close() {
    clearInterval(this.timer);
    this.channel.onclose = null;
    this.peer.close();
    await this.context.close();
  }
}

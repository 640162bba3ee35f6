// Audio over a WebRTC track, text and events over its data channel.
const GATHER_MS = 1000;
const ASK_MS = 100;

export class CallTransport {
  leadName = "Jitter buffer";
  playsOut = false; // the server says that all is made when it has sent it, in real time

  constructor(on) {
    this.on = on;
    this.words = [];
    this.figures = { leadS: 0, gaps: 0 };
    this.gapsBefore = 0;
  }

  async open(server) {
    this.context = new AudioContext();
    await this.context.audioWorklet.addModule("/page/rebuffer.js"); // the worklet's player needs it
    await this.context.audioWorklet.addModule("/page/worklet.js");
    this.meter = new AudioWorkletNode(this.context, "meter");
    this.meter.port.onmessage = ({ data }) => this.hear(data);
    this.meter.connect(this.context.destination); // it is silent, but what leads nowhere is not run
    this.peer = new RTCPeerConnection();
    this.peer.addTransceiver("audio", { direction: "recvonly" });
    this.peer.ontrack = ({ streams, track }) => this.take(streams[0] ?? new MediaStream([track]));
    this.channel = this.peer.createDataChannel("moss");
    this.channel.onmessage = ({ data }) => this.follow(JSON.parse(data));
    const isOpen = new Promise((resolve) => { this.channel.onopen = resolve; });
    const offer = await this.peer.createOffer();
    // Without it a browser plays mono, whatever comes.
    await this.peer.setLocalDescription({ ...offer, sdp: offer.sdp.replace("useinbandfec=1", "useinbandfec=1;stereo=1") });
    await this.gathered();
    await this.peer.setRemoteDescription(await server.send("/webrtc/offer", this.peer.localDescription));
    await isOpen;
    this.channel.onclose = () => this.on.closed("The call has ended.");
    await this.context.resume();
    this.timer = setInterval(() => this.ask(), ASK_MS);
  }

  async gathered() {
    if (this.peer.iceGatheringState === "complete") return;
    await new Promise((resolve) => {
      this.peer.onicegatheringstatechange = () => this.peer.iceGatheringState === "complete" && resolve();
      setTimeout(resolve, GATHER_MS);
    });
  }

  take(stream) {
    this.audio = new Audio();
    this.audio.srcObject = stream;
    this.audio.muted = !this.isHeard;
    this.audio.play();
    this.context.createMediaStreamSource(stream).connect(this.meter);
  }

  // Whether it can be heard; it plays in any case.
  listen(isHeard) {
    this.isHeard = isHeard;
    if (this.audio) this.audio.muted = !isHeard;
  }

  begin() {
    this.words = [];
    this.firstMs = null;
    this.gapsBefore = this.figures.gaps;
    this.originS = this.context.currentTime;
    this.meter.port.postMessage("begin");
  }

  send(message) {
    this.channel.send(JSON.stringify(message.type === "start" ? { ...message, channels: 2 } : message));
  }

  interrupt() {
    this.send({ type: "cancel" });
  }

  follow(message) {
    if (message.type === "words") this.words.push(...message.words);
    this.on.message(message);
  }

  hear({ soundS, isFirst, heard }) {
    if (isFirst) {
      this.firstMs = performance.now();
      this.on.first();
    }
    const playedS = this.firstMs ? (performance.now() - this.firstMs) / 1000 : 0;
    const word = this.words.findLast((each) => each.start_s <= playedS);
    const playedChars = (this.firstMs && word?.char_end) || 0;
    heard.endS -= this.originS;
    const { leadS, gaps } = this.figures;
    this.on.figures({ soundS, heard, gaps: gaps - this.gapsBefore, leadS, playedChars, isEmpty: true });
  }

  async ask() {
    for (const stats of (await this.peer.getStats()).values()) {
      if (stats.type !== "inbound-rtp") continue;
      if (stats.jitterBufferEmittedCount) this.figures.leadS = stats.jitterBufferDelay / stats.jitterBufferEmittedCount;
      this.figures.gaps = (stats.concealmentEvents ?? 0) - (stats.silentConcealmentEvents ?? 0);
    }
  }

  async close() {
    clearInterval(this.timer);
    if (this.channel) this.channel.onclose = null;
    this.peer?.close();
    await this.context.close();
  }
}

// Calls the server that the page came from, has a text spoken, and returns what was heard of it.
async (text) => {
  const TAIL_MS = 500;
  const peer = new RTCPeerConnection();
  peer.addTransceiver("audio", { direction: "recvonly" });
  const channel = peer.createDataChannel("moss");
  const blocks = [];

  const listen = async (track) => {
    const audio = new Audio(); // without one nothing is decoded
    audio.srcObject = new MediaStream([track]);
    audio.play();
    const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      const block = new Float32Array(next.value.numberOfFrames);
      next.value.copyTo(block, { planeIndex: 0, format: "f32-planar" });
      blocks.push(block);
      next.value.close();
    }
  };
  peer.ontrack = ({ track }) => listen(track);

  const isOpen = new Promise((resolve) => { channel.onopen = resolve; });
  const isDone = new Promise((resolve, reject) => {
    channel.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.type === "done") resolve();
      if (message.type === "error") reject(new Error(message.message));
    };
  });
  await peer.setLocalDescription();
  await new Promise((resolve) => {
    peer.onicegatheringstatechange = () => peer.iceGatheringState === "complete" && resolve();
  });
  const response = await fetch("/webrtc/offer", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(peer.localDescription),
  });
  await peer.setRemoteDescription(await response.json());
  await isOpen;
  for (const order of [{ type: "start" }, { type: "text", text }, { type: "end" }]) channel.send(JSON.stringify(order));
  await isDone;
  await new Promise((resolve) => setTimeout(resolve, TAIL_MS));

  const stats = [...(await peer.getStats()).values()].find(({ type }) => type === "inbound-rtp");
  const pcm = new Int16Array(blocks.flatMap((block) => Array.from(block, (sample) => sample * 32767)));
  let binary = "";
  for (const byte of new Uint8Array(pcm.buffer)) binary += String.fromCharCode(byte);
  peer.close();
  return {
    pcm: btoa(binary),
    packetsLost: stats.packetsLost,
    concealments: (stats.concealmentEvents ?? 0) - (stats.silentConcealmentEvents ?? 0),
  };
}

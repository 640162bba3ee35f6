import { CallTransport } from "./call.js";
import { Plot } from "./plot.js";
import { SocketTransport } from "./socket.js";

const TRANSPORTS = { socket: SocketTransport, call: CallTransport };
const TOKEN = /\s*\S{1,4}/gy; // about what a language model's tokens are in English
const TICK_MS = 20;

const $ = (id) => document.getElementById(id);
const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`).value;
const plots = {
  first: new Plot($("first-plot"), { most: 20, isBars: true, unit: "ms" }),
  lead: new Plot($("lead-plot"), { most: 200, unit: "s" }),
  gaps: new Plot($("gaps-plot"), { most: 200, unit: "gaps" }),
};

let transport = null; // kept from one utterance to the next
let utterance = null; // what is being said: {text, givenMs, timer, isMade}

function show(state) {
  document.body.dataset.state = $("state").textContent = state;
  $("interrupt").disabled = state !== "speaking";
  $("speak").disabled = state === "speaking" || state === "connecting";
}

function isSpeaking() {
  return document.body.dataset.state === "speaking";
}

function mark(chars) {
  $("heard").textContent = utterance.text.slice(0, chars);
  $("unheard").textContent = utterance.text.slice(chars);
}

function complain(message) {
  $("problem").textContent = message;
  $("problem").hidden = !message;
}

const events = {
  message(message) {
    if (message.type === "done") {
      utterance.isMade = true;
      if (transport instanceof CallTransport) finish();
    }
    if (message.type === "cancelled" && isSpeaking()) {
      mark(message.spoken.char_end);
      show("interrupted");
    }
    if (message.type === "error") fail(message.message);
  },
  figures({ sound, gaps, leadS, playedChars, isEmpty }) {
    $("samples").textContent = sound;
    if (!isSpeaking()) return;
    $("lead").textContent = `${leadS.toFixed(2)} s`;
    $("gaps").textContent = gaps;
    plots.lead.add(leadS);
    plots.gaps.add(gaps);
    mark(playedChars);
    if (utterance.isMade && isEmpty) finish();
  },
  first() {
    const firstMs = performance.now() - utterance.givenMs;
    $("first").textContent = `${Math.round(firstMs)} ms`;
    plots.first.add(firstMs);
  },
  closed(reason) {
    transport?.close();
    transport = null;
    if (isSpeaking()) fail(reason || "The connection was closed.");
  },
};

function finish() {
  mark(utterance.text.length);
  show("done");
}

function fail(message) {
  clearInterval(utterance?.timer);
  if (isSpeaking()) transport?.interrupt(); // whatever is left of it
  complain(message);
  show("failed");
}

async function connected() {
  const Transport = TRANSPORTS[chosen("transport")];
  if (transport instanceof Transport) return;
  await transport?.close();
  transport = null;
  const fresh = new Transport(events);
  await fresh.open($("key").value);
  transport = fresh;
  $("lead-name").textContent = transport.leadName;
}

async function speak() {
  complain("");
  show("connecting");
  try {
    await connected();
  } catch (error) {
    fail(error.message);
    return;
  }
  const text = $("text").value;
  utterance = { text, givenMs: performance.now(), timer: null, isMade: false };
  mark(0);
  show("speaking");
  transport.begin();
  transport.send({ type: "start", voice: $("voice").value || null, n_vq: Number($("codebooks").value) });
  if (chosen("arrival") === "whole") give([text], Infinity);
  else give(text.match(TOKEN) ?? [], Number($("rate").value));
}

// Gives tokens at a rate; all of them at once if it is infinite.
function give(tokens, rate) {
  const current = utterance;
  let given = 0;
  const tick = () => {
    if (utterance !== current || !isSpeaking()) {
      clearInterval(current.timer);
      return;
    }
    const due = Math.min(tokens.length, 1 + ((performance.now() - current.givenMs) / 1000) * rate);
    for (; given < Math.floor(due); given += 1) transport.send({ type: "text", text: tokens[given] });
    if (given === tokens.length) {
      clearInterval(current.timer);
      transport.send({ type: "end" });
    }
  };
  current.timer = setInterval(tick, TICK_MS);
  tick();
}

function interrupt() {
  clearInterval(utterance.timer);
  transport.interrupt();
}

async function describe() {
  const headers = $("key").value ? { Authorization: `Bearer ${$("key").value}` } : {};
  const [voices, models] = await Promise.all(
    ["/v1/audio/voices", "/v1/models"].map((path) => fetch(path, { headers })),
  );
  if (!voices.ok || !models.ok) {
    complain("Give the API key of this server.");
    return;
  }
  complain("");
  const names = (await voices.json()).voices.map((voice) => new Option(voice.id, voice.id));
  $("voice").replaceChildren(new Option("default", ""), ...names);
  const most = (await models.json()).data[0].num_codebooks;
  Object.assign($("codebooks"), { max: most, value: most });
  $("codebooks").dispatchEvent(new Event("input"));
}

for (const range of document.querySelectorAll("input[type=range]")) {
  range.addEventListener("input", () => { document.querySelector(`output[for=${range.id}]`).textContent = range.value; });
}
$("speak").addEventListener("click", speak);
$("interrupt").addEventListener("click", interrupt);
$("key").addEventListener("change", describe);
show("idle");
describe();

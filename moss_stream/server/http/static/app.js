import { CallTransport } from "./call.js";
import { Server } from "./server.js";
import { Side } from "./side.js";
import { SocketTransport } from "./socket.js";
import { Scale } from "./timeline.js";
import { Voices } from "./voices.js";

const TRANSPORTS = { socket: SocketTransport, call: CallTransport };
const FEW_CODEBOOKS = 4; // what B begins with: the least that speaks well
const STATES = ["connecting", "speaking", "failed", "interrupted", "done", "idle"]; // what is told first of several

const $ = (id) => document.getElementById(id);
const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`).value;

const server = new Server($("key"));
const scale = new Scale();
const sides = ["a", "b"].map((id) => new Side($(id), scale, { changed: show, problem: complain }));
const voices = new Voices($("more"), server, (names, fresh) => {
  for (const side of sides) side.offerVoices(names);
  if (fresh) sides[0].voice.value = fresh;
});
let isBusy = false;

const shown = () => ($("compare").checked ? sides : sides.slice(0, 1));

function show() {
  const states = shown().map((side) => side.state);
  const state = STATES.find((each) => states.includes(each));
  document.body.dataset.state = $("state").textContent = state;
  const hadFocus = document.activeElement;
  $("interrupt").disabled = !isBusy;
  $("speak").disabled = $("compare").disabled = isBusy;
  // A button that can no longer be pressed loses the keyboard; the other one takes it.
  if ([$("speak"), $("interrupt")].includes(hadFocus)) $(isBusy ? "interrupt" : "speak").focus();
}

function complain(message) {
  $("problem").textContent = message;
  $("problem").hidden = !message;
}

function hear() {
  const whom = chosen("hear");
  sides.forEach((side, index) => side.listen(!$("compare").checked || whom === "turns" || whom === "ab"[index]));
}

async function speak() {
  if (isBusy) return;
  isBusy = true;
  complain("");
  scale.reset();
  hear();
  const rate = chosen("arrival") === "whole" ? Infinity : Number($("rate").value);
  const say = (side) => side.speak($("text").value, rate, TRANSPORTS[chosen("transport")], server);
  try {
    if (chosen("hear") !== "turns") await Promise.all(shown().map(say));
    else for (const side of shown()) if ((await say(side)) !== "done") break;
  } finally {
    isBusy = false;
    show();
    $("news").textContent = shown().map((side) => side.news ?? "").join(" ");
  }
}

function interrupt() {
  for (const side of sides) side.interrupt();
}

function compare() {
  sides[1].root.hidden = $("turns").hidden = !$("compare").checked;
  hear();
  show();
}

async function describe() {
  try {
    const [{ data: [model] }] = await Promise.all([server.ask("/v1/models"), voices.refresh()]);
    const most = model.num_codebooks;
    sides[0].offerCodebooks(most, most);
    sides[1].offerCodebooks(most, Math.min(FEW_CODEBOOKS, most));
    complain("");
  } catch (error) {
    complain(error.message);
    if (error.wantsKey) $("access").open = true;
  }
}

$("what").addEventListener("submit", (event) => {
  event.preventDefault();
  speak();
});
$("interrupt").addEventListener("click", interrupt);
$("compare").addEventListener("change", compare);
$("turns").addEventListener("change", hear);
$("rate").addEventListener("input", () => { document.querySelector("[data-of=rate]").textContent = $("rate").value; });
$("access").addEventListener("change", describe);
$("access").addEventListener("submit", (event) => event.preventDefault()); // the key has changed before
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") interrupt();
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target === $("text")) $("what").requestSubmit();
});
compare();
describe();

// What is seen of one side: its text in the colour of what was heard, its timeline, its figures.
import { Timeline } from "./timeline.js";

const median = (values) => values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)];

export class Sheet {
  constructor(root, scale) {
    this.find = (name) => root.querySelector(`.${name}`);
    this.timeline = new Timeline(this.find("timeline"), scale);
    this.firstsMs = []; // of all utterances
  }

  begin(text, leadName) {
    this.text = text;
    this.heard = this.given = 0;
    this.tell({ first: "–", lead: "–", gaps: "0", "lead-name": leadName });
    this.timeline.clear();
    this.mark();
  }

  // As characters of the text: so much was given to the model, so much was heard.
  mark({ given = this.given, heard = this.heard } = {}) {
    Object.assign(this, { given: Math.max(given, heard), heard });
    this.tell({
      heard: this.text.slice(0, heard),
      given: this.text.slice(heard, this.given),
      coming: this.text.slice(this.given),
    });
  }

  first(firstMs) {
    this.firstsMs.push(firstMs);
    this.timeline.first(firstMs / 1000);
    this.tell({
      first: `${Math.round(firstMs)} ms`,
      median: `${Math.round(median(this.firstsMs))} ms`,
      runs: this.firstsMs.length,
    });
  }

  figures({ soundS, heard, leadS, gaps }) {
    this.tell({ sound: `${soundS.toFixed(1)} s` });
    if (!heard) return;
    this.tell({ lead: `${leadS.toFixed(2)} s`, gaps });
    this.timeline.add(heard, leadS, gaps);
  }

  // In words, for those who do not see it.
  end(name, state) {
    const [first, gaps, sound] = ["first", "gaps", "sound"].map((part) => this.find(part).textContent);
    const news = `${name} is ${state}. First audio: ${first}; gaps: ${gaps}; sound: ${sound}.`;
    this.find("timeline").setAttribute("aria-label", news);
    return news;
  }

  tell(parts) {
    for (const [name, value] of Object.entries(parts)) {
      const element = this.find(name);
      if (element.textContent !== String(value)) element.textContent = value;
    }
  }
}

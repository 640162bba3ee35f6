// The voices of the server: what can be chosen, what was uploaded, and uploads.
const PATH = "/v1/audio/voices";

export class Voices {
  // `root` holds the form, the list and what is told about them; `changed(names, fresh)` takes the names of all voices,
  // and the one that has just been uploaded, if it was.
  constructor(root, server, changed) {
    this.form = root.querySelector("form");
    this.list = root.querySelector("ul");
    this.told = root.querySelector("[role=status]");
    this.server = server;
    this.changed = changed;
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.attempt(() => this.upload());
    });
  }

  async refresh(fresh = null) {
    const { voices } = await this.server.ask(PATH);
    this.list.replaceChildren(...voices.filter((voice) => voice.uploaded).map((voice) => this.row(voice)));
    this.changed(voices.map((voice) => voice.id), fresh);
  }

  row({ id, seconds }) {
    const row = document.createElement("li");
    const remove = document.createElement("button");
    remove.type = "button";
    remove.textContent = "Delete";
    remove.setAttribute("aria-label", `Delete the voice ${id}`);
    remove.addEventListener("click", () => this.attempt(() => this.remove(id)));
    row.append(`${id} (${seconds.toFixed(1)} s) `, remove);
    return row;
  }

  async upload() {
    this.told.textContent = "The recording is being read.";
    const { id, seconds } = await this.server.ask(PATH, { method: "POST", body: new FormData(this.form) });
    this.form.reset();
    await this.refresh(id);
    this.told.textContent = `A speaks with the voice ${id}, from ${seconds.toFixed(1)} seconds.`;
  }

  async remove(id) {
    await this.server.ask(`${PATH}/${encodeURIComponent(id)}`, { method: "DELETE" });
    await this.refresh();
    this.told.textContent = `The voice ${id} is deleted.`;
    this.form.elements.name.focus(); // what was focused is gone
  }

  async attempt(action) {
    try {
      await action();
    } catch (error) {
      this.told.textContent = error.message;
    }
  }
}

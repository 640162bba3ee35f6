// Requests to the server that shows the page, with the key that was typed in.
const NO_KEY = 401;

export class Server {
  // `field` is where the key is typed in.
  constructor(field) {
    this.field = field;
  }

  get key() {
    return this.field.value;
  }

  get headers() {
    return this.key ? { Authorization: `Bearer ${this.key}` } : {};
  }

  // What the server answers, or an Error that says in words why it does not.
  async ask(path, options = {}) {
    const answer = await fetch(path, { ...options, headers: { ...this.headers, ...options.headers } });
    if (answer.ok) return answer.status === 204 ? null : answer.json();
    const said = await answer.json().catch(() => null);
    const problem = new Error(said?.error?.message ?? `The server answered ${answer.status}. Try again.`);
    problem.wantsKey = answer.status === NO_KEY;
    if (problem.wantsKey) problem.message = "Give the API key of this server.";
    throw problem;
  }

  send(path, content) {
    const headers = { "Content-Type": "application/json" };
    return this.ask(path, { method: "POST", headers, body: JSON.stringify(content) });
  }

  // The address of a socket; a page cannot set its headers.
  socketAddress(path) {
    const query = this.key ? `?api_key=${encodeURIComponent(this.key)}` : "";
    return location.origin.replace("http", "ws") + path + query;
  }
}

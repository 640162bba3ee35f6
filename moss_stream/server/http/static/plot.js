// Small pictures of numbers: the latest on the right, drawn anew with every value.
const COLOR = "#2f7d4f";

export class Plot {
  constructor(canvas, { most, isBars = false, unit = "" }) {
    this.canvas = canvas;
    this.most = most; // values that are kept
    this.isBars = isBars;
    this.unit = unit;
    this.values = [];
  }

  add(value) {
    this.values.push(value);
    if (this.values.length > this.most) this.values.shift();
    this.draw();
  }

  draw() {
    const { width, height } = this.canvas;
    const context = this.canvas.getContext("2d");
    const top = Math.max(...this.values, 1e-6) * 1.15;
    const step = width / this.most;
    const y = (value) => height - (value / top) * (height - 14);
    context.clearRect(0, 0, width, height);
    context.fillStyle = context.strokeStyle = COLOR;
    if (this.isBars) {
      this.values.forEach((value, index) => context.fillRect(index * step + 1, y(value), step - 2, height));
    } else {
      context.beginPath();
      this.values.forEach((value, index) => context.lineTo(index * step, y(value)));
      context.stroke();
    }
    context.fillStyle = "#888";
    context.fillText(`${Math.max(...this.values).toPrecision(3)} ${this.unit}`, 4, 11);
  }
}

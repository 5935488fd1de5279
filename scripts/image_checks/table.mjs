// What was seen, as a table at the end.

export class Table {
  #rows = [];
  #began = performance.now();

  /** A line while it runs. */
  say(text) {
    console.log(`${((performance.now() - this.#began) / 1000).toFixed(1).padStart(7)} s  ${text}`);
  }

  /** Something that was seen. */
  saw(part, what, result) {
    this.say(`${part}: ${what}: ${result}`);
    this.#rows.push([part, what, String(result)]);
  }

  print() {
    const width = (n) => Math.max(...this.#rows.map((row) => row[n].length));
    const [first, second] = [width(0), width(1)];
    console.log('');
    for (const [part, what, result] of this.#rows) console.log(`| ${part.padEnd(first)} | ${what.padEnd(second)} | ${result} |`);
  }
}

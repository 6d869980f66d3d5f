/* A segment's rule as rows over the textarea that holds it as JSON: what is sent is the textarea. */

const WHOLE = /^\d+$/;
const ONE_CURRENCY = /^([A-Za-z]{3})\s+(\S+)$/;

function segmentRule(root) {
  const vocabulary = JSON.parse(root.querySelector("#segment-vocabulary").textContent);
  const field = root.querySelector("textarea");
  const nothing = { type: "", meaning: "", operators: [], choices: [] };
  let keys = 0;

  function rowOf(condition = {}) {
    const { fact = "", ...asked } = condition;
    const operator = Object.keys(asked)[0] ?? "";
    const value = asked[operator];
    const several = Array.isArray(value) ? value.map(String) : [];
    return { key: ++keys, fact, operator, several, value: shown(value) };
  }

  function shown(value) {
    if (value === undefined || value === null) return "";
    if (Array.isArray(value)) return value.join(", ");
    if (typeof value === "object") return Object.entries(value).map((pair) => pair.join(" ")).join(", ");
    return String(value);
  }

  function parts(text) {
    return text.split(",").map((part) => part.trim()).filter(Boolean);
  }

  function amount(text) {
    const named = parts(text).map((part) => ONE_CURRENCY.exec(part));
    if (!named.length || named.includes(null)) return text.trim();
    return Object.fromEntries(named.map(([, currency, sum]) => [currency.toUpperCase(), sum]));
  }

  return {
    match: "all",
    rows: [],
    flat: false,
    asText: true,

    init() {
      this.read();
      this.asText = !this.flat;
      this.$watch("rows", () => this.write());
      this.$watch("match", () => this.write());
    },
    about(row) {
      return vocabulary[row.fact] ?? nothing;
    },
    many(row) {
      return row.operator === "is_any_of" || row.operator === "is_none_of";
    },
    /* Which control the row's value has. */
    input(row) {
      const type = this.about(row).type;
      if (type === "choice") return this.many(row) ? "several" : "select";
      return { truth: "select", number: "number", days: "number", amount: "amount", text: "text" }[type] ?? "";
    },
    /* Another fact: what was asked stays where it still makes sense. */
    turnTo(row) {
      const { operators, choices } = this.about(row);
      if (!operators.some(([operator]) => operator === row.operator)) row.operator = operators[0]?.[0] ?? "";
      if (choices.length && !choices.some(([value]) => value === row.value)) row.value = choices[0][0];
      if (!choices.length && this.input(row) === "number" && !WHOLE.test(row.value)) row.value = "";
      row.several = [];
    },
    said(row) {
      const type = this.about(row).type;
      if (type === "truth") return row.value === "true";
      if (type === "choice") return this.many(row) ? [...row.several] : row.value;
      if (type === "amount") return amount(row.value);
      if (type === "text") return this.many(row) ? parts(row.value) : row.value.trim();
      return WHOLE.test(row.value) ? Number(row.value) : row.value;
    },
    add() {
      this.rows.push(rowOf());
    },
    remove(place) {
      this.rows.splice(place, 1);
    },
    /* From the text to the rows, where it has any. */
    read() {
      let rule = null;
      try {
        rule = JSON.parse(field.value);
      } catch {
        /* Not JSON yet: the page says so when it is asked. */
      }
      const keys = rule && typeof rule === "object" ? Object.keys(rule) : [];
      const members = keys.length === 1 && ["all", "any"].includes(keys[0]) ? rule[keys[0]] : null;
      this.flat = Array.isArray(members) && members.every((one) => one && vocabulary[one.fact] && Object.keys(one).length === 2);
      if (!this.flat) return;
      this.match = keys[0];
      this.rows = members.length ? members.map(rowOf) : [rowOf()];
    },
    /* From the rows to the text. */
    write() {
      if (this.asText) return;
      const conditions = this.rows.map((row) => (row.fact ? { fact: row.fact, [row.operator]: this.said(row) } : {}));
      const text = JSON.stringify({ [this.match]: conditions }, null, 2);
      if (field.value === text) return;
      field.value = text;
      field.dispatchEvent(new Event("change", { bubbles: true }));
    },
  };
}

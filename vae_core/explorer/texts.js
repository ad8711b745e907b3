// The texts of texts.py, and numbers as they are written.

const text = (name, values = {}) => data.texts[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);

const minus = (number) => String(number).replaceAll("-", "\u2212");
const short = (number) => minus(Number(number.toPrecision(6)));
const digits = (number, count = 3) => minus(number.toPrecision(count).replace(/e\+?(-?\d+)/, "\u00b710^$1"));
const inPlane = (u) => u.map((value) => digits(value)).join(", ");

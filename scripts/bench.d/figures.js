// Medians, spreads and ratios, and the tables and the record that hold them.
'use strict';

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function spread(values, digits) {
  return `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)})`;
}

function row(cells) {
  console.log(`| ${cells.join(' | ')} |`);
}

function header(title, cells) {
  console.log(`\n### ${title}\n`);
  row(cells);
  row(cells.map(() => '---'));
}

/** Every figure of every run, for --json. */
const record = [];

/**
 * Prints a row that compares two sides run by run, and notes it. The other side may be absent.
 *
 * @param what { measure, model, streams, figure, digits, lowerIsBetter }
 */
function pair(what, ours, theirs) {
  const a = ours.map((run) => run[what.figure]);
  const cells = [what.measure, what.streams, spread(a, what.digits)];
  const noted = { measure: what.measure, model: what.model, streams: what.streams, ours: a };
  if (theirs.length > 0) {
    const b = theirs.map((run) => run[what.figure]);
    noted.theirs = b;
    noted.ratios = a.map((value, i) => value / b[i]);
    cells.push(spread(b, what.digits), spread(noted.ratios, 2) + (what.lowerIsBetter ? ' (lower is better)' : ''));
  } else {
    cells.push('–', '–');
  }
  record.push(noted);
  row(cells);
}

module.exports = { median, spread, row, header, pair, record };

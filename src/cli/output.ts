import type { RunEvent } from '../core/run.ts';
import type { Progress } from './progress.ts';

/** The only way a command speaks. */
export interface Output {
  /** What was asked for: text from `render`, or with --json the document itself. Call once. */
  answer<Document extends object>(document: Document, render: (document: Document, style: Style) => string): void;
  /** The same for the closing word of work, which --quiet leaves out when all is `well`. */
  done<Document extends object>(
    document: Document,
    render: (document: Document, style: Style) => string,
    well?: boolean,
  ): void;
  /** An answer too long to hold: a line for each item; with --json one array, with --json-events one event each. */
  stream<Item>(
    items: AsyncIterable<Item>,
    document: (item: Item) => object,
    line: (item: Item, style: Style) => string,
  ): Promise<void>;
  /** An aside, on standard error; not with --quiet or --json. */
  note(text: string): void;
  readonly style: Style;
  /** How wide a line may be; infinite where no terminal is. */
  readonly columns: number;
  /** Whether text is meant for people (not --json). */
  readonly forPeople: boolean;
}

export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  good(text: string): string;
  warn(text: string): string;
  bad(text: string): string;
}

interface TextStream {
  write(text: string): unknown;
}

export interface OutputOptions {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  readonly json: boolean;
  readonly jsonEvents: boolean;
  readonly quiet: boolean;
  readonly color: boolean;
  readonly columns: number;
  /** Cleared before anything else is written, so that no line lands in the middle of the bar. */
  readonly progress: Progress;
}

export function createOutput(options: OutputOptions): Output {
  const { stdout, stderr, json, jsonEvents, quiet, progress } = options;
  const style = styleOf(options.color);
  const show: Output['answer'] = (document, render) => {
    progress.clear();
    if (jsonEvents) stdout.write(`${toJson({ type: 'result', result: document })}\n`);
    else if (json) stdout.write(`${toJson(document, 2)}\n`);
    else stdout.write(`${printable(render(document, style), options.color).replace(/\n*$/, '')}\n`);
  };
  return {
    style,
    columns: options.columns,
    forPeople: !json && !jsonEvents,
    answer: show,
    done(document, render, well = true) {
      if (!quiet || !well || json || jsonEvents) show(document, render);
    },
    async stream(items, document, line) {
      progress.clear();
      let separator = '[\n';
      for await (const item of items) {
        if (jsonEvents) stdout.write(`${toJson({ type: 'item', item: document(item) })}\n`);
        else if (json) stdout.write(separator + toJson(document(item)));
        else stdout.write(`${printable(line(item, style), options.color)}\n`);
        separator = ',\n';
      }
      if (json && !jsonEvents) stdout.write(separator === '[\n' ? '[]\n' : '\n]\n');
    },
    note(text) {
      if (quiet || json || jsonEvents) return;
      progress.clear();
      stderr.write(`${printable(text, options.color)}\n`);
    },
  };
}

export function styleOf(color: boolean): Style {
  return color ? colored : plain;
}

/** One line of the stream that --json-events gives. */
export function eventLine(event: RunEvent): string {
  return `${toJson(event)}\n`;
}

/** Integers beyond 2^53 become text, so that no reader rounds them. What a terminal would obey is written as `\uNNNN`. */
export function toJson(document: unknown, indent?: number): string {
  const text = JSON.stringify(
    document,
    (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value),
    indent,
  );
  // JSON itself leaves newlines between its values alone of all the control characters below 0x20.
  return text.replace(unprintable, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const codes = { bold: 1, dim: 2, good: 32, warn: 33, bad: 31 } as const;
const wrap = (code: number) => (text: string) => (text === '' ? '' : `\x1b[${code}m${text}\x1b[0m`);
const same = (text: string) => text;
const plain: Style = { bold: same, dim: same, good: same, warn: same, bad: same };
const colored: Style = {
  bold: wrap(codes.bold),
  dim: wrap(codes.dim),
  good: wrap(codes.good),
  warn: wrap(codes.warn),
  bad: wrap(codes.bad),
};

// biome-ignore-start lint/suspicious/noControlCharactersInRegex: they are what must not reach the terminal
const unprintable = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const ownColours = /(\x1b\[(?:0|1|2|31|32|33)m)/;
// biome-ignore-end lint/suspicious/noControlCharactersInRegex: .

/** Text as it may reach a terminal: newlines pass, and where it is `colored` our own colours; any other control character is shown as `\xNN`. */
export function printable(text: string, colored = false): string {
  const escaped = (part: string) =>
    part.replace(unprintable, (found) => {
      const code = found.charCodeAt(0);
      return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
    });
  if (!colored) return escaped(text);
  return text
    .split(ownColours)
    .map((part, at) => (at % 2 === 0 ? escaped(part) : part))
    .join('');
}

/** Rows as columns, two spaces apart; colours do not count. The last column is not padded. */
export function table(rows: ReadonlyArray<readonly string[]>): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, widthOf(cell));
  }
  return rows
    .map((row) =>
      row
        .map((cell, at) => (at === row.length - 1 ? cell : cell + ' '.repeat((widths[at] ?? 0) - widthOf(cell))))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** The same for a terminal that may be too narrow: then each row goes on in further lines, further in. */
export function tableWithin(rows: ReadonlyArray<readonly string[]>, columns: number): string {
  const text = table(rows);
  if (text.split('\n').every((line) => widthOf(line) <= columns)) return text;
  return rows.map((row) => folded(row, columns)).join('\n');
}

function folded(cells: readonly string[], columns: number): string {
  const lines: string[] = [];
  let line = '';
  for (const cell of cells.filter((one) => one !== '')) {
    const isLong = widthOf(cell) > columns - further.length;
    for (const [at, piece] of (isLong ? cell.split(' ') : [cell]).entries()) {
      const longer = line === '' ? piece : `${line}${at === 0 ? '  ' : ' '}${piece}`;
      if (line === '' || widthOf(longer) <= columns) line = longer;
      else {
        lines.push(line);
        line = further + piece;
      }
    }
  }
  return [...lines, line].join('\n');
}

const further = '    ';

function widthOf(cell: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours have no width
  return [...cell.replace(/\x1b\[\d+m/g, '')].length;
}

/** Whoever may add objects may add any number: the first of what is told, and how many more there are. */
export function firstOf(lines: readonly string[], most = 20): string[] {
  const more = lines.length - most;
  return more <= 1 ? [...lines] : [...lines.slice(0, most), `and ${more} more like these (all of them with --json)`];
}

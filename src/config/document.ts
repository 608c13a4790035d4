// biome-ignore-all lint/suspicious/noTemplateCurlyInString: hints show how references are written
import { type Document, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import { configInvalid, identityInConfig, type Mistake } from './errors.ts';

/** A key or an index, from the top. */
export type ConfigPath = ReadonlyArray<string | number>;

/** A parsed file that knows where everything in it stands. */
export interface ConfigDocument {
  readonly value: unknown;
  /** A mistake at the value of `path`, or where that is missing at the nearest thing above it. */
  at(path: ConfigPath, what: string, hint?: string): Mistake;
  /** A mistake at the key `path` itself. */
  atKey(path: ConfigPath, what: string, hint?: string): Mistake;
  /** The error that shows all of `mistakes` in the order of the file. */
  error(mistakes: readonly Mistake[]): Error;
}

const maxAliases = 20;
const maxBytes = 1024 * 1024;

/** @throws `config-invalid`, `identity-in-config` */
export function readDocument(text: string, file: string): ConfigDocument {
  const lines = text.split(/\r?\n/);
  const fail = (mistakes: readonly Mistake[]) => configInvalid({ file, lines, mistakes });
  const identity = lines.findIndex((line) => /AGE-SECRET-KEY-/i.test(line));
  if (identity >= 0) throw identityInConfig({ file, line: identity + 1 });
  if (text.length > maxBytes) throw fail([{ line: 1, column: 1, what: 'the file is larger than 1 MiB' }]);

  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, uniqueKeys: true, strict: true, prettyErrors: false });
  const position = (offset: number) => {
    const { line, col } = counter.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  if (document.errors.length > 0) {
    const found = document.errors.map((error) => ({
      ...position(error.pos[0]),
      ...explain(error.code, error.message),
    }));
    const unquoted = found.find(({ line }) => bareReference.test(lines[line - 1] ?? ''));
    // The braces of one reference upset a parser several times.
    throw fail(unquoted === undefined ? found : [{ ...unquoted, ...referenceUnquoted }]);
  }

  return {
    value: toPlain(document, fail),
    at: (path, what, hint) => mistake(position(offsetOf(document, path)), what, hint),
    atKey: (path, what, hint) => mistake(position(keyOffsetOf(document, path)), what, hint),
    error: (mistakes) => fail([...mistakes].sort((a, b) => a.line - b.line || a.column - b.column)),
  };
}

function mistake(at: { line: number; column: number }, what: string, hint: string | undefined): Mistake {
  return hint === undefined ? { ...at, what } : { ...at, what, hint };
}

function toPlain(document: Document, fail: (mistakes: Mistake[]) => Error): unknown {
  try {
    return document.toJS({ maxAliasCount: maxAliases });
  } catch (cause) {
    throw Object.assign(fail([{ line: 1, column: 1, what: 'it has too many aliases, or one without its anchor' }]), {
      cause,
    });
  }
}

/** In a map between braces, outside of quotes. */
const bareReference = /\{[^'"]*:\s*[^'"\s,{}]*\$\{/;
const referenceUnquoted = {
  what: 'a value with ${…} between { and } must be in quotes',
  hint: 'Write "${NAME}" instead of ${NAME}.',
};

const explanations: Readonly<Record<string, { what: string; hint?: string }>> = {
  TAB_AS_INDENT: { what: 'a tab is used to indent', hint: 'YAML indents with spaces only.' },
  DUPLICATE_KEY: { what: 'this key is there twice', hint: 'Keep one of the two.' },
  MULTIPLE_DOCS: { what: 'a second document begins here', hint: 'One file describes one system: remove the ---.' },
  BAD_INDENT: { what: 'the indentation does not fit', hint: 'Keys of one level stand in one column.' },
  MULTILINE_IMPLICIT_KEY: { what: 'a colon is missing, or the indentation does not fit' },
};

function explain(code: string, message: string): { what: string; hint?: string } {
  return explanations[code] ?? { what: message.charAt(0).toLowerCase() + message.slice(1) };
}

function offsetOf(document: Document, path: ConfigPath): number {
  for (let length = path.length; length >= 0; length--) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (!isNode(node) || !node.range) continue;
    // For what is missing inside a map, its key says more than its first child.
    return length < path.length && length > 0 ? keyOffsetOf(document, path.slice(0, length)) : node.range[0];
  }
  return 0;
}

function keyOffsetOf(document: Document, path: ConfigPath): number {
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const last = path.at(-1);
  if (isMap(parent)) {
    const pair = parent.items.find((item) => isScalar(item.key) && String(item.key.value) === String(last));
    if (isScalar(pair?.key) && pair.key.range) return pair.key.range[0];
  }
  if (isSeq(parent) && typeof last === 'number') {
    const item = parent.items[last];
    if (isNode(item) && item.range) return item.range[0];
  }
  return offsetOf(document, path.slice(0, -1));
}

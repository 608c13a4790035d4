import { type DumpEntry, type DumpHeader, parseEntry, parseHeader, TooShort } from './dump-toc.ts';

/** Takes the data of one table, or of one large object. */
interface DataSink {
  add(bytes: Uint8Array, view: DataView, start: number, end: number): void;
  /** After its last byte. */
  close(): void;
}

export interface DumpReaderHandlers {
  /** Once, before any data. */
  toc?(header: DumpHeader, entries: readonly DumpEntry[]): void;
  table(entry: DumpEntry): DataSink;
  largeObject(oid: number): DataSink;
}

/** Reads along while a dump in pg_dump's custom format passes by. */
export interface DumpReader {
  push(bytes: Uint8Array): void;
  /** After the last byte. Throws `DumpBroken` when the dump is not whole. */
  end(): void;
  /** The bytes of the header and the table of contents, without data: a dump of the schema, once they were read. */
  readonly headSizeBytes: number | undefined;
}

/** Why bytes are not a whole dump, in a few words. The caller makes a sentence of it. */
export class DumpBroken extends Error {}

const tableBlock = 1;
const largeObjectsBlock = 3;
/** No entry of a table of contents is larger: PostgreSQL's own texts are limited to 1 GiB, and memory is ours. */
const maxEntryBytes = 256 << 20;

/**
 * The format (PostgreSQL's src/bin/pg_dump/pg_backup_custom.c): header, table of contents, then for each entry with data a
 * block: one byte of kind, the entry's number, and chunks of a length and bytes until a length of 0. In a block of large
 * objects each object's number comes before its chunks, and number 0 after the last.
 */
export function dumpReader(handlers: DumpReaderHandlers): DumpReader {
  let header: DumpHeader | undefined;
  const entries: DumpEntry[] = [];
  const awaited = new Map<number, DumpEntry>();
  let head: Buffer | undefined = Buffer.alloc(0);
  let headSizeBytes = 0;

  let state: 'kind' | 'entry' | 'object' | 'length' | 'bytes' = 'kind';
  let kind = 0;
  let left = 0;
  let sink: DataSink | undefined;
  // A number that is cut by the end of a buffer: a byte of sign, then four of size.
  const cut = new Uint8Array(5);
  let cutBytes = 0;

  /** Reads the head from `head`; returns where the data begin, or undefined when more bytes are needed. */
  function readHead(): number | undefined {
    const bytes = head as Buffer;
    let at = 0;
    try {
      if (header === undefined) [header, at] = parseHeader(bytes, 0);
      while (entries.length < header.entryCount) {
        const [entry, next] = parseEntry(bytes, at, header);
        entries.push(entry);
        if (entry.hasData) awaited.set(entry.dumpId, entry);
        at = next;
      }
    } catch (error) {
      if (!(error instanceof TooShort)) throw error;
      headSizeBytes += at;
      head = bytes.subarray(at);
      if (head.length > maxEntryBytes) throw new DumpBroken('its table of contents makes no sense');
      return undefined;
    }
    headSizeBytes += at;
    handlers.toc?.(header, entries);
    return at;
  }

  function takeNumber(value: number): void {
    if (state === 'entry') {
      const entry = awaited.get(value);
      if (entry === undefined) throw new DumpBroken(`it has data for entry ${value}, which expects none`);
      awaited.delete(value);
      if (kind === tableBlock) sink = handlers.table(entry);
      state = kind === tableBlock ? 'length' : 'object';
    } else if (state === 'object') {
      if (value === 0) state = 'kind';
      else {
        sink = handlers.largeObject(value);
        state = 'length';
      }
    } else if (value === 0) {
      sink?.close();
      state = kind === tableBlock ? 'kind' : 'object';
    } else {
      left = value;
      state = 'bytes';
    }
  }

  function readData(bytes: Uint8Array, start: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = start;
    while (at < bytes.length) {
      if (state === 'bytes') {
        const end = Math.min(at + left, bytes.length);
        (sink as DataSink).add(bytes, view, at, end);
        left -= end - at;
        at = end;
        if (left === 0) state = 'length';
      } else if (state === 'kind') {
        kind = bytes[at++] as number;
        if (kind !== tableBlock && kind !== largeObjectsBlock) throw new DumpBroken(`it has a block of kind ${kind}`);
        state = 'entry';
      } else if (cutBytes === 0 && at + 5 <= bytes.length) {
        if (bytes[at] !== 0) throw new DumpBroken('it has a negative length');
        takeNumber(view.getUint32(at + 1, true));
        at += 5;
      } else {
        cut[cutBytes++] = bytes[at++] as number;
        if (cutBytes < 5) continue;
        cutBytes = 0;
        if (cut[0] !== 0) throw new DumpBroken('it has a negative length');
        takeNumber(new DataView(cut.buffer).getUint32(1, true));
      }
    }
  }

  return {
    push(bytes) {
      if (head === undefined) {
        readData(bytes, 0);
        return;
      }
      head = head.length === 0 ? Buffer.from(bytes) : Buffer.concat([head, bytes]);
      const dataAt = readHead();
      if (dataAt === undefined) return;
      const rest = head;
      head = undefined;
      readData(rest, dataAt);
    },
    end() {
      if (head !== undefined) throw new DumpBroken('it ends within its table of contents');
      if (state !== 'kind') throw new DumpBroken('it ends within a table');
      const [missing] = awaited.values();
      if (missing !== undefined) throw new DumpBroken(`it lacks the data of ${missing.tag}`);
    },
    get headSizeBytes() {
      return head === undefined ? headSizeBytes : undefined;
    },
  };
}

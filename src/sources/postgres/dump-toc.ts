/** One object of a dump, as its table of contents lists it. Texts are in the server's encoding, one byte a character. */
export interface DumpEntry {
  readonly dumpId: number;
  readonly hasData: boolean;
  /** The object's number in its catalog at the source. For a table's data: the table's. */
  readonly oid: string;
  readonly tag: string;
  /** `TABLE`, `TABLE DATA`, `INDEX`, `FK CONSTRAINT` … */
  readonly kind: string;
  readonly definition: string;
  /** Of some kinds pg_restore also takes the name from here. */
  readonly drop: string;
  /** `COPY public.t (a, b) FROM stdin;` for a table's data. */
  readonly copy: string;
  readonly namespace: string;
  readonly owner: string;
  readonly dependsOn: readonly number[];
}

export interface DumpHeader {
  /** The format's version as one number: 1.14 is 114. */
  readonly format: number;
  readonly offsetSizeBytes: number;
  readonly entryCount: number;
  readonly serverVersion: string;
  readonly toolVersion: string;
}

/** The bytes end before the structure does. */
export class TooShort extends Error {}

/** The bytes are not a dump that this can read. */
export class DumpUnknown extends Error {}

/** PostgreSQL 12 to 18. */
const formats = { first: 114, last: 116 };

/** @returns the header and where it ends. */
export function parseHeader(bytes: Buffer, start: number): [DumpHeader, number] {
  const reader = tocReader(bytes, start);
  if (reader.raw(5).toString('latin1') !== 'PGDMP') throw new DumpUnknown('it is no dump in the custom format');
  const [major, minor] = [reader.byte(), reader.byte()];
  reader.byte();
  const format = major * 100 + minor;
  if (format < formats.first || format > formats.last)
    throw new DumpUnknown(`its format ${major}.${minor} is not known`);
  const intSizeBytes = reader.byte();
  const offsetSizeBytes = reader.byte();
  if (intSizeBytes !== 4 || offsetSizeBytes > 8) throw new DumpUnknown('its numbers have an unknown size');
  if (reader.byte() !== 1) throw new DumpUnknown('it is no dump in the custom format');
  if (format >= 115) reader.byte();
  else reader.int();
  // When it was made: seconds, minutes, hours, day, month, year, summer time.
  for (let at = 0; at < 7; at++) reader.int();
  reader.text();
  const serverVersion = reader.text();
  const toolVersion = reader.text();
  const entryCount = reader.int();
  return [{ format, offsetSizeBytes, entryCount, serverVersion, toolVersion }, reader.at()];
}

/** @returns the entry and where it ends. */
export function parseEntry(bytes: Buffer, start: number, header: DumpHeader): [DumpEntry, number] {
  const reader = tocReader(bytes, start);
  const dumpId = reader.int();
  const hasData = reader.int() !== 0;
  reader.text();
  const oid = reader.text();
  const tag = reader.text();
  const kind = reader.text();
  reader.int();
  const definition = reader.text();
  const drop = reader.text();
  const copy = reader.text();
  const namespace = reader.text();
  // Tablespace, table access method, and since 1.16 the kind of relation.
  reader.text();
  reader.text();
  if (header.format >= 116) reader.int();
  const owner = reader.text();
  reader.text();
  const dependsOn: number[] = [];
  for (let next = reader.optionalText(); next !== undefined; next = reader.optionalText()) dependsOn.push(Number(next));
  reader.raw(1 + header.offsetSizeBytes);
  return [{ dumpId, hasData, oid, tag, kind, definition, drop, copy, namespace, owner, dependsOn }, reader.at()];
}

function tocReader(bytes: Buffer, start: number) {
  let at = start;
  const raw = (sizeBytes: number) => {
    if (at + sizeBytes > bytes.length) throw new TooShort();
    at += sizeBytes;
    return bytes.subarray(at - sizeBytes, at);
  };
  const byte = () => raw(1)[0] as number;
  const int = () => {
    const sign = byte();
    const size = raw(4).readUInt32LE(0);
    return sign === 0 ? size : -size;
  };
  const optionalText = () => {
    const sizeBytes = int();
    return sizeBytes < 0 ? undefined : raw(sizeBytes).toString('latin1');
  };
  return { raw, byte, int, optionalText, text: () => optionalText() ?? '', at: () => at };
}

/** The columns of a `COPY` statement as it spells them; empty when it names none. */
export function columnsOf(copy: string): string[] {
  // The name of the table may hold anything, in quotes.
  const list = /^COPY (?:"(?:[^"]|"")*"|[^"\s(.])+(?:\.(?:"(?:[^"]|"")*"|[^"\s(.])+)? \((.*)\) FROM stdin;\s*$/s.exec(
    copy,
  );
  return (list?.[1] ?? '').match(/"(?:[^"]|"")*"|[^",\s]+/g) ?? [];
}

import { z } from 'zod';
import type { Expectations } from '../../core/expectations.ts';
import { type BytePath, comparePaths } from '../../core/paths.ts';
import { isUlid } from '../../core/ulid.ts';
import { formatNewer, manifestDamaged } from './errors.ts';
import { escapeBytes, unescapeBytes } from './escape.ts';
import { readCount, readExtent } from './extents.ts';
import { isKind, isName, isSha256, isTime } from './keys.ts';
import { isBase64 } from './signing.ts';
import { padme } from './toc.ts';

/**
 * The manifest of one restore point: how to find and check its body, and what a restore and a drill must know. The *body* is
 * the list of entries (./entries.ts), itself stored as chunks in packs, so that an unchanged folder costs next to nothing.
 * docs/vault-format.md specifies the text, which awk can read.
 */
export interface Manifest {
  readonly vault: string;
  readonly system: string;
  readonly dataset: string;
  readonly kind: string;
  readonly id: string;
  /** UTC, ISO 8601 with milliseconds. */
  readonly time: string;
  /** Ed25519 public key, base64. */
  readonly writer: string;
  /** SHA-256 (hex) of the record before, null for the first: with it no other record than its own can name this manifest. */
  readonly previous: string | null;
  /** Under which the chunk ids of this writer are made: HMAC-SHA-256 key, 32 bytes. Here, because a reader checks ids. */
  readonly chunkKey: Uint8Array;
  /** What the body's files and entries add up to, and the raw bytes that were new to the vault. */
  readonly sizes: { readonly logical: number; readonly added: number; readonly entries: number };
  readonly body: { readonly sizeBytes: number; readonly sha256: string; readonly extents: readonly BodyExtent[] };
  readonly facts: Readonly<Record<string, unknown>>;
  readonly expectations?: Expectations;
  readonly problems: ReadonlyArray<{ readonly code: string; readonly message: string }>;
}

/** `length` raw bytes at `offset` of the decompressed pack. `pack` null: that many zero bytes, a hole. */
export interface Extent {
  /** Lower-case hex of the SHA-256 of the pack object. */
  readonly pack: string | null;
  readonly offset: number;
  readonly length: number;
}

/** A piece of the body. No holes. */
export interface BodyExtent extends Extent {
  readonly pack: string;
  /** Of the entries whose first line begins in this piece; absent where none does. So one entry is found without reading all. */
  readonly first?: FirstEntry;
}

export interface FirstEntry {
  /** Bytes of the piece that come before it. */
  readonly at: number;
  readonly path: BytePath;
}

const INTRO = 'lifeboat-manifest\t1';
/** Lines that stand in their places and nowhere else. */
const names: ReadonlySet<string> = new Set([
  ...['vault', 'system', 'dataset', 'kind', 'id', 'time', 'writer', 'previous', 'chunk-key', 'sizes', 'body', 'extent'],
  ...['facts', 'expectations', 'problems'],
]);

/** The text as stored (compressed and encrypted by the engine). The last line is `end`. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  const { body } = manifest;
  const lines = [
    INTRO,
    `vault\t${manifest.vault}`,
    `system\t${manifest.system}`,
    `dataset\t${manifest.dataset}`,
    `kind\t${manifest.kind}`,
    `id\t${manifest.id}`,
    `time\t${manifest.time}`,
    `writer\t${manifest.writer}`,
    `previous\t${manifest.previous ?? '-'}`,
    `chunk-key\t${Buffer.from(manifest.chunkKey).toString('hex')}`,
    `sizes\t${manifest.sizes.logical}\t${manifest.sizes.added}\t${manifest.sizes.entries}`,
    `body\t${body.sha256}\t${body.sizeBytes}`,
    ...body.extents.map(extentLine),
    `facts\t${JSON.stringify(manifest.facts)}`,
    ...(manifest.expectations === undefined ? [] : [`expectations\t${JSON.stringify(manifest.expectations)}`]),
    `problems\t${JSON.stringify(manifest.problems)}`,
    'end',
  ];
  const bytes = Buffer.from(`${lines.join('\n')}\n`);
  decodeManifest(bytes); // what cannot be read again must not be stored
  return bytes;
}

function extentLine({ pack, offset, length, first }: BodyExtent): string {
  const line = `extent\t${pack}\t${offset}\t${length}`;
  return first === undefined ? line : `${line}\t${first.at}\t${escapeBytes(first.path)}`;
}

/** Error: `manifest-damaged`; `format-newer` for a later format. */
export function decodeManifest(bytes: Uint8Array): Manifest {
  const lines = manifestLines(bytes);
  const vault = lines.one('vault', isUlid);
  const system = lines.one('system', isName);
  const dataset = lines.one('dataset', isName);
  const kind = lines.one('kind', isKind);
  const id = lines.one('id', isUlid);
  const time = lines.one('time', isTime);
  const writer = lines.one('writer', (text) => isBase64(text, 32));
  const before = lines.one('previous', (text) => text === '-' || isSha256(text));
  const previous = before === '-' ? null : before;
  const chunkKey = new Uint8Array(Buffer.from(lines.one('chunk-key', isSha256), 'hex'));
  const sizes = readSizes(lines);
  const body = readBody(lines);
  const facts = lines.json('facts', z.record(z.string(), z.unknown()));
  const expectations = lines.next().startsWith('expectations\t')
    ? lines.json('expectations', expectationsShape)
    : undefined;
  const problems = lines.json('problems', problemsShape);
  lines.end();
  const of = { vault, system, dataset, kind, id, time, writer, previous };
  return { ...of, chunkKey, sizes, body, facts, ...(expectations && { expectations }), problems };
}

const hash = z.string().regex(/^[0-9a-f]{8}$/);
const sampleShape = z
  .object({
    key: z.array(z.string()),
    columns: z.array(z.string()),
    until: hash.exactOptional(),
    rows: z.array(z.string().regex(/^[0-9a-f]{8}([0-9a-f]{3}[-dwkxz][0-9a-z])*$/)).max(256),
  })
  .refine(({ columns, rows }) => rows.every((row) => row.length === 8 + 5 * columns.length))
  .refine(({ rows }) => rows.every((row, at) => at === 0 || rows[at - 1]!.slice(0, 8) < row.slice(0, 8)))
  .refine(({ rows, until }) => until === undefined || (rows.at(-1)?.slice(0, 8) ?? '') <= until);

const expectationsShape = z.object({
  algorithm: z.string(),
  tables: z.array(
    z.object({
      table: z.string(),
      rows: z.number().int().nonnegative(),
      checksum: z.string().exactOptional(),
      reason: z.string().exactOptional(),
      sample: sampleShape.exactOptional(),
    }),
  ),
});

const problemsShape = z.array(z.object({ code: z.string(), message: z.string() }));

/** What a manifest and its record say alike. */
const shared = ['vault', 'system', 'dataset', 'kind', 'id', 'time', 'writer', 'previous'] as const;

/**
 * The first of the things that tie a manifest to its record and are not the same; undefined where all are. Without this whoever
 * signs, or hides records, could show an old state as a new one.
 */
export function differsFrom(
  record: Pick<Manifest, (typeof shared)[number] | 'sizes'> & { readonly problems: Readonly<Record<string, number>> },
  manifest: Manifest,
): (typeof shared)[number] | 'sizes' | 'problems' | undefined {
  const odd = shared.find((name) => manifest[name] !== record[name]);
  if (odd !== undefined) return odd;
  const { logical, added, entries } = manifest.sizes;
  const { sizes } = record;
  if (padme(logical) !== sizes.logical || padme(added) !== sizes.added || padme(entries) !== sizes.entries)
    return 'sizes';
  return haveSame(record.problems, countByCode(manifest.problems)) ? undefined : 'problems';
}

/** As a record says them: without a word of what is in the vault. */
export function countByCode(problems: ReadonlyArray<{ readonly code: string }>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { code } of problems) counts[code] = (counts[code] ?? 0) + 1;
  return counts;
}

function haveSame(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): boolean {
  const codes = Object.keys(a);
  return codes.length === Object.keys(b).length && codes.every((code) => a[code] === b[code]);
}

interface Lines {
  /** The next line, not yet taken. */
  next(): string;
  /** Takes the line `name<tab>value`. */
  one(name: string, fits: (value: string) => boolean): string;
  json<T>(name: string, shape: z.ZodType<T>): T;
  end(): void;
}

function manifestLines(bytes: Uint8Array): Lines {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw manifestDamaged({ field: 'its text, which is not UTF-8' });
  }
  const later = /^lifeboat-manifest\t([1-9]\d{0,8})\n/.exec(text);
  if (later !== null && later[1] !== '1') throw formatNewer({ what: 'A manifest', needs: `format ${later[1]}` });
  if (later === null) throw manifestDamaged({ field: 'its first line' });
  // Line by line, never split at once: a text of nothing but newlines would cost many times its size.
  let at = INTRO.length + 1;
  const next = () => text.slice(at, Math.max(at, text.indexOf('\n', at)));
  const one: Lines['one'] = (name, fits) => {
    const line = next();
    const value = line.slice(name.length + 1);
    if (!line.startsWith(`${name}\t`) || !fits(value)) throw manifestDamaged({ field: name });
    at += line.length + 1;
    return value;
  };
  return {
    next,
    one,
    json(name, shape) {
      const value = one(name, () => true);
      try {
        return shape.parse(JSON.parse(value));
      } catch {
        throw manifestDamaged({ field: name });
      }
    },
    end() {
      // Lines that a later program added: what must be known to read the rest, the record requires.
      for (let name = nameOf(next()); name !== undefined && !names.has(name); name = nameOf(next()))
        at += next().length + 1;
      if (text.slice(at) !== 'end\n') throw manifestDamaged({ field: 'its end' });
    },
  };
}

function nameOf(line: string): string | undefined {
  return /^([a-z][a-z-]*)\t/.exec(line.slice(0, 100))?.[1];
}

function readSizes(lines: Lines): Manifest['sizes'] {
  const counts = lines.one('sizes', () => true).split('\t', 4);
  const [logical, added, entries] = counts.map(readCount);
  if (logical === undefined || added === undefined || entries === undefined || counts.length > 3)
    throw manifestDamaged({ field: 'sizes' });
  return { logical, added, entries };
}

function readBody(lines: Lines): Manifest['body'] {
  const [sha256 = '', size = ''] = lines.one('body', (text) => /^[0-9a-f]{64}\t\d+$/.test(text)).split('\t');
  const sizeBytes = readCount(size);
  const extents: BodyExtent[] = [];
  let [held, last] = [0, ''];
  while (lines.next().startsWith('extent\t')) {
    const extent = readBodyExtent(lines.one('extent', () => true));
    const { first } = extent ?? {};
    // The list begins with an entry, and each comes after the one before it.
    const fits = first === undefined ? held > 0 : held > 0 ? comparePaths(last, first.path) < 0 : first.at === 0;
    if (extent === undefined || !fits) throw manifestDamaged({ field: `extent ${extents.length}` });
    if (first !== undefined) last = first.path;
    extents.push(extent);
    held += extent.length;
  }
  if (sizeBytes === undefined || held !== sizeBytes) throw manifestDamaged({ field: 'body' });
  return { sizeBytes, sha256, extents };
}

/** Of a line `extent`, without its name. Whether the path may be one is seen where the entry itself is read. */
function readBodyExtent(value: string): BodyExtent | undefined {
  const [pack = '', offset = '', length = '', at, path, more] = value.split('\t', 6);
  const extent = readExtent(pack, offset, length);
  if (extent === undefined || extent.pack === null || more !== undefined) return undefined;
  const piece = { ...extent, pack: extent.pack };
  if (at === undefined) return piece;
  const first = { at: readCount(at), path: path === undefined ? undefined : unescapeBytes(path) };
  if (first.at === undefined || first.at >= extent.length || !first.path) return undefined;
  return { ...piece, first: { at: first.at, path: first.path } };
}

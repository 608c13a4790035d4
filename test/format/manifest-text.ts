import { z } from 'zod';
import { orderOf, unescaped } from './body-lines.ts';
import { broken, isRising, name, parsed, publicKey, sha256Hex, shaped, time, ulid, utf8 } from './strict-json.ts';

export interface Place {
  readonly pack: string;
  readonly offset: number;
  readonly length: number;
}

/** Of the body, with the first entry that begins in it, and where. */
export interface Piece extends Place {
  readonly first: { readonly at: number; readonly path: string } | undefined;
}

export interface Manifest {
  readonly said: ReadonlyMap<string, string>;
  readonly chunkKey: string;
  readonly bodySha256: string;
  readonly bodyBytes: number;
  readonly extents: readonly Piece[];
  readonly sizes: { readonly logical: number; readonly added: number; readonly entries: number };
  readonly facts: Record<string, unknown>;
  readonly expectations:
    | { readonly algorithm: string; readonly tables: readonly z.infer<typeof tableShape>[] }
    | undefined;
  readonly problems: ReadonlyMap<string, number>;
}

const sampleShape = z
  .looseObject({
    key: z.array(z.string()),
    columns: z.array(z.string()),
    until: z
      .string()
      .regex(/^[0-9a-f]{8}$/)
      .optional(),
    rows: z.array(z.string().regex(/^[0-9a-f]{8}(?:[0-9a-f]{3}[-dwkxz][0-9a-z])*$/)).max(256),
  })
  .refine(
    ({ columns, rows }) => rows.every((row) => (row.length - 8) / 5 === columns.length),
    'a value for each column',
  )
  .refine(({ until, rows }) => {
    const keys = [...rows.map((row) => row.slice(0, 8)), ...(until === undefined ? [] : [until])];
    const last = keys.at(-2);
    // The last row may be the one that it reaches to.
    if (until !== undefined && until === last) keys.pop();
    return keys.every((key, at) => at === 0 || keys[at - 1]! < key);
  }, 'rows in order');
const tableShape = z
  .looseObject({
    table: z.string(),
    rows: z.int().min(0),
    checksum: z.string().optional(),
    reason: z.string().optional(),
    sample: sampleShape.optional(),
  })
  .refine(({ checksum, reason }) => (checksum === undefined) !== (reason === undefined), 'a checksum or a reason');
const expectationsShape = z.looseObject({ algorithm: z.string(), tables: z.array(tableShape) });
const problemsShape = z.array(z.looseObject({ code: z.string(), message: z.string() }));

const head = ['vault', 'system', 'dataset', 'kind', 'id', 'time', 'writer', 'previous', 'chunk-key', 'sizes', 'body'];
const shapes: Readonly<Record<string, z.ZodType>> = {
  vault: ulid,
  system: name,
  dataset: name,
  kind: z.string().regex(/^[ -~]{1,200}$/),
  id: ulid,
  time,
  writer: publicKey,
  previous: sha256Hex.or(z.literal('-')),
  'chunk-key': sha256Hex,
};

export function decimal(text: string | undefined): number {
  if (text === undefined || !/^(0|[1-9]\d*)$/.test(text)) broken(`${text} is no number`);
  const number = Number(text);
  if (!Number.isSafeInteger(number)) broken(`${text} is too large`);
  return number;
}

/** The plaintext of a manifest, decompressed. */
export function readManifest(bytes: Uint8Array): Manifest {
  const lines = utf8(bytes)
    .split('\n')
    .map((line) => line.split('\t'));
  if (lines.pop()?.join('') !== '' || lines.shift()?.join(' ') !== 'lifeboat-manifest 1') broken('it is no manifest');
  const said = new Map<string, string>();
  let [body, amounts]: string[][] = [[], []];
  for (const line of head) {
    const [found, ...values] = lines.shift() ?? [];
    if (found !== line || values.length !== (line === 'body' ? 2 : line === 'sizes' ? 3 : 1))
      broken(`where is its ${line}`);
    if (line === 'body') body = values;
    else if (line === 'sizes') amounts = values;
    else said.set(line, shaped(values[0], shapes[line] as z.ZodType<string>));
  }
  const [logical, added, entries] = amounts!.map(decimal) as [number, number, number];
  const extents: Piece[] = [];
  while (lines[0]?.[0] === 'extent') {
    const values = lines.shift()!;
    if (values.length !== 4 && values.length !== 6) broken('an extent has other fields');
    const [, pack, offset, length, at, path] = values;
    const first = at === undefined ? undefined : { at: decimal(at), path: unescaped(path!) };
    extents.push({ pack: shaped(pack, sha256Hex), offset: decimal(offset), length: decimal(length), first });
    if (first !== undefined && (first.at >= extents.at(-1)!.length || first.path === ''))
      broken('no entry begins there');
  }
  if (extents.length > 0 && extents[0]!.first?.at !== 0) broken('its body begins with no entry');
  if (!isRising(extents.flatMap(({ first }) => (first === undefined ? [] : [orderOf(first.path)]))))
    broken('its entries are not in order');
  if (extents.some(({ length }) => length < 1)) broken('an extent is empty');
  const facts = json(lines, 'facts', z.record(z.string(), z.unknown()));
  const expectations = lines[0]?.[0] === 'expectations' ? json(lines, 'expectations', expectationsShape) : undefined;
  const problems = new Map<string, number>();
  for (const { code } of json(lines, 'problems', problemsShape)) problems.set(code, (problems.get(code) ?? 0) + 1);
  const known = [...head, 'extent', 'facts', 'expectations', 'problems', 'end'];
  for (let line = lines.shift(); line?.join('') !== 'end'; line = lines.shift()) {
    const first = line?.[0] ?? '';
    if (line === undefined || line.length < 2 || !/^[a-z][a-z-]*$/.test(first) || known.includes(first)) {
      broken('it does not end where it should');
    }
  }
  if (lines.length > 0) broken('something stands behind its end');
  const [bodySha256, bodyBytes] = [shaped(body![0], sha256Hex), decimal(body![1])];
  if (extents.reduce((sum, { length }) => sum + length, 0) !== bodyBytes)
    broken('its extents are not as long as its body');
  return {
    said,
    chunkKey: said.get('chunk-key')!,
    bodySha256,
    bodyBytes,
    extents,
    sizes: { logical, added, entries },
    facts,
    expectations,
    problems,
  };
}

function json<T>(lines: string[][], line: string, shape: z.ZodType<T>): T {
  const [found, ...values] = lines.shift() ?? [];
  if (found !== line || values.length !== 1) broken(`where are its ${line}`);
  return shaped(parsed(values[0]!), shape);
}

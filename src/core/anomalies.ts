import { type Altered, alteredOf } from './altered.ts';
import type { Expectations, Holds } from './expectations.ts';
import type { TableSample } from './sample.ts';
import { countOf, formatCount, formatSize } from './size.ts';

/** Rows of each table; of a folder, `files`. What is no data (definitions, sequences) is not among them. */
export type RowCounts = Readonly<Record<string, number>>;
export type Samples = Readonly<Record<string, TableSample>>;

/** How much one restore point holds. */
export interface Measured {
  readonly id: string;
  /** Milliseconds since 1970 UTC. */
  readonly timeMs: number;
  readonly bytes: number;
  readonly entries: number;
  /** Absent where only what the vault shows to everyone is known. */
  readonly rows?: RowCounts;
  /** Of its tables, or of its files. */
  readonly samples?: Samples;
  /** Tables of which most was other than at the restore point before. */
  readonly altered?: readonly string[];
}

/** What the configuration says of a dataset that may have little or nothing in it. */
export interface Allowance {
  readonly holds: Holds;
  readonly mayBeEmpty: boolean;
  /** Names of tables whose rows may go; `*` stands for anything. */
  readonly mayShrink: readonly string[];
}

/** What was lost of one thing that is counted. */
export interface Loss {
  /** A table, `files`, `rows` of all tables together, `entries` or `bytes`. */
  readonly what: string;
  readonly before: number;
  readonly now: number;
  /** Of what is still there in number: what became of most of it. */
  readonly altered?: Altered;
}

/** What a restore point holds beside those before it. */
export type Weighed =
  | { readonly state: 'sound' }
  /** Nothing is in it, and nothing was before: it proves nothing. */
  | { readonly state: 'empty' }
  /** `since`: the restore point that held the most of it. */
  | { readonly state: 'lost'; readonly emptied: boolean; readonly since: Measured; readonly losses: readonly Loss[] };

/** Fewer rows or files may come and go as they like. */
const fewest = 20;
const leastBytes = 1024 * 1024;
/** Of a database whose rows nobody counted: its dump also shrinks for other reasons, so more of it must be gone. */
const leastDumpBytes = 16 * 1024;
/** Tables that fill and drain by their nature, as common frameworks name them. */
const volatileNames =
  /(^|[._])(sessions?|cache|cache_locks|queue|delayed_jobs|failed_jobs|good_jobs|oban_jobs|outbox)$|(^|\.)(solid_(queue|cache|cable)_|pgboss\.)/;

/**
 * The one rule of backups, drills and status: a restore point (the last of `points`, oldest first) is held against every one
 * since the last that was proved or accepted, `settled`, and itself; against all before it where none was. So neither one great
 * loss nor many small ones pass, and what grew since the proof counts too.
 */
export function weigh(points: readonly Measured[], settled: string | undefined, allowed: Allowance): Weighed {
  const now = points.at(-1);
  if (now === undefined) return { state: 'sound' };
  const from = points.findIndex(({ id }) => id === settled);
  const before = points.slice(Math.max(0, from), -1);
  const steady = steadyOf(points, allowed);
  const found = lossesOf(now, before, steady, allowed);
  if (found.emptied) return { state: 'lost', ...found, since: found.since! };
  const reference = before.find(({ samples }) => samples !== undefined);
  const isAtRest = (table: string) => steady(table) && !isRestless(points.slice(0, from + 1), table);
  const gone = new Set(found.losses.map(({ what }) => what));
  const altered = reference === undefined ? [] : alteredIn(reference, now, allowed.holds, isAtRest);
  const losses = [...found.losses, ...altered.filter(({ what }) => !gone.has(what))];
  const since = found.since ?? reference;
  if (losses.length > 0 && since !== undefined) return { state: 'lost', emptied: false, losses, since };
  return isEmpty(now) && !allowed.mayBeEmpty ? { state: 'empty' } : { state: 'sound' };
}

/** By its rows or files; where nobody counted them, by its bytes. */
export function isEmpty({ rows, bytes }: Pick<Measured, 'rows' | 'bytes'>): boolean {
  return rows === undefined ? bytes === 0 : sumOf(rows, () => true) === 0;
}

/** The rows that were recorded, without what is no data. Null prototype: a table may have any name. */
export function rowsOf({ tables }: Expectations): RowCounts {
  const rows: Record<string, number> = Object.create(null);
  for (const { table, rows: count } of tables) if (isTable(table)) rows[table] = count;
  return rows;
}

/** The samples that were recorded. */
export function samplesOf({ tables }: Expectations): Samples {
  const samples: Record<string, TableSample> = Object.create(null);
  for (const { table, sample } of tables) if (sample !== undefined) samples[table] = sample;
  return samples;
}

/** Whether there is no data in it, whatever definitions it has. */
export function holdsNothing(recorded: Expectations): boolean {
  return sumOf(rowsOf(recorded), () => true) === 0;
}

/** Sources also record what is no table: definitions, sequences, large objects. Those have a space outside of quotes. */
export function isTable(name: string): boolean {
  return name !== 'sqlite_schema' && !name.replace(/"(?:[^"]|"")*"/g, '').includes(' ');
}

interface Found {
  readonly losses: readonly Loss[];
  readonly emptied: boolean;
  readonly since?: Measured;
}

function lossesOf(
  now: Measured,
  before: readonly Measured[],
  isSteady: (table: string) => boolean,
  allowed: Allowance,
) {
  const counted = now.rows === undefined ? [] : before.filter(({ rows }) => rows !== undefined);
  const others = before.filter((point) => !counted.includes(point));
  const byRows = lossesOfRows(now, counted, isSteady, allowed);
  const byBytes = lossesOfBytes(now, allowed.holds === 'files' ? before : others, allowed, others);
  const known = new Set(byRows.losses.map(({ what }) => what));
  const losses = [...byRows.losses, ...byBytes.losses.filter(({ what }) => !known.has(what))];
  const since = byRows.since ?? byBytes.since;
  return { losses, emptied: byRows.emptied || byBytes.emptied, ...(since && { since }) } satisfies Found;
}

function lossesOfRows(
  now: Measured,
  before: readonly Measured[],
  isSteady: (table: string) => boolean,
  { holds, mayBeEmpty }: Allowance,
): Found {
  const present = now.rows ?? {};
  const total = (point: Measured) => sumOf(point.rows ?? {}, isSteady);
  const fullest = most(before, total);
  if (fullest === undefined) return { losses: [], emptied: false };
  const all = holds === 'files' ? 'files' : 'rows';
  const whole = { what: all, before: total(fullest), now: total(now) };
  const emptied = whole.now === 0 && whole.before > 0 && (!mayBeEmpty || whole.before >= fewest);
  if (emptied) return { losses: [whole], emptied, since: fullest };
  if (holds === 'files')
    return fell(whole, fewest) ? { losses: [whole], emptied, since: fullest } : { losses: [], emptied };

  const peaks = new Map<string, Measured>();
  for (const point of before) {
    for (const [table, rows] of Object.entries(point.rows ?? {})) {
      const peak = peaks.get(table);
      if (isSteady(table) && rows > (peak?.rows?.[table] ?? -1)) peaks.set(table, point);
    }
  }
  const fallen = [...peaks].flatMap(([table, point]) => {
    const loss = { what: table, before: point.rows?.[table] ?? 0, now: present[table] ?? 0 };
    return fell(loss, fewest) ? [{ loss, point }] : [];
  });
  fallen.sort((a, b) => b.loss.before - b.loss.now - (a.loss.before - a.loss.now));
  const lost = withoutRenamed(fallen, now);
  const losses = lost.map(({ loss }) => loss);
  const since = lost[0]?.point;
  if (since !== undefined) return { losses, emptied, since };
  // Many small tables may lose together what none of them lost alone.
  return fell(whole, fewest) ? { losses: [whole], emptied, since: fullest } : { losses, emptied };
}

/**
 * Tables, or the files, that have as many rows as before, and most of them are others. Rows that come and go, as in a table of events, are
 * no alarm unless most tables are so: then nothing is left to know any by.
 */
export function alteredIn(
  was: Measured,
  now: Measured,
  holds: Holds,
  isSteady: (table: string) => boolean = () => true,
): Loss[] {
  const compared = Object.entries(was.samples ?? {}).flatMap(([what, sample]) => {
    const other = now.samples?.[what];
    return other === undefined || !isSteady(what) ? [] : [{ what, altered: alteredOf(sample, other, holds) }];
  });
  const found = compared.flatMap(({ what, altered }): Loss[] => {
    const counts = { before: was.rows?.[what] ?? 0, now: now.rows?.[what] ?? 0 };
    return altered === undefined ? [] : [{ what, ...counts, altered }];
  });
  const replaced = found.filter(({ altered }) => altered?.how === 'replaced');
  const isMost = holds !== 'files' && replaced.length * 2 > compared.length;
  return found
    .filter(({ altered }) => isMost || altered?.how !== 'replaced')
    .sort((a, b) => hows.indexOf(a.altered!.how) - hows.indexOf(b.altered!.how) || b.before - a.before);
}

const hows: readonly Altered['how'][] = ['noise', 'rewritten', 'replaced'];

/** Most of it was other more than once by the time of a proof, or of somebody's yes: of prices and counters nobody can say more. */
function isRestless(before: readonly Measured[], table: string): boolean {
  return before.filter(({ altered }) => altered?.includes(table)).length > 1;
}

interface Fallen {
  readonly loss: Loss;
  readonly point: Measured;
}

/** A table is gone, and one that was not there before has about as many rows: it is the same under another name. One new for one old. */
function withoutRenamed(fallen: readonly Fallen[], { rows: now = {}, samples: here }: Measured): Fallen[] {
  const taken = new Set<string>();
  return fallen.filter(({ loss, point: { rows = {}, samples } }) => {
    if (now[loss.what] !== undefined) return true;
    const isOther = (table: string) => {
      const [was, is] = [samples?.[loss.what], here?.[table]];
      return was !== undefined && is !== undefined && alteredOf(was, is, 'tables') !== undefined;
    };
    const fits = ([table, count]: readonly [string, number]) =>
      rows[table] === undefined && !taken.has(table) && count * 2 >= loss.before && !isOther(table);
    const [closest] = Object.entries(now)
      .filter(fits)
      .sort(([, a], [, b]) => a - b);
    if (closest !== undefined) taken.add(closest[0]);
    return closest === undefined;
  });
}

function lossesOfBytes(
  now: Measured,
  before: readonly Measured[],
  { holds, mayBeEmpty }: Allowance,
  uncounted: readonly Measured[],
): Found {
  const largest = most(before, ({ bytes }) => bytes);
  const losses: Loss[] = [];
  let since: Measured | undefined;
  if (largest !== undefined) {
    const bytes = { what: 'bytes', before: largest.bytes, now: now.bytes };
    const isLost = holds === 'files' ? fell(bytes, leastBytes) : fell({ ...bytes, now: bytes.now * 2 }, leastDumpBytes);
    const emptied = uncounted.includes(largest) && bytes.now === 0 && bytes.before > 0 && !mayBeEmpty;
    if (emptied) return { losses: [bytes], emptied, since: largest };
    if (isLost) {
      losses.push(bytes);
      since = largest;
    }
  }
  const fullest = holds === 'files' ? most(uncounted, ({ entries }) => entries) : undefined;
  if (fullest !== undefined) {
    const entries = { what: 'entries', before: fullest.entries, now: now.entries };
    if (fell(entries, fewest)) return { losses: [entries, ...losses], emptied: false, since: fullest };
  }
  return { losses, emptied: false, ...(since && { since }) };
}

/** More than half, and not just a few. */
function fell({ before, now }: Pick<Loss, 'before' | 'now'>, least: number): boolean {
  return now * 2 < before && before - now >= least;
}

function most(points: readonly Measured[], of: (point: Measured) => number): Measured | undefined {
  let best: Measured | undefined;
  // Of equals the newest: the loss came after it.
  for (const point of points) if (best === undefined || of(point) >= of(best)) best = point;
  return best;
}

function sumOf(rows: RowCounts, counts: (table: string) => boolean): number {
  return Object.entries(rows).reduce((sum, [table, count]) => (counts(table) ? sum + count : sum), 0);
}

/**
 * Which tables keep their rows. Those do not that the configuration names, that have the name of a queue or of sessions, or that
 * fell before and filled again by themselves.
 */
function steadyOf(points: readonly Measured[], { holds, mayShrink }: Allowance): (table: string) => boolean {
  if (holds === 'files') return () => true;
  const named = mayShrink.map(patternOf);
  const answers = new Map<string, boolean>();
  return (table) => {
    const known = answers.get(table);
    if (known !== undefined) return known;
    const bare = table.replaceAll('"', '');
    const answer = !volatileNames.test(bare) && !named.some((name) => name.test(bare)) && !filledAgain(points, table);
    answers.set(table, answer);
    return answer;
  };
}

function patternOf(name: string): RegExp {
  const parts = name.replaceAll('"', '').split('*');
  return new RegExp(`^${parts.map((part) => part.replace(/[.*+?^${'$'}{}()|[\]\\]/g, '\\$&')).join('.*')}$`);
}

/** It lost most of its rows once, and had at least twice as many afterwards, before the last point. */
function filledAgain(points: readonly Measured[], table: string): boolean {
  let [peak, low] = [0, Number.POSITIVE_INFINITY];
  for (const { rows } of points.slice(0, -1)) {
    if (rows === undefined) continue;
    const count = rows[table] ?? 0;
    if (fell({ before: peak, now: count }, fewest)) low = Math.min(low, count);
    if (count >= low * 2 && count - low >= fewest) return true;
    peak = Math.max(peak, count);
  }
  return false;
}

/** Named at once; more are counted. */
const mostNamed = 3;

/** One sentence without its end: `invoices had 1,000 rows and has 0`. */
export function lossWords({
  losses,
  emptied,
}: Pick<Extract<Weighed, { state: 'lost' }>, 'losses' | 'emptied'>): string {
  const [first] = losses;
  if (emptied && first !== undefined) {
    return `It is empty, and held ${first.what === 'bytes' ? formatSize(first.before) : amount(first)}`;
  }
  const gone = losses.filter(({ altered }) => altered === undefined);
  if (gone.length < losses.length) {
    const others = hows.flatMap((how) => alteredWords(how, losses));
    return (gone.length === 0 ? others : [lossWords({ losses: gone, emptied }), ...others]).join('. ');
  }
  const said = losses.slice(0, mostNamed).map((loss) => {
    if (loss.what === 'bytes') return `${formatSize(loss.before)} became ${formatSize(loss.now)}`;
    if (loss.what === 'files' || loss.what === 'rows' || loss.what === 'entries') {
      return `${amount(loss)} became ${formatCount(loss.now)}`;
    }
    return `${loss.what} had ${amount(loss)} and has ${formatCount(loss.now)}`;
  });
  const more = losses.length - said.length;
  return `Most of its data is gone: ${said.join(', ')}${more > 0 ? `, and ${countOf(more, 'more table')}` : ''}`;
}

const alteredSentences: Readonly<Record<Altered['how'], string>> = {
  noise: 'Most of it looks like noise now',
  rewritten: 'Most of it was rewritten',
  replaced: 'Most of its rows are others',
};

/** `Most of it looks like noise now: users (name, email), files` */
function alteredWords(how: Altered['how'], losses: readonly Loss[]): string[] {
  const found = losses.filter(({ altered }) => altered?.how === how);
  if (found.length === 0) return [];
  const named = found.slice(0, mostNamed).map(({ what, altered }) => {
    const columns = what === 'files' ? [] : (altered?.columns ?? []);
    const more = columns.length > mostNamed ? ' …' : '';
    return columns.length === 0 ? what : `${what} (${columns.slice(0, mostNamed).join(', ')}${more})`;
  });
  const more = found.length - named.length;
  return [`${alteredSentences[how]}: ${named.join(', ')}${more > 0 ? `, and ${countOf(more, 'more table')}` : ''}`];
}

function amount({ what, before }: Loss): string {
  if (what === 'files') return countOf(before, 'file');
  return what === 'entries' ? countOf(before, 'entry', 'entries') : countOf(before, 'row');
}

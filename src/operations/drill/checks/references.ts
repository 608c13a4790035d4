import type { ReferencesCheck } from '../../../config/system.ts';
import { roughDuration } from '../../../core/duration.ts';
import { type BytePath, pathFromText } from '../../../core/paths.ts';
import { countOf, formatCount } from '../../../core/size.ts';
import { fillTemplate } from '../../../core/template.ts';
import { queryTooSlow } from '../../../sources/errors.ts';
import { startThread } from '../../../vault/index.ts';
import type { Copy, Finding } from '../parts.ts';
import { queryCopy } from '../query.ts';
import type { Reference } from './inspect-file.ts';
import type { RestoredTree } from './restored-files.ts';

/** Troubles that are named; further ones are counted. */
const named = 5;

/** What the thread that looks at files is started with. */
export interface ReferencesWork {
  /** Every files dataset that came back: links may lead from one to another. */
  readonly trees: readonly RestoredTree[];
  /** The one that references are paths of. */
  readonly dataset: string;
  readonly opens: boolean;
}

export type ToReferencesWorker =
  | { readonly type: 'inspect'; readonly references: readonly Reference[] }
  | { readonly type: 'count-orphans' };

export type FromReferencesWorker =
  /** What is wrong, one sentence for each file with which something is; and of which types nobody knows what they should look like. */
  | { readonly type: 'inspected'; readonly troubles: readonly string[]; readonly unknown: UnknownTypes }
  | { readonly type: 'orphans'; readonly count: number; readonly example?: string };

/** By the ending of the name, how many files are only known not to be empty. */
type UnknownTypes = Readonly<Record<string, number>>;

interface Tally {
  looked: number;
  readonly unknown: Map<string, number>;
  faults: number;
  readonly troubles: string[];
}

/**
 * Every row names a file that came back and opens. A column `sha256` of the row, where there is one, must be the file's; so
 * must a column `size_bytes`. Files that no row names are counted, and are no fault. The check's time is for the rows and the
 * files together; what it did not come to in time it does not know, and that is no fault of the backup.
 */
export async function checkReferences(
  check: ReferencesCheck,
  database: Copy,
  files: Omit<ReferencesWork, 'opens'>,
  signal: AbortSignal,
): Promise<Finding> {
  const late = AbortSignal.timeout(check.timeoutMs);
  const inTime = AbortSignal.any([signal, late]);
  const tally: Tally = { looked: 0, unknown: new Map(), faults: 0, troubles: [] };
  const expected = `every reference of ${database.dataset} opens in ${files.dataset}`;
  await using examiner = startExaminer({ ...files, opens: check.opens }, inTime);
  try {
    await examineRows(check, database, files, examiner, tally, inTime);
    if (tally.faults > 0 || tally.looked === 0) return unsound(check, tally, expected);
    return sound(tally, await examiner.countOrphans(), expected);
  } catch (error) {
    signal.throwIfAborted();
    if (!late.aborted) throw error;
    if (tally.faults > 0) return unsound(check, tally, expected);
    if (tally.looked === 0) throw queryTooSlow({ dataset: database.dataset, timeoutMs: check.timeoutMs });
    const message = `Its time of ${roughDuration(check.timeoutMs)} was over after ${countOf(tally.looked, 'reference')}, all of them sound. Give it more: timeout.`;
    return { verdict: 'error', looked: tally.looked, expected, actual: 'not all looked at', message };
  }
}

async function examineRows(
  check: ReferencesCheck,
  database: Copy,
  { trees, dataset }: Omit<ReferencesWork, 'opens'>,
  examiner: Examiner,
  tally: Tally,
  signal: AbortSignal,
): Promise<void> {
  const homes = trees.find((tree) => tree.dataset === dataset)?.homes ?? [];
  const { timeoutMs } = check;
  for await (const { columns, rows } of queryCopy(database, check.from.query, { timeoutMs, signal })) {
    const read = readerOf(check, columns, homes);
    const references = rows.flatMap((row) => read(row) ?? []);
    if (references.length === 0) continue;
    const { troubles, unknown } = await examiner.inspect(references);
    for (const [type, count] of Object.entries(unknown))
      tally.unknown.set(type, (tally.unknown.get(type) ?? 0) + count);
    tally.looked += references.length;
    tally.faults += troubles.length;
    tally.troubles.push(...troubles.slice(0, named - tally.troubles.length));
  }
}

/** Something is wrong, or there was nothing to look at. */
function unsound(check: ReferencesCheck, { looked, faults, troubles }: Tally, expected: string): Finding {
  if (looked === 0) {
    const message = 'The query named no file, so it looked at nothing.';
    const none = { looked, expected, actual: 'no reference', message };
    return check.mayBeEmpty ? { ...none, verdict: 'pass', emptyIsRight: true } : { ...none, verdict: 'fail' };
  }
  const more = faults > troubles.length ? `, and ${formatCount(faults - troubles.length)} more` : '';
  const fail = faults === 1 ? 'fails' : 'fail';
  const message = `${formatCount(faults)} of ${countOf(looked, 'reference')} ${fail}: ${troubles.join(', ')}${more}.`;
  return { verdict: 'fail', looked, expected, actual: `${formatCount(faults)} ${fail}`, message };
}

function sound({ looked, unknown }: Tally, orphans: Orphans, expected: string): Finding {
  const unreferenced = countOf(orphans.count, 'file');
  const example = orphans.example === undefined ? '' : `, for example ${orphans.example}`;
  const rest = orphans.count === 0 ? '' : ` No reference names ${unreferenced}${example}.`;
  return {
    verdict: 'pass',
    looked,
    expected,
    actual: `${formatCount(looked)} open, ${unreferenced} unreferenced`,
    message: `${countOf(looked, 'reference')} ${looked === 1 ? 'exists and opens' : 'exist and open'}.${typesNotLookedAt(unknown)}${rest}`,
  };
}

/** ` Of 3 the type is not known, only that they are not empty: .bin, .txt.` */
function typesNotLookedAt(unknown: ReadonlyMap<string, number>): string {
  if (unknown.size === 0) return '';
  const count = [...unknown.values()].reduce((sum, one) => sum + one, 0);
  const types = [...unknown.keys()].sort();
  const more = types.length > named ? ` and ${types.length - named} more` : '';
  return ` Of ${formatCount(count)} the type is not checked, only that there is something in them: ${types.slice(0, named).join(', ')}${more}.`;
}

type Orphans = Omit<Extract<FromReferencesWorker, { type: 'orphans' }>, 'type'>;

interface Examiner extends AsyncDisposable {
  inspect(references: readonly Reference[]): Promise<{ troubles: readonly string[]; unknown: UnknownTypes }>;
  countOrphans(): Promise<Orphans>;
}

/** Files are looked at in a thread: however long one takes, an abort ends it at once. One question at a time. */
function startExaminer(work: ReferencesWork, signal: AbortSignal): Examiner {
  const thread = startThread<ToReferencesWorker, FromReferencesWorker>(
    new URL('./references.worker.ts', import.meta.url),
    work,
  );
  async function ask(message: ToReferencesWorker): Promise<FromReferencesWorker> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<FromReferencesWorker>();
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    thread.listen(resolve, reject);
    thread.post(message);
    return promise.finally(() => signal.removeEventListener('abort', onAbort));
  }
  return {
    async inspect(references) {
      const answer = await ask({ type: 'inspect', references });
      return answer.type === 'inspected' ? answer : { troubles: [], unknown: {} };
    },
    async countOrphans() {
      const answer = await ask({ type: 'count-orphans' });
      return answer.type === 'orphans' ? answer : { count: 0 };
    },
    [Symbol.asyncDispose]: () => thread.end(),
  };
}

/** How a row becomes a reference; undefined for a row whose column is null: it refers to nothing. */
function readerOf(check: ReferencesCheck, columns: readonly string[], homes: readonly BytePath[]) {
  const index = (name: string) => columns.findIndex((column) => column.toLowerCase() === name);
  const [hashAt, sizeAt] = [index('sha256'), index('size_bytes')];
  const { path: template } = check;
  return (row: ReadonlyArray<string | null>): Reference | undefined => {
    let path: string | null = row[0] ?? null;
    if (template !== undefined) {
      let empty = false;
      path = fillTemplate(template, (name) => {
        const at = columns.indexOf(name);
        if (at >= 0 && row[at] === null) empty = true;
        return at < 0 ? undefined : (row[at] ?? '');
      });
      if (empty) path = null;
    }
    if (path === null || path === '') return undefined;
    const [sha256, size] = [row[hashAt] ?? null, row[sizeAt] ?? null];
    return {
      path: relative(pathFromText(path), homes),
      ...(sha256 === null ? {} : { sha256: sha256.toLowerCase() }),
      ...(size === null || !/^\d+$/.test(size) ? {} : { sizeBytes: Number(size) }),
    };
  };
}

function relative(path: BytePath, homes: readonly BytePath[]): BytePath {
  const home = homes.find((one) => path.startsWith(`${one}/`)) ?? '';
  return path.slice(home.length).replace(/^(\.?\/)+/, '');
}

import { LifeboatError, sentenceOf } from '../../core/errors.ts';
import type { Run } from '../../core/run.ts';
import type { Destination, Key } from '../../destinations/destination.ts';
import { objectDamaged, objectExists, objectMissing } from '../../destinations/errors.ts';
import { firstSound, traceOf } from '../../destinations/first-version.ts';
import { believedEpochs } from '../epochs/grants.ts';
import { type Cover, spanOf } from '../format/cover.ts';
import { grantKey, logKey, type ParsedKey } from '../format/keys.ts';
import { allNeeded, type Needs, type NeedsReader } from '../hold/needs.ts';
import { putConfirmed } from '../hold/put-confirmed.ts';
import type { Sizes } from '../hold/sizes.ts';
import { type Sound, soundObject } from '../hold/sound.ts';
import { inParallel } from '../in-parallel.ts';
import { type Floors, isLetGo } from '../logs/floors.ts';
import { release } from '../release.ts';
import { maySign, type Trust } from '../trust.ts';
import { recordsStrange } from './errors.ts';
import type { CopyPlan, Missing } from './plan.ts';
import type { SpreadRule } from './spread.ts';

/** So many objects are held in memory at once. */
const mostAtOnce = 4;

export interface CopyOptions {
  readonly vault: string;
  /** Tells what a restore point needs, from the places that are copied from. */
  readonly withNeeds: NeedsReader;
  /** Which restore points may spread; all when absent. */
  readonly spreads?: SpreadRule;
  /** Whose ledger entries and prunes spread; everyone's when absent. */
  readonly trust?: Trust;
  /** Told of every object that arrived. */
  readonly onCopied?: (missing: Missing) => void;
}

export interface Copied {
  readonly objects: number;
  readonly bytes: number;
  readonly records: number;
  /** Objects that no source has sound, or that lie there with other bytes. */
  readonly refused: ReadonlyArray<{ readonly key: Key; readonly code: string; readonly why: string }>;
  /** Records that wait for what they need. */
  readonly waiting: readonly Key[];
  /** Records, and what else is signed, that may not spread. A place without them lacks nothing. */
  readonly strange: readonly Key[];
  /** Places that failed as a whole while they were read, and why. */
  readonly silent: ReadonlyArray<{ readonly destination: string; readonly error: unknown }>;
}

/**
 * Carries out a plan. Every object is looked at on the way, so damage and forgery do not spread; it is confirmed where it
 * arrives; what arrived is remembered in `plan.to`, so an interrupted copy goes on where it was. An object that cannot be copied,
 * or a source that fails, does not stop the others. @throws what concerns the whole of the place that is copied to
 */
export async function copyMissing(plan: CopyPlan, options: CopyOptions, run: Run): Promise<Copied> {
  const { to } = plan;
  const refused = plan.differing.map((key) => ({
    key,
    code: objectExists.code,
    why: `${to.destination.name} holds it with another size.`,
  }));
  const waiting: Key[] = [];
  const strange: Key[] = [];
  const silent = new Map<Sizes, unknown>();
  const done = { objects: 0, bytes: 0, records: 0 };
  const soundFrom = soundReader(options, await grantsThatCount(plan, options), run);

  async function copyOne(missing: Missing): Promise<void> {
    const { key, sources } = missing;
    let last: unknown;
    for (const source of sources) {
      if (silent.has(source)) {
        if (last === undefined || recordsStrange.is(last)) last = silent.get(source);
        continue;
      }
      let body: Uint8Array;
      try {
        const found = await soundFrom(source, missing);
        body = found.body;
        const may = await mayGo(found, plan, options, run.signal);
        if (may === 'waits') waiting.push(key);
        if (may !== 'goes') return;
      } catch (error) {
        run.signal.throwIfAborted();
        // That one place has a stranger's does not excuse that another cannot give the true one.
        if (last === undefined || !recordsStrange.is(error)) last = error;
        if (concernsOne(error) || silent.has(source)) continue;
        silent.set(source, error);
        run.problem({ code: 'source-failed', message: `${sentenceOf(error)} Nothing more is copied from it.` });
        continue;
      }
      try {
        await putConfirmed(to.destination, key, body, { signal: run.signal });
      } catch (error) {
        if (!concernsOne(error)) throw error;
        refused.push({ key, code: codeOf(error), why: sentenceOf(error) });
        return;
      }
      to.sizes.set(key, body.length);
      done.bytes += body.length;
      done.objects++;
      if (missing.parsed.type === 'snapshot') done.records++;
      release(body);
      options.onCopied?.(missing);
      run.progress({ label: to.destination.name, doneBytes: done.bytes, totalBytes: plan.totalBytes });
      return;
    }
    if (recordsStrange.is(last)) strange.push(key);
    else refused.push({ key, code: codeOf(last), why: sentenceOf(last) });
  }

  await inParallel(plan.objects, mostAtOnce, copyOne, run.signal);
  await inParallel(plan.records, mostAtOnce, copyOne, run.signal);
  const failed = [...silent].map(([{ destination }, error]) => ({ destination: destination.name, error }));
  return { ...done, refused, waiting, strange, silent: failed };
}

/** Reads what is sound at a place, and may spread. @throws `object-damaged`, `records-strange`, and what concerns the place */
function soundReader({ vault, trust = {}, spreads }: CopyOptions, grants: ReadonlySet<Key>, { signal }: Run) {
  /** Its bytes, and what they are where it is a record or a cover. Where versions are kept, what was put over it is looked through. */
  async function soundFrom(source: Sizes, missing: Missing): Promise<Sound & { readonly body: Uint8Array }> {
    const { key } = missing;
    const { destination: from } = source;
    // What this place listed: another one may have lied about its size.
    const mostBytes = source.sizes.get(key) ?? missing.sizeBytes;
    let first: unknown;
    try {
      const body = await from.get(key, undefined, { signal, mostBytes });
      return { body, ...checked(from, missing, body) };
    } catch (error) {
      if (from.history === undefined || !concernsOne(error)) throw error;
      first = error;
    }
    const trace = await traceOf(from, key);
    if (trace === undefined) throw first;
    const { value, bytes } = await firstSound(from, trace, (body) => checked(from, missing, body), signal);
    return { body: bytes, ...value };
  }

  /** @throws `object-damaged` */
  function checked(from: Destination, missing: Missing, body: Uint8Array): Sound {
    const { key, parsed } = missing;
    const refuse = (why: string) => objectDamaged({ destination: from.name, key, why });
    let found: Sound;
    try {
      found = soundObject(vault, key, parsed, body);
    } catch (error) {
      throw refuse(sentenceOf(error));
    }
    if (!maySpread(key, parsed, found)) throw recordsStrange({ objects: key });
    return found;
  }

  /** What strangers signed stays where they put it: where there are locks, nobody could take it away again. */
  function maySpread(key: Key, parsed: ParsedKey, { writer, record }: Sound): boolean {
    if (parsed.type === 'grant') return grants.has(key);
    if (record !== undefined) return spreads?.(record) !== false;
    return writer === undefined || maySign(trust, parsed, writer);
  }

  return soundFrom;
}

/** A record waits for what it needs, and stays behind where a prune has marked that. */
async function mayGo(
  { record, cover }: Sound,
  plan: CopyPlan,
  { withNeeds }: CopyOptions,
  signal: AbortSignal,
): Promise<'goes' | 'waits' | 'leaves'> {
  const { to } = plan;
  if (cover !== undefined) return hasPieces(to, cover, plan.floors) ? 'goes' : 'waits';
  if (record === undefined) return 'goes';
  const [known] = await withNeeds([{ record }], signal);
  const { needs } = known!;
  if (plan.withdrawn.has(needs.manifest[0])) return 'leaves';
  for (const [key, , id] of allNeeded(needs)) if (plan.withdrawn.has(id) && !to.sizes.has(key)) return 'leaves';
  return hasAll(to, needs) ? 'goes' : 'waits';
}

/** Those of writers that are known, and of who opens their epochs; looked for where there is one to copy. */
async function grantsThatCount(
  { to, objects }: CopyPlan,
  { vault, trust = {} }: CopyOptions,
): Promise<ReadonlySet<Key>> {
  const some = objects.filter(({ parsed }) => parsed.type === 'grant').flatMap(({ sources }) => sources);
  if (some.length === 0) return new Set();
  const destinations = new Set([to, ...some].map(({ destination }) => destination));
  const epochs = await believedEpochs([...destinations], vault, trust);
  const believed = epochs.values().flatMap((one) => one.grants);
  return new Set(believed.map(({ epoch, id }) => grantKey(epoch, id)));
}

/** A destination names only restore points that it holds whole. */
function hasAll({ sizes }: Sizes, needs: Needs): boolean {
  return needs.packs.unread.length === 0 && allNeeded(needs).every(([key, sizeBytes]) => sizes.get(key) === sizeBytes);
}

/** Of a cover: but for those that a prune lets go of. */
function hasPieces({ sizes }: Sizes, cover: Cover, floors: Floors): boolean {
  return cover.pieces.every(([start, end, id, sizeBytes]) => {
    const span = spanOf(cover, start, end);
    return isLetGo(floors, span) || sizes.get(logKey(span, id)) === sizeBytes;
  });
}

/** Whether an error is about one object rather than about the place. */
function concernsOne(error: unknown): boolean {
  return objectMissing.is(error) || objectDamaged.is(error) || objectExists.is(error) || recordsStrange.is(error);
}

function codeOf(error: unknown): string {
  return error instanceof LifeboatError ? error.code : 'unexpected';
}

import type { CheckResult } from '../../core/checks.ts';
import { sentenceOf } from '../../core/errors.ts';
import type { Run } from '../../core/run.ts';
import { judge } from '../../core/verdict.ts';
import type { Aimed, Harm, Sabotage, Saboteur } from '../../sources/sabotage.ts';
import { bringBack } from './bring-back.ts';
import { compareWithRecorded, examine } from './compare.ts';
import { begin, find, prepare } from './drill.ts';
import type { Copy, Drill, DrillOptions, DrillParts, Rehearsal } from './parts.ts';

export interface SabotageOutcome {
  readonly system: string;
  /** `caught`: at least one was tried, and each that was tried was seen by a check whose matter it is, with its name. */
  readonly verdict: 'caught' | 'missed' | 'inconclusive';
  /** Why it is not `caught`. */
  readonly why: readonly string[];
  readonly datasets: readonly SabotagedDataset[];
  readonly left: DrillScope;
  readonly elapsedMs: number;
}

type DrillScope = Rehearsal['scope']['left'];

export interface SabotagedDataset {
  readonly dataset: string;
  readonly restorePoint: string | null;
  /** Why nothing was tried, or not all. */
  readonly reason: string | null;
  readonly tries: readonly Try[];
}

export interface Try {
  readonly sabotage: string;
  readonly verdict: 'caught' | 'missed' | 'not-tried';
  /** What was hurt. */
  readonly hurt: string | null;
  /** Which check saw it. */
  readonly check: string | null;
  /** What that check said; why it was not tried, or in which way it was missed. */
  readonly message: string;
  readonly elapsedMs: number;
}

/** A broken copy lies beside the whole one, and each is measured as in a drill. */
const times = { room: 2, time: 50 };

/**
 * Brings everything back as a drill does, breaks each copy in every way that its engine knows, one at a time, and looks whether the
 * drill's own checks say so. Of the application nothing is started: what it says is its own word. Throws when it was interrupted or
 * its options name nothing.
 */
export async function rehearseSabotage(parts: DrillParts, options: DrillOptions, run: Run): Promise<SabotageOutcome> {
  const rehearsal = begin(parts, options, run);
  const secrets = new Set<string>();
  const found = await find(parts, options, rehearsal, secrets, run);
  const datasets: SabotagedDataset[] = [];
  await using sandbox = await prepare(parts, options, rehearsal, found, secrets, run, times);
  if (sandbox !== undefined) {
    const drill: Drill = {
      ...{ parts, options, sandbox, copies: new Map(), newest: new Map(), variables: {}, ledOut: new Set(), secrets },
      notes: [],
    };
    for (const [dataset, point] of found.points) {
      const ended = await run
        .step(`sabotage ${dataset}`, async () => {
          const copy = await bringBack(dataset, point, drill, run);
          drill.copies.set(dataset, copy);
          return sabotageCopy(copy, rehearsal, drill, run);
        })
        .catch((error: unknown) => {
          run.signal.throwIfAborted();
          return { reason: sentenceOf(error), tries: [] };
        });
      datasets.push({ dataset, restorePoint: point.record.id, ...ended });
    }
  }
  const absent = rehearsal.scope.datasets.filter((dataset) => !datasets.some((one) => one.dataset === dataset));
  const troubles = rehearsal.results.filter(({ verdict, kind }) => verdict !== 'pass' && kind === 'restored');
  const nothing = (dataset: string) => ({
    ...{ dataset, restorePoint: null, tries: [] },
    reason: troubles.map(({ message }) => message).join(' ') || 'It did not come back.',
  });
  const all = [...datasets, ...absent.map(nothing)];
  const { left } = rehearsal.scope;
  return {
    system: parts.system.name,
    ...verdictOf(all),
    datasets: all,
    left,
    elapsedMs: Math.round(rehearsal.elapsed()),
  };
}

function verdictOf(datasets: readonly SabotagedDataset[]): Pick<SabotageOutcome, 'verdict' | 'why'> {
  const of = (verdict: Try['verdict']) =>
    datasets.flatMap(({ dataset, tries }) =>
      tries.filter((one) => one.verdict === verdict).map((one) => ({ dataset, ...one })),
    );
  const missed = of('missed').map(
    ({ dataset, sabotage, hurt, message }) => `${dataset}: ${sabotage} (${hurt}): ${message}`,
  );
  const untried = datasets.flatMap(({ dataset, reason, tries }) => {
    const isBare = tries.every(({ verdict }) => verdict === 'not-tried');
    if (reason !== null) return [`${dataset}: ${reason}`];
    return isBare ? [`${dataset}: there is nothing in it that could be broken, so nothing was shown.`] : [];
  });
  const why = [...missed, ...untried];
  if (missed.length > 0) return { verdict: 'missed', why };
  return { verdict: untried.length > 0 || of('caught').length === 0 ? 'inconclusive' : 'caught', why };
}

type Ended = Pick<SabotagedDataset, 'reason' | 'tries'>;

async function sabotageCopy(copy: Copy, rehearsal: Rehearsal, drill: Drill, run: Run): Promise<Ended> {
  const { dataset } = copy;
  const source = drill.parts.sources[dataset];
  if (source?.openSaboteur === undefined) return { reason: 'nobody has taught us to break such a source.', tries: [] };
  const look = (broken: Copy) => check(broken, rehearsal, drill, run);
  const before = judge([dataset], await look(copy));
  if (before.verdict !== 'proved') {
    return { reason: `it is not whole to begin with, see 'lifeboat drill': ${before.why.join(' ')}`, tries: [] };
  }
  const tries: Try[] = [];
  {
    await using saboteur: Saboteur = await source.openSaboteur(copy.outside, run);
    for (const [at, sabotage] of saboteur.sabotages.entries()) {
      run.signal.throwIfAborted();
      run.progress({ label: sabotage.name, doneItems: at, totalItems: saboteur.sabotages.length });
      const began = run.clock.elapsed();
      const tried = await attempt(sabotage, copy, look).catch((error: unknown) => {
        run.signal.throwIfAborted();
        return { verdict: 'not-tried', hurt: null, check: null, message: sentenceOf(error) } as const;
      });
      tries.push({ sabotage: sabotage.name, ...tried, elapsedMs: Math.round(run.clock.elapsed() - began) });
    }
  }
  const after = judge([dataset], await look(copy));
  const reason = after.verdict === 'proved' ? null : `it was not whole again afterwards: ${after.why.join(' ')}`;
  return { reason, tries };
}

/** A drill's own checks of a copy. */
async function check(copy: Copy, rehearsal: Rehearsal, drill: Drill, run: Run): Promise<CheckResult[]> {
  const now = { ...rehearsal, results: [], measured: new Map() };
  await examine(copy, now, drill, run);
  await compareWithRecorded(copy, now, drill, run);
  return now.results;
}

async function attempt(
  { harm, aim }: Sabotage,
  copy: Copy,
  look: (broken: Copy) => Promise<CheckResult[]>,
): Promise<Omit<Try, 'sabotage' | 'elapsedMs'>> {
  const target = await aim();
  if ('reason' in target) return { verdict: 'not-tried', hurt: null, check: null, message: target.reason };
  await using aimed: Aimed = target;
  const before = await aimed.look();
  await aimed.strike();
  if ((await aimed.look()) === before) {
    return {
      verdict: 'missed',
      hurt: aimed.what,
      check: null,
      message: 'nothing was changed: the sabotage itself is at fault.',
    };
  }
  return { hurt: aimed.what, ...seenBy(await look({ ...copy, outside: aimed.where }), harm, aimed) };
}

/** Which checks a harm is the matter of, by what comes after the dataset's name. */
const matters: Readonly<Record<Harm, RegExp>> = {
  rows: /^expectations$/,
  definition: /^(definitions|roles and settings|header)$/,
  storage: /^(integrity|integrity_check|file|indexes and constraints|amcheck: .*)$/,
  file: /^(contents|expectations)$/,
};

function seenBy(
  results: readonly CheckResult[],
  harm: Harm,
  { names }: Aimed,
): Pick<Try, 'verdict' | 'check' | 'message'> {
  const failed = results.filter(({ verdict }) => verdict === 'fail');
  const isNamed = ({ message }: CheckResult) => names.some((name) => wordOf(name).test(message));
  const right = failed.filter(({ id }) => matters[harm].test(id.slice(id.indexOf('/') + 1)));
  const seen = right.find(isNamed);
  if (seen !== undefined) return { verdict: 'caught', check: seen.id, message: seen.message };
  const [nearest] = [...right, ...failed, ...results.filter(({ verdict }) => verdict === 'error')];
  if (nearest === undefined) return { verdict: 'missed', check: null, message: 'every check passed.' };
  const why = right.includes(nearest) ? 'it does not say what was hurt' : 'that is another matter';
  return { verdict: 'missed', check: nearest.id, message: `${nearest.id} failed, but ${why}: ${nearest.message}` };
}

/** A name, and not the beginning of another. */
function wordOf(name: string): RegExp {
  return new RegExp(`(?<![\\p{L}\\p{N}_])${RegExp.escape(name)}(?![\\p{L}\\p{N}_])`, 'u');
}

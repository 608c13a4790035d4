import { z } from 'zod';
import type { RestoreBody, RestoredBody } from '../ledger/bodies.ts';
import { type Recovered, type RecoverOutcome, recover } from '../operations/bootstrap/recover.ts';
import { endorseWriters } from '../operations/endorse.ts';
import { keysUsed, noteIfPossible } from '../operations/note-in-ledger.ts';
import type { OpenSystem } from '../operations/system.ts';
import { passedOverEvidence } from '../vault/index.ts';
import { defineJob } from './job.ts';
import { beginning, publicCounts } from './noted.ts';
import * as shapes from './shapes.ts';

const { object, list, names, count } = shapes;

const request = object({
  datasets: names.describe('all when empty'),
  atMs: shapes.momentMs.exactOptional().describe('the newest restore points at or before it; of all when absent'),
  force: z.boolean().describe('replace what is at the targets'),
  trustCode: z.boolean().describe('let code that the backup of a database defines run with all rights of its URL'),
  numericOwners: z.boolean().exactOptional(),
  again: z.boolean().describe('bring back again what an earlier run brought back'),
  into: z
    .record(z.string(), z.string())
    .readonly()
    .exactOptional()
    .describe('a rehearsal: where each dataset goes; nothing is touched where it was'),
});

const recovered = object({
  dataset: z.string(),
  state: z.enum(['back', 'was back', 'failed']),
  restorePoint: z.string().exactOptional(),
  time: shapes.time.exactOptional(),
  where: z.string().exactOptional(),
  files: count.exactOptional(),
  bytes: count.exactOptional(),
  elapsedMs: shapes.elapsedMs.exactOptional(),
  backAfterMs: shapes.elapsedMs.exactOptional().describe('since the recovery began, milliseconds'),
  rtoMs: z.number().exactOptional(),
  compared: object({
    verdict: z.enum(['as recorded', 'different', 'unknown']),
    message: z.string(),
    looked: z.number(),
  }).exactOptional(),
  problems: names.exactOptional(),
  error: shapes.told.exactOptional(),
});

const document = object({
  rehearsal: z.boolean().describe('everything went to other places than those it came from'),
  datasets: list(recovered).describe('in the order of the plan'),
  passedOver: list(shapes.passedOver),
  manual: list(object({ purpose: z.string(), runs: z.string() })).describe('what is left for people to do'),
  damage: list(shapes.damage),
  rtoMs: shapes.elapsedMs.describe('until the last dataset was back, milliseconds'),
  elapsedMs: shapes.elapsedMs,
});

export type RecoverDocument = z.infer<typeof document>;
export type RecoveredDataset = z.infer<typeof recovered>;

/** Brings everything back, in order. */
export const recoverJob = defineJob({
  name: 'recover',
  request,
  document,
  keys: () => 'needed',
  async run({ system, identities, run }, { into, ...asked }) {
    const started = beginning(system);
    const places = into === undefined ? {} : { into: new Map(Object.entries(into)) };
    const outcome = await recover(system, { ...asked, ...places, identities }, run);
    const { vault, datasets, rtoMs } = outcome;
    const body: RestoreBody = {
      ...started,
      target: into === undefined ? 'original' : 'elsewhere',
      whole: true,
      keys: keysUsed(identities),
      restores: datasets.map((one) => notedOf(system, outcome, one)),
      rtoMs: Math.round(rtoMs),
    };
    const where = datasets.flatMap((one) =>
      one.state === 'back' ? [{ dataset: one.dataset, where: one.restored.where }] : [],
    );
    await run.step('note', (run) => noteIfPossible(system, vault, { kind: 'restore', body, details: { where } }, run));
    await endorseWriters(system, vault, { identities }, run);
    return { document: { ...documentOf(outcome), rehearsal: into !== undefined }, answer: answerOf(outcome) };
  },
});

function notedOf({ config }: OpenSystem, { passedOver }: RecoverOutcome, one: Recovered): RestoredBody {
  const { dataset } = one;
  const kind = config.datasets[dataset]?.type ?? '';
  if (one.state === 'failed') return { dataset, kind, outcome: 'failed', code: shapes.toldOf(one.error).code };
  const { id: restorePoint, time } = one.point.record;
  const newer = passedOver.filter((point) => point.dataset === dataset);
  const over = newer.length === 0 ? {} : { passedOver: passedOverEvidence(newer) };
  if (one.state === 'was back') return { dataset, kind, outcome: 'was back', restorePoint, time, ...over };
  const { verdict, looked } = one.compared;
  return {
    ...{ dataset, kind, outcome: 'done', restorePoint, time, ...over },
    ...publicCounts(one.restored),
    elapsedMs: Math.round(one.elapsedMs),
    backAfterMs: Math.round(one.backAfterMs),
    objectiveMs: one.rtoMs,
    compared: { verdict, looked: Math.round(looked) },
  };
}

function answerOf({ datasets, passedOver }: RecoverOutcome): 'ok' | 'no' | 'failed' {
  if (datasets.some(({ state }) => state === 'failed')) return 'failed';
  const differs = datasets.some((one) => one.state === 'back' && one.compared.verdict === 'different');
  return differs || passedOver.length > 0 ? 'no' : 'ok';
}

function documentOf({
  datasets,
  passedOver,
  manual,
  damage,
  rtoMs,
  elapsedMs,
}: RecoverOutcome): Omit<RecoverDocument, 'rehearsal'> {
  return {
    datasets: datasets.map(recoveredOf),
    passedOver,
    manual: manual.map(({ purpose, runs }) => ({ purpose, runs })),
    damage,
    rtoMs: Math.round(rtoMs),
    elapsedMs: Math.round(elapsedMs),
  };
}

function recoveredOf(one: Recovered): RecoveredDataset {
  const { dataset, state } = one;
  if (one.state === 'failed') return { dataset, state, error: shapes.toldOf(one.error) };
  const { id: restorePoint, time } = one.point.record;
  if (one.state === 'was back') return { dataset, state, restorePoint, time };
  const { where, files, bytes, problems } = one.restored;
  const times = {
    elapsedMs: Math.round(one.elapsedMs),
    backAfterMs: Math.round(one.backAfterMs),
    rtoMs: one.rtoMs,
  };
  const { compared } = one;
  const messages = problems.map(({ message }) => message);
  return { dataset, state, restorePoint, time, where, files, bytes, ...times, compared, problems: messages };
}

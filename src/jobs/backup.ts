import { z } from 'zod';
import type { System } from '../config/system.ts';
import type { BackupBody } from '../ledger/bodies.ts';
import { lossSentence } from '../operations/anomalies/words.ts';
import { type BackedUp, type BackupOutcome, backUp, isIncomplete } from '../operations/backup.ts';
import { confirmConfiguration } from '../operations/confirmed.ts';
import { noteIfPossible } from '../operations/note-in-ledger.ts';
import { missingFor } from '../retention/index.ts';
import { defineJob } from './job.ts';
import { beginning } from './noted.ts';
import * as shapes from './shapes.ts';

const { object, list, names, count } = shapes;

const request = object({
  datasets: names.describe('all when empty'),
  refill: z.boolean().describe('fill a destination anew whose vault is known to be gone'),
  fresh: z.boolean().exactOptional().describe('send again what a removed recipient opens'),
  keepMs: z.number().positive().exactOptional().describe('kept at least so long, milliseconds'),
  className: z.string().min(1).max(40).exactOptional().describe('with keepMs: in no place of the retention'),
});

const takenPoint = object({
  dataset: z.string(),
  restorePoint: z.string(),
  time: shapes.time,
  sizeBytes: count,
  addedBytes: count,
  storedBytes: count,
  entries: count,
  destinations: names.describe('that hold it'),
  missingAt: names.describe('required destinations that do not hold it yet: it is protected when there are none'),
  problems: list(shapes.problem),
  leftOut: list(shapes.leftOut).describe('by which rule; those of `exclude` that took nothing too'),
  unchangedFiles: count,
  elapsedMs: shapes.elapsedMs,
  data: z
    .enum(['sound', 'empty', 'lost'])
    .describe('lost: most of what was there before is gone, and nobody accepted that'),
  lost: z.string().nullable().describe('a sentence; null where nothing is lost'),
  fullest: z.string().nullable().describe('the restore point that held the most of it'),
});

const document = object({
  backedUp: list(takenPoint),
  configuration: takenPoint
    .nullable()
    .describe('of lifeboat.yaml and what belongs to it; null when nothing of it changed'),
  failed: list(shapes.told.extend({ dataset: z.string() })),
  behind: list(shapes.unreachable).describe('destinations that do not hold every new restore point'),
  requests: shapes.requests,
});

export type BackupDocument = z.infer<typeof document>;
export type TakenPoint = z.infer<typeof takenPoint>;

/** Takes a restore point of each dataset. Each is noted in the catalog by itself. */
export const backupJob = defineJob({
  name: 'backup',
  request,
  document,
  async run({ system, run }, request) {
    const started = beginning(system);
    const outcome = await backUp(system, request, run);
    await run.step('note', (run) =>
      noteIfPossible(system, outcome.vault, { kind: 'backup', body: { ...started, ...notedOf(outcome) } }, run),
    );
    // Whoever backs up with a configuration uses it already: a recovery need not ask about it.
    confirmConfiguration(system.config);
    const document = { ...documentOf(outcome, system.config.destinations), requests: system.requests() };
    return { document, answer: answerOf(document) };
  },
});

function notedOf({
  backedUp,
  configuration,
  failed,
  behind,
}: BackupOutcome): Omit<BackupBody, keyof ReturnType<typeof beginning>> {
  return {
    restorePoints: backedUp.map(({ dataset, record, problems }) => ({
      dataset,
      id: record.id,
      storedBytes: record.sizes.stored,
      problems: problems.length,
    })),
    configuration: configuration?.record.id ?? null,
    failed: failed.map(({ dataset, error }) => ({ dataset, code: shapes.toldOf(error).code })),
    behind: behind.map(({ destination }) => destination),
  };
}

/** The restore points that a backup took. */
export function takenPoints({ backedUp, configuration }: BackupDocument): readonly TakenPoint[] {
  return configuration === null ? backedUp : [configuration, ...backedUp];
}

function answerOf(document: BackupDocument): 'ok' | 'no' | 'failed' {
  if (document.failed.length > 0) return 'failed';
  const whole = takenPoints(document).every(
    ({ problems, missingAt, data }) => missingAt.length === 0 && !isIncomplete(problems) && data !== 'lost',
  );
  return whole ? 'ok' : 'no';
}

function documentOf(
  { backedUp, configuration, failed, behind }: BackupOutcome,
  destinations: System['destinations'],
): Omit<BackupDocument, 'requests'> {
  const pointOf = (point: BackedUp) => takenPointOf(point, destinations);
  return {
    backedUp: backedUp.map(pointOf),
    configuration: configuration === undefined ? null : pointOf(configuration),
    failed: failed.map(({ dataset, error }) => ({ dataset, ...shapes.toldOf(error) })),
    behind,
  };
}

function takenPointOf(
  { dataset, record, sizes, heldBy, problems, leftOut, unchangedFiles, elapsedMs, weighed }: BackedUp,
  destinations: System['destinations'],
): TakenPoint {
  return {
    dataset,
    restorePoint: record.id,
    time: record.time,
    sizeBytes: sizes.logical,
    addedBytes: sizes.added,
    storedBytes: sizes.stored,
    entries: sizes.entries,
    destinations: heldBy,
    missingAt: missingFor(destinations, heldBy),
    problems,
    leftOut,
    unchangedFiles,
    elapsedMs: Math.round(elapsedMs),
    data: weighed.state,
    lost: weighed.state === 'lost' ? lossSentence(weighed) : null,
    fullest: weighed.state === 'lost' ? weighed.since.id : null,
  };
}

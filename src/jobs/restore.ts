import { z } from 'zod';
import { isNotAsItWas } from '../core/not-as-it-was.ts';
import type { RestoreBody, RestoredBody } from '../ledger/bodies.ts';
import { endorseWriters } from '../operations/endorse.ts';
import { keysUsed, noteIfPossible } from '../operations/note-in-ledger.ts';
import { type RestoreOutcome, restore } from '../operations/restore.ts';
import { passedOverEvidence } from '../vault/index.ts';
import { defineJob, type JobContext, okOrNo } from './job.ts';
import { beginning, publicCounts } from './noted.ts';
import * as shapes from './shapes.ts';

const { object, list, names, count } = shapes;

const request = object({
  dataset: z.string(),
  only: names.describe('paths or tables; everything when empty'),
  id: z.string().exactOptional().describe('this very restore point'),
  atMs: shapes.momentMs.exactOptional().describe('the newest at or before it; the newest of all when absent'),
  into: z.string().exactOptional().describe('a path, or the URL of a database; where it came from when absent'),
  force: z.boolean().describe('replace what is at the target'),
  trustCode: z.boolean().describe('let code that the backup of a database defines run with all rights of the URL'),
  numericOwners: z.boolean().exactOptional(),
  acceptWriters: names.exactOptional().describe('public keys that are believed for this restore'),
});

const document = object({
  dataset: z.string(),
  restorePoint: z.string(),
  time: shapes.time,
  passedOver: list(shapes.passedOver),
  where: z.string(),
  files: count,
  bytes: count,
  problems: list(shapes.problem),
  notCompared: list(object({ table: z.string(), reason: z.string() })).exactOptional(),
  damage: list(shapes.damage),
  elapsedMs: shapes.elapsedMs,
  requests: shapes.requests,
});

type RestoreRequest = z.infer<typeof request>;
export type RestoreDocument = z.infer<typeof document>;

/** Brings one dataset back. An attempt with a key is a use of that key: it is in the ledger whether it went well or not. */
export const restoreJob = defineJob({
  name: 'restore',
  request,
  document,
  keys: () => 'needed',
  recorded: ({ dataset }) => ({ operation: 'restore', dataset }),
  async run(context, request) {
    const { system, identities, run } = context;
    const note = noting(context, request, identities);
    try {
      const outcome = await restore(system, { ...request, identities }, run);
      await note(outcome.vault, restoredOf(context, request, outcome));
      await endorseWriters(system, outcome.vault, { identities, accepted: request.acceptWriters ?? [] }, run);
      const { restored, point } = outcome;
      const document = { ...documentOf(request.dataset, outcome), requests: system.requests() };
      return { document, answer: okOrNo(!restored.problems.some(isNotAsItWas)), restorePoint: point.record.id };
    } catch (error) {
      const vault = run.signal.aborted ? undefined : await system.vault(() => {}).catch(() => undefined);
      const { dataset } = request;
      const kind = kindOf(context, dataset);
      const failed: RestoredBody = { dataset, kind, outcome: 'failed', code: shapes.toldOf(error).code };
      if (vault !== undefined) await note(vault.id, { one: failed, rtoMs: null, details: {} });
      throw error;
    }
  },
});

interface Noted {
  readonly one: RestoredBody;
  readonly rtoMs: number | null;
  readonly details: object;
}

function noting({ system, run }: JobContext, { only, into }: RestoreRequest, identities: readonly string[]) {
  const started = beginning(system);
  const about = { target: into === undefined ? 'original' : 'elsewhere', whole: only.length === 0 } as const;
  return async (vault: string, { one, rtoMs, details }: Noted) => {
    const body: RestoreBody = { ...started, ...about, keys: keysUsed(identities), restores: [one], rtoMs };
    await run.step('note', (run) =>
      noteIfPossible(system, vault, { kind: 'restore', body, details: { ...details, only } }, run),
    );
  };
}

function restoredOf(
  context: JobContext,
  { dataset }: RestoreRequest,
  { point, passedOver, restored, elapsedMs }: RestoreOutcome,
): Noted {
  const rtoMs = Math.round(elapsedMs);
  const one: RestoredBody = {
    dataset,
    kind: kindOf(context, dataset),
    outcome: 'done',
    restorePoint: point.record.id,
    time: point.record.time,
    ...(passedOver.length > 0 && { passedOver: passedOverEvidence(passedOver) }),
    ...publicCounts(restored),
    elapsedMs: rtoMs,
    objectiveMs: context.system.config.datasets[dataset]?.rtoMs ?? null,
    compared: null,
  };
  return { one, rtoMs, details: { where: restored.where } };
}

function kindOf({ system }: JobContext, dataset: string): string {
  return system.config.datasets[dataset]?.type ?? 'files';
}

function documentOf(
  dataset: string,
  { point, passedOver, restored, damage, elapsedMs }: RestoreOutcome,
): Omit<RestoreDocument, 'requests'> {
  const { id, time } = point.record;
  const { where, files, bytes, problems, notCompared } = restored;
  const about = { dataset, restorePoint: id, time, passedOver };
  const told = { where, files, bytes, problems, ...(notCompared !== undefined && { notCompared }) };
  return { ...about, ...told, damage, elapsedMs: Math.round(elapsedMs) };
}

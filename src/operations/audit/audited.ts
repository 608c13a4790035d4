import { LifeboatError } from '../../core/errors.ts';
import type { Run } from '../../core/run.ts';
import type { BackupBody, KeyBody, RestoreBody, RestoredBody } from '../../ledger/bodies.ts';
import { padme } from '../../vault/format/index.ts';
import { passedOverEvidence } from '../../vault/index.ts';
import { type BackupOutcome, type BackupRequest, backUp } from '../backup.ts';
import { type RecoverOutcome, type RecoverRequest, recover } from '../bootstrap/recover.ts';
import { confirmConfiguration } from '../confirmed.ts';
import { endorseWriters } from '../endorse.ts';
import { keysUsed, noteIfPossible } from '../note-in-ledger.ts';
import { type RestoreOutcome, type RestoreRequest, restore } from '../restore.ts';
import type { OpenSystem } from '../system.ts';
import { type VerifyOutcome, type VerifyRequest, verify } from '../verify.ts';
import { noteWrongPacks } from '../wrong-packs.ts';

/** The work that the audit log tells of, with its entry: one for each command, written when it ended, well or not. */

/** As everybody may read them: the exact ones are known only to who can open the restore point. */
function publicCounts({ files, bytes }: { readonly files: number; readonly bytes: number }) {
  return { files: padme(files), bytes: padme(bytes) };
}

export async function auditedBackUp(system: OpenSystem, request: BackupRequest, run: Run): Promise<BackupOutcome> {
  const started = isoNow(system);
  const outcome = await backUp(system, request, run);
  const { vault, backedUp, configuration, failed, behind } = outcome;
  const body: BackupBody = {
    ...begin(system, started),
    restorePoints: backedUp.map(({ dataset, record, problems }) => ({
      dataset,
      id: record.id,
      storedBytes: record.sizes.stored,
      problems: problems.length,
    })),
    configuration: configuration?.record.id ?? null,
    failed: failed.map(({ dataset, error }) => ({ dataset, code: codeOf(error) })),
    behind: behind.map(({ destination }) => destination),
  };
  await run.step('note', (run) => noteIfPossible(system, vault, { kind: 'backup', body }, run));
  // Whoever backs up with a configuration uses it already: a recovery need not ask about it.
  confirmConfiguration(system.config);
  return outcome;
}

export async function auditedRestore(system: OpenSystem, request: RestoreRequest, run: Run): Promise<RestoreOutcome> {
  const started = isoNow(system);
  const { dataset, identities, only } = request;
  const target = request.into === undefined ? 'original' : 'elsewhere';
  const kind = system.config.datasets[dataset]?.type ?? 'files';
  const note = async (vault: string, one: RestoredBody, rtoMs: number | null, details: object) => {
    const keys = keysUsed(identities);
    const body: RestoreBody = {
      ...begin(system, started),
      target,
      whole: only.length === 0,
      keys,
      restores: [one],
      rtoMs,
    };
    await run.step('note', (run) => noteIfPossible(system, vault, { kind: 'restore', body, details }, run));
  };
  try {
    const outcome = await restore(system, request, run);
    const { vault, point, passedOver, restored, elapsedMs } = outcome;
    const rtoMs = Math.round(elapsedMs);
    const { id: restorePoint, time } = point.record;
    const counts = { ...publicCounts(restored), elapsedMs: rtoMs };
    const objectiveMs = system.config.datasets[dataset]?.rtoMs ?? null;
    const one: RestoredBody = {
      dataset,
      kind,
      outcome: 'done',
      restorePoint,
      time,
      ...(passedOver.length > 0 && { passedOver: passedOverEvidence(passedOver) }),
      ...counts,
      objectiveMs,
      compared: null,
    };
    await note(vault, one, rtoMs, { where: restored.where, only });
    await endorseWriters(system, vault, { identities, accepted: request.acceptWriters ?? [] }, run);
    return outcome;
  } catch (error) {
    // An attempt with a key is a use of that key.
    const vault = run.signal.aborted ? undefined : await system.vault(() => {}).catch(() => undefined);
    const one: RestoredBody = { dataset, kind, outcome: 'failed', code: codeOf(error) };
    if (vault !== undefined) await note(vault.id, one, null, { only });
    throw error;
  }
}

export async function auditedRecover(system: OpenSystem, request: RecoverRequest, run: Run): Promise<RecoverOutcome> {
  const started = isoNow(system);
  const outcome = await recover(system, request, run);
  const { vault, datasets, passedOver, rtoMs } = outcome;
  const restores = datasets.map((one): RestoredBody => {
    const { dataset } = one;
    const kind = system.config.datasets[dataset]?.type ?? '';
    if (one.state === 'failed') return { dataset, kind, outcome: 'failed', code: codeOf(one.error) };
    const { id: restorePoint, time } = one.point.record;
    const newer = passedOver.filter((point) => point.dataset === dataset);
    const over = newer.length === 0 ? {} : { passedOver: passedOverEvidence(newer) };
    if (one.state === 'was back') return { dataset, kind, outcome: 'was back', restorePoint, time, ...over };
    const { files, bytes } = publicCounts(one.restored);
    const { verdict, looked } = one.compared;
    return {
      dataset,
      kind,
      outcome: 'done',
      restorePoint,
      time,
      ...over,
      files,
      bytes,
      elapsedMs: Math.round(one.elapsedMs),
      backAfterMs: Math.round(one.backAfterMs),
      objectiveMs: one.rtoMs,
      compared: { verdict, looked: Math.round(looked) },
    };
  });
  const body: RestoreBody = {
    ...begin(system, started),
    target: 'original',
    whole: true,
    keys: keysUsed(request.identities),
    restores,
    rtoMs: Math.round(rtoMs),
  };
  const where = datasets.flatMap((one) =>
    one.state === 'back' ? [{ dataset: one.dataset, where: one.restored.where }] : [],
  );
  await run.step('note', (run) => noteIfPossible(system, vault, { kind: 'restore', body, details: { where } }, run));
  await endorseWriters(system, vault, { identities: request.identities }, run);
  return outcome;
}

/** A verification is noted where a key was used in it. */
export async function auditedVerify(system: OpenSystem, request: VerifyRequest, run: Run): Promise<VerifyOutcome> {
  const started = isoNow(system);
  const outcome = await verify(system, request, run);
  await noteWrongPacks(system, outcome.vault, outcome.wrong, run);
  const keys = keysUsed(request.identities);
  if (keys.length > 0) {
    const body: KeyBody = { ...begin(system, started), action: 'used', by: 'verify', keys };
    await noteIfPossible(system, outcome.vault, { kind: 'key', body }, run);
    await endorseWriters(system, outcome.vault, { identities: request.identities }, run);
  }
  return outcome;
}

function begin({ config, tool }: OpenSystem, started: string) {
  return { system: config.name, environment: config.environment, tool, started };
}

function isoNow({ clock }: OpenSystem): string {
  return new Date(clock.now()).toISOString();
}

function codeOf(error: unknown): string {
  return error instanceof LifeboatError ? error.code : 'unexpected';
}

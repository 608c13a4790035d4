import { open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { editRecipients } from '../../config/edit-recipients.ts';
import { loadSystem } from '../../config/load.ts';
import { dayMs } from '../../core/duration.ts';
import { defineError, sentenceOf, whyOf } from '../../core/errors.ts';
import { plainRecipient, printOf } from '../../core/recipient-print.ts';
import { keepSet, type Retention } from '../../core/retention.ts';
import type { Run } from '../../core/run.ts';
import { isRecipient, refused } from '../../vault/age/index.ts';
import { writerId } from '../../vault/format/index.ts';
import type { WithNeeds } from '../../vault/hold/index.ts';
import { type PackEpochs, readPackEpochs } from '../../vault/index/index.ts';
import type { RestorePoint, VaultReader } from '../../vault/index.ts';
import { publicKeyHere } from '../known-writers.ts';
import { noteInLedger } from '../note-in-ledger.ts';
import type { OpenSystem } from '../system.ts';
import { type Openers, openersIn, opensFor, pointsByDataset } from './check-keys.ts';

export const rotationImpossible = defineError({
  code: 'rotation-impossible',
  about: 'person',
  exit: 64,
  say: (fact: { why: string }) => `The recipients cannot be changed so: ${fact.why}.`,
  hint: () => "'lifeboat keys list' shows those of the configuration.",
});

export const configNotEdited = defineError({
  code: 'config-not-edited',
  about: 'person',
  exit: 2,
  say: (fact: { file: string; why: string }) => `${fact.file} was not changed: ${fact.why}.`,
  hint: () => "Change vault.recipients by hand, then run 'lifeboat config validate'.",
});

export interface RotationRequest {
  readonly add: readonly string[];
  readonly remove: readonly string[];
  /** Beside the lines that are added. */
  readonly comment?: string;
  readonly dryRun: boolean;
}

export interface Rotation {
  readonly recipients: readonly string[];
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly written: boolean;
  /** Null before the first backup. */
  readonly left: LeftByRotation | null;
}

/** What the change does not change: stored objects stay sealed as they are. */
export interface LeftByRotation {
  /** Restore points that were made before: no added key opens them. */
  readonly points: number;
  readonly newest: string;
  readonly datasets: ReadonlyArray<{
    readonly dataset: string;
    readonly points: number;
    /** When the retention has dropped the last of them, if backups go on; null: not within 30 years. */
    readonly until: string | null;
  }>;
  /** Of the newest restore points, for each removed recipient; null where this host does not know. */
  readonly stillOpens: ReadonlyArray<{
    readonly recipient: string;
    readonly packs: number;
    readonly sizeBytes: number;
    /** Packs of which it is not known. */
    readonly unknown: number;
  }>;
  /** What the next backup sends again, because an added recipient could not open it. */
  readonly sentAgainBytes: number;
}

/**
 * Changes `vault.recipients` in the configuration, and says what that leaves as it is. The file is replaced at once and whole,
 * after what is to be in it was read as a configuration.
 * @throws `recipient-invalid`, `rotation-impossible`, `config-not-edited`
 */
export async function rotate(system: OpenSystem, request: RotationRequest, run: Run): Promise<Rotation> {
  const now = system.config.vault.recipients.map(plainRecipient);
  const add = [...new Set(request.add.map(plainRecipient))].filter((one) => !now.includes(one));
  for (const recipient of add) if (!isRecipient(recipient)) throw refused(recipient);
  const removed = request.remove.map((text) => named(plainRecipient(text), now));
  const recipients = [...now.filter((one) => !removed.includes(one)), ...add];
  if (recipients.length === 0) throw rotationImpossible({ why: 'nobody would be left who can restore' });
  if (add.length + removed.length === 0) throw rotationImpossible({ why: 'they are as they are asked to be' });

  const vault = await vaultIfAny(system, run);
  const left = vault === undefined ? null : await leftBy(system, vault, add, removed);
  if (!request.dryRun) {
    const { comment } = request;
    const edit = {
      add: add.map((recipient) => ({ recipient, ...(comment !== undefined && { comment }) })),
      remove: removed,
    };
    await writeEdited(system.config.file, (text) => editRecipients(text, edit), recipients);
    if (vault !== undefined) {
      const { name, environment } = system.config;
      const body = {
        system: name,
        environment,
        tool: system.tool,
        action: 'rotated',
        added: add.map(printOf),
        removed: removed.map(printOf),
      };
      await noteInLedger(system, vault.id, { kind: 'key', body }, run).catch((error: unknown) => {
        run.problem({ code: 'ledger-unwritten', message: `The change is not in the ledger: ${sentenceOf(error)}` });
      });
    }
  }
  return { recipients, added: add, removed, written: !request.dryRun, left };
}

/** A recipient, or its beginning or end where that is enough to tell it. */
function named(text: string, recipients: readonly string[]): string {
  const found = recipients.filter(
    (one) => one === text || (text.length >= 8 && (one.startsWith(text) || one.endsWith(text))),
  );
  const [one, other] = found;
  if (one === undefined) throw rotationImpossible({ why: `${text.slice(0, 80)} is not among vault.recipients` });
  if (other !== undefined)
    throw rotationImpossible({ why: `${text.slice(0, 80)} fits more than one of vault.recipients` });
  return one;
}

/** Undefined before the first backup, and where nothing answers: then the change is made all the same. */
async function vaultIfAny(system: OpenSystem, run: Run): Promise<VaultReader | undefined> {
  try {
    return await system.vault(({ destination, code, why }) => run.problem({ code, message: `${destination}: ${why}` }));
  } catch (error) {
    if (run.signal.aborted) throw error;
    run.problem({ code: 'vault-unknown', message: `What is stored was not looked at: ${sentenceOf(error)}` });
    return undefined;
  }
}

async function leftBy(
  system: OpenSystem,
  vault: VaultReader,
  added: readonly string[],
  removed: readonly string[],
): Promise<LeftByRotation | null> {
  const byDataset = await pointsByDataset(system, vault);
  const all = [...byDataset.values()].flat();
  if (all.length === 0) return null;
  const openers = await openersIn(vault);
  const epochs = epochsHere(system, vault.id);
  const nowMs = system.clock.now();
  const newest = [...byDataset.values()].map((points) => points[0]!);
  const datasets = [...byDataset].map(([dataset, points]) => {
    const retention = system.config.datasets[dataset]?.retention;
    const untilMs = retention && goneBy(points, retention, nowMs);
    return { dataset, points: points.length, until: untilMs === undefined ? null : new Date(untilMs).toISOString() };
  });
  const isNew = (recipient: string) => newest.some((point) => opensFor(point, printOf(recipient), openers) !== true);
  const packs = packsOf(newest);
  return {
    points: all.length,
    newest: all
      .map(({ record }) => record.time)
      .sort()
      .at(-1)!,
    datasets,
    stillOpens: removed.map((recipient) => ({ recipient, ...openedBy(packs, printOf(recipient), epochs, openers) })),
    sentAgainBytes: added.some(isNew) ? [...packs.values()].reduce((sum, sizeBytes) => sum + sizeBytes, 0) : 0,
  };
}

function packsOf(points: ReadonlyArray<WithNeeds<RestorePoint>>): ReadonlyMap<string, number> {
  return new Map(points.flatMap(({ needs }) => [...needs.packs]));
}

/** What this host's own writer knows. */
function epochsHere({ config }: OpenSystem, vault: string): PackEpochs {
  const publicKey = publicKeyHere(config, vault);
  return publicKey === undefined ? () => undefined : readPackEpochs(config.stateDir, vault, writerId(publicKey));
}

function openedBy(packs: ReadonlyMap<string, number>, print: string, epochs: PackEpochs, openers: Openers) {
  const counts = { packs: 0, sizeBytes: 0, unknown: 0 };
  for (const [pack, sizeBytes] of packs) {
    const prints = openers(epochs(pack) ?? '');
    if (prints === undefined) counts.unknown++;
    else if (prints.has(print)) {
      counts.packs++;
      counts.sizeBytes += sizeBytes;
    }
  }
  return counts;
}

const mostDays = 30 * 365;

/** The day on which the retention keeps none of `points` any more, with a backup on every day until then. */
function goneBy(points: readonly RestorePoint[], retention: Retention, nowMs: number): number | undefined {
  const old = points.map(({ record }) => ({ timeMs: Date.parse(record.time), old: true }));
  const isGone = (days: number) => {
    const coming = Array.from({ length: days }, (_, day) => ({ timeMs: nowMs + (day + 1) * dayMs, old: false }));
    return keepSet([...old, ...coming], retention, nowMs + days * dayMs).every((one) => !one.keep || !one.point.old);
  };
  if (!isGone(mostDays)) return undefined;
  let [low, high] = [0, mostDays];
  while (low + 1 < high) {
    const middle = (low + high) >> 1;
    if (isGone(middle)) high = middle;
    else low = middle;
  }
  return nowMs + high * dayMs;
}

async function writeEdited(file: string, edit: (text: string) => string, recipients: readonly string[]): Promise<void> {
  // A link stays a link.
  const real = await realpath(file);
  const beside = `${real}.new`;
  try {
    const { mode, uid, gid } = await stat(real);
    {
      await using handle = await open(beside, 'wx', mode & 0o777);
      await handle.writeFile(edit(await readFile(real, 'utf8')));
      if (process.getuid?.() === 0) await handle.chown(uid, gid);
      await handle.sync();
    }
    const found = loadSystem(beside, {}).vault.recipients;
    if (JSON.stringify([...found].sort()) !== JSON.stringify([...recipients].sort())) {
      throw new Error('its list of recipients has a form that could not be edited safely');
    }
    await rename(beside, real);
  } catch (cause) {
    await rm(beside, { force: true });
    throw configNotEdited({ file, why: whyOf(cause) }, { cause });
  }
}

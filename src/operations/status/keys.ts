import { readFileSync } from 'node:fs';
import { recipientLabels } from '../../config/recipient-labels.ts';
import { dayMs, roughDuration } from '../../core/duration.ts';
import { printOf, shortRecipient } from '../../core/recipient-print.ts';
import type { VaultReader } from '../../vault/index.ts';
import { type KeyFact, learnKeys } from '../keys/learn-keys.ts';
import type { OpenSystem } from '../system.ts';
import type { KeyStatus, StatusTrouble, SystemStatus } from './status.ts';

/** A key may wait so long for its first drill. */
const firstProofMs = 7 * dayMs;
/** A quarter, and a little. */
const proofKeepsMs = 100 * dayMs;

/** The same status with what is known of the key of each recipient, and what is to be done about it. */
export async function withKeys(
  status: SystemStatus,
  system: OpenSystem,
  vault: VaultReader | undefined,
): Promise<SystemStatus> {
  if (vault === undefined || !status.answer.known) return status;
  const facts = await learnKeys(system, vault);
  const labels = labelsIn(system.config.file);
  const keys = system.config.vault.recipients.map((recipient) =>
    keyStatus(recipient, labels.get(recipient), facts.get(printOf(recipient))),
  );
  // Where nothing is stored yet there is nothing to try a key on.
  const isStored = status.datasets.some(({ newest }) => newest !== null);
  const troubles = isStored ? keys.flatMap((key) => keyTroubles(key, Date.parse(status.at))) : [];
  return { ...status, keys, troubles: [...status.troubles, ...troubles] };
}

function keyStatus(recipient: string, label: string | undefined, fact: KeyFact | undefined): KeyStatus {
  return { recipient, label: label ?? null, since: fact?.since ?? null, proved: fact?.proved ?? null };
}

function keyTroubles({ recipient, label, since, proved }: KeyStatus, nowMs: number): StatusTrouble[] {
  const name = nameOfKey(recipient, label);
  const ageMs = since === null ? 0 : nowMs - Date.parse(since);
  if (proved === null) {
    if (ageMs <= firstProofMs) return [];
    const message = `No drill has used ${name}, which is ${roughDuration(ageMs)} old. A key that was never tried is a hope.`;
    return [{ severity: 'warning', code: 'key-never-proved', message, command: `lifeboat drill ${wayOf(null)}` }];
  }
  const proofMs = nowMs - Date.parse(proved.at);
  if (proofMs <= proofKeepsMs) return [];
  const message = `The last drill with ${name} was ${roughDuration(proofMs)} ago.`;
  return [{ severity: 'warning', code: 'key-proof-old', message, command: `lifeboat drill ${wayOf(proved.kind)}` }];
}

function wayOf(kind: 'daily' | 'escrow' | null): string {
  return kind === 'escrow'
    ? '--escrow'
    : kind === 'daily'
      ? '--identity FILE'
      : '--identity FILE (for shares: --escrow)';
}

/** `the key "offline, in a safe" (age1rr56a65c…)` */
function nameOfKey(recipient: string, label: string | null): string {
  return label === null ? `the key ${shortRecipient(recipient)}` : `the key "${label}" (${shortRecipient(recipient)})`;
}

function labelsIn(file: string): ReadonlyMap<string, string> {
  try {
    return recipientLabels(readFileSync(file, 'utf8'));
  } catch {
    return new Map();
  }
}

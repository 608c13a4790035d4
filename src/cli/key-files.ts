import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { whyOf } from '../core/errors.ts';
import { type Vouched, vouchedLine } from '../keys/vouched.ts';
import type { KeyPair } from '../vault/age/index.ts';
import { identityGivenItself, keyFileExists, keyFileUnwritable } from './errors.ts';
import { holdsPrivateKey } from './private-keys.ts';

/** What stands in comments above a key. */
export interface KeyNotes {
  readonly purpose: string;
  readonly nowMs: number;
  /** Whose restore points it opens: a bare machine believes these writers and no other vault. */
  readonly vouched: readonly Vouched[];
}

/**
 * Writes an identity file as `age-keygen` does, readable by its owner only, durable before it returns. An existing file is
 * never replaced: a lost private key is a lost backup.
 * @throws `key-file-exists`, `key-file-unwritable`, `identity-given-itself`
 */
export async function writeKeyFile(file: string, pair: KeyPair, notes: KeyNotes): Promise<void> {
  const { purpose, nowMs, vouched } = notes;
  if (holdsPrivateKey(file)) throw identityGivenItself({});
  const text = [
    `# Lifeboat, ${purpose}`,
    `# created: ${new Date(nowMs).toISOString()}`,
    `# public key: ${pair.recipient}`,
    ...vouched.map((one) => `# ${vouchedLine(one)}`),
    pair.identity,
    '',
  ].join('\n');
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await using handle = await open(file, 'wx', 0o600);
    await handle.writeFile(text);
    await handle.sync();
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') throw keyFileExists({ file }, { cause });
    throw keyFileUnwritable({ file, why: whyOf(cause) }, { cause });
  }
}

/** The recipient that a file written by `writeKeyFile` or `age-keygen` names. */
export async function recipientInFile(file: string): Promise<string | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return /^# public key: (age1[a-z0-9]+)$/m.exec(text)?.[1];
}

import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { sentenceOf } from '../core/errors.ts';
import { identityMissing, identityNeeded, identityUnreadable } from './errors.ts';

/** The daily key as `lifeboat init` places it, below the folder it runs in. */
export const keysFolder = 'lifeboat-keys';
export const dailyKey = 'daily.txt';
export const offlineKey = 'offline.txt';

const maxBytes = 64 * 1024;

/**
 * The identities in `files`, in order. `note` hears of files that others may read.
 * @throws `identity-needed`, `identity-unreadable`
 */
export async function readIdentities(
  files: readonly string[],
  folder: string,
  note: (text: string) => void,
): Promise<readonly string[]> {
  if (files.length === 0) {
    const daily = join(keysFolder, dailyKey);
    throw identityNeeded(existsSync(join(folder, daily)) ? { found: daily } : {});
  }
  const identities: string[] = [];
  for (const file of files) identities.push(...(await readIdentityFile(file, note)));
  return identities;
}

async function readIdentityFile(file: string, note: (text: string) => void): Promise<string[]> {
  let text: string;
  try {
    const { mode, size } = await stat(file);
    if (size > maxBytes) throw new Error('it is too large to be one');
    if (mode & 0o077) note(`Others on this machine may read ${file}: run 'chmod 600 ${file}'.`);
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw identityMissing({ file }, { cause });
    const why = code === 'EACCES' ? 'this user may not read it' : sentenceOf(cause);
    throw identityUnreadable({ file, why }, { cause });
  }
  if (/^age-encryption\.org\/|BEGIN AGE ENCRYPTED FILE/.test(text)) {
    throw identityUnreadable({ file, why: 'it is protected by a passphrase; decrypt it with age -d first' });
  }
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const identities = lines.filter((line) => line.startsWith('AGE-SECRET-KEY-'));
  if (identities.length === 0) throw identityUnreadable({ file, why: 'it holds no private key' });
  return identities;
}

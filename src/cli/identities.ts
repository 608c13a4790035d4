import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { sentenceOf } from '../core/errors.ts';
import { isShareText, parseShare } from '../keys/share.ts';
import type { NamedShare } from '../keys/split.ts';
import { type Vouched, vouchedIn } from '../keys/vouched.ts';
import { identitiesOfShares } from '../operations/keys/shares.ts';
import { toolTimedOut } from '../process/errors.ts';
import { runCommand } from '../process/run.ts';
import { identityInvalid, type OpenedIdentityFile, openIdentityFile } from '../vault/age/index.ts';
import { identityGivenItself, identityMissing, identityNeeded, identityUnreadable, notAShare } from './errors.ts';
import { commandPrefix } from './key-ring.ts';
import { readPassphrase } from './passphrase.ts';
import { holdsPrivateKey } from './private-keys.ts';

/** The daily key as `lifeboat init` places it, below the folder it runs in. */
export const keysFolder = 'lifeboat-keys';
export const dailyKey = 'daily.txt';
export const offlineKey = 'offline.txt';

const maxBytes = 64 * 1024;
/** A command may wait for a touch or a login. */
const commandTimeoutMs = 120_000;

export interface IdentityContext {
  /** Where the command runs. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Ends the wait for a passphrase. */
  readonly signal: AbortSignal;
  /** Hears of files that others may read. */
  note(text: string): void;
}

export interface GivenKeys {
  readonly identities: readonly string[];
  /** What is written beside those keys, by source; sources where nothing is are left out. */
  readonly vouched: readonly VouchedBy[];
}

export interface VouchedBy {
  readonly source: string;
  /** At least one. */
  readonly lines: readonly Vouched[];
}

/**
 * The identities that `sources` name, in order; those of shares last; and what is written beside them. A source is a key file (age, protected by a passphrase,
 * SSH), a share of one that was split, or `command:WORDS` that prints either.
 * @throws `identity-needed`, `identity-missing`, `identity-unreadable`, `identity-invalid`, `passphrase-needed`,
 * `passphrase-wrong`, and what `combineShares` throws
 */
export async function readKeys(sources: readonly string[], context: IdentityContext): Promise<GivenKeys> {
  if (sources.length === 0) {
    const daily = join(keysFolder, dailyKey);
    throw identityNeeded(existsSync(join(context.folder, daily)) ? { found: daily } : {});
  }
  const identities: string[] = [];
  const shares: NamedShare[] = [];
  const vouched: VouchedBy[] = [];
  for (const source of sources) {
    const { bytes, noteOpen } = await readSource(source, context);
    const text = Buffer.from(bytes).toString('utf8');
    let lines = vouchedIn(text);
    if (isShareText(text)) shares.push({ name: nameOf(source), share: parseShare(text, nameOf(source)) });
    else {
      const opened = await openSource(source, bytes, context);
      identities.push(...opened.identities);
      lines = vouchedIn(opened.text);
    }
    noteOpen();
    if (lines.length > 0) vouched.push({ source: nameOf(source), lines });
  }
  return { identities: [...identities, ...(await identitiesOfShares(shares))], vouched };
}

/** The identities alone. @throws what `readKeys` throws */
export async function readIdentities(sources: readonly string[], context: IdentityContext): Promise<readonly string[]> {
  return (await readKeys(sources, context)).identities;
}

export interface GivenShares {
  readonly shares: readonly NamedShare[];
  /** What is written on their sheets, each line once. */
  readonly vouched: readonly Vouched[];
}

/** Those of shares alone. @throws `not-a-share` for a source that is none */
export async function readShares(sources: readonly string[], context: IdentityContext): Promise<GivenShares> {
  const shares: NamedShare[] = [];
  const texts: string[] = [];
  for (const source of sources) {
    const { bytes, noteOpen } = await readSource(source, context);
    const text = Buffer.from(bytes).toString('utf8');
    if (!isShareText(text)) throw notAShare({ source: nameOf(source) });
    shares.push({ name: nameOf(source), share: parseShare(text, nameOf(source)) });
    noteOpen();
    texts.push(text);
  }
  return { shares, vouched: vouchedIn(texts.join('\n')) };
}

interface ReadSource {
  readonly bytes: Uint8Array;
  /** Says that others may read it: once it is known to be a key, and no folder or somebody's public file. */
  noteOpen(): void;
}

async function readSource(source: string, context: IdentityContext): Promise<ReadSource> {
  if (source.startsWith(commandPrefix)) return { bytes: await readCommand(source, context), noteOpen() {} };
  if (holdsPrivateKey(source)) throw identityGivenItself({});
  return readKeyFile(source, context);
}

async function openSource(
  source: string,
  bytes: Uint8Array,
  { env, signal }: IdentityContext,
): Promise<OpenedIdentityFile> {
  const name = nameOf(source);
  try {
    return await openIdentityFile(bytes, name, () => readPassphrase(name, env, signal));
  } catch (error) {
    if (!identityInvalid.is(error)) throw error;
    const isPublic = /^(?:#[^\n]*\n|\s)*(?:age1|ssh-|ecdsa-|sk-)/.test(Buffer.from(bytes).toString('latin1'));
    if (isPublic) throw identityUnreadable({ file: name, why: 'it is the public half of a key' }, { cause: error });
    // The cause has the line, not the file.
    throw identityUnreadable({ file: name, why: sentenceOf(error).replace(/\.$/, '') });
  }
}

async function readKeyFile(file: string, { note }: IdentityContext): Promise<ReadSource> {
  try {
    const found = await stat(file);
    if (found.isDirectory()) throw new Error('it is a folder');
    if (found.size > maxBytes) throw new Error('it is too large to be one');
    const bytes = await readFile(file);
    const noteOpen = () => {
      if (found.mode & 0o077) note(`Others on this machine may read ${file}: run 'chmod 600 ${file}'.`);
    };
    return { bytes, noteOpen };
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw identityMissing({ file }, { cause });
    const why = code === 'EACCES' ? 'this user may not read it' : sentenceOf(cause);
    throw identityUnreadable({ file, why }, { cause });
  }
}

async function readCommand(source: string, { folder, env }: IdentityContext): Promise<Uint8Array> {
  const given = Object.entries(env).filter(([name, value]) => value !== undefined && !isOurSecret(name));
  const options = { cwd: folder, env: Object.fromEntries(given) as Record<string, string>, maxStdoutBytes: maxBytes };
  const command = source.slice(commandPrefix.length);
  try {
    const { stdout } = await runCommand('/bin/sh', ['-c', command], { ...options, deadlineMs: commandTimeoutMs });
    if (stdout.length === 0) throw new Error('it printed nothing');
    return stdout;
  } catch (error) {
    // Neither output nor error text is repeated: either may hold the key.
    const isLate = toolTimedOut.is(error);
    const why = isLate ? 'the command took longer than 2 min' : 'the command failed, or printed nothing';
    throw identityUnreadable({ file: nameOf(source), why });
  }
}

function isOurSecret(name: string): boolean {
  return name === 'LIFEBOAT_PASSPHRASE' || name === 'LIFEBOAT_IDENTITY';
}

/** A command's words may hold what nobody should read in an error. */
function nameOf(source: string): string {
  if (!source.startsWith(commandPrefix)) return source;
  const [program = ''] = source.slice(commandPrefix.length).trim().split(/\s+/);
  return `${commandPrefix}${basename(program)} …`;
}

import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { sentenceOf } from '../../core/errors.ts';
import type { SftpOptions } from '../options.ts';
import { hostKeysUnusable } from './errors.ts';

/** What is known of a server's keys before it is asked. */
export interface KnownKeys {
  /** Of each key type that is known, in the order of SSH's algorithm names; empty when only fingerprints are known. */
  readonly types: readonly string[];
  /** Whether fingerprints are among what is known: they do not say of which type they are. */
  readonly fingerprints: boolean;
  judge(blob: Uint8Array): Verdict;
}

/**
 * `changed`: keys of this server are known, and this is none of them. `certified`: only a certificate authority is known, and
 * we do not check certificates. `unknown`: nothing is known of this server.
 */
export type Verdict = 'right' | 'changed' | 'revoked' | 'certified' | 'unknown';

interface Known {
  readonly mark: 'key' | 'revoked' | 'authority';
  /** A key's blob, base64 without padding, or `SHA256:…`. */
  readonly key: string;
  readonly type?: string;
}

/** Reads `hostKeys` and the known_hosts file. @throws `host-keys-unusable` */
export async function readKnownKeys(options: SftpOptions & { readonly name: string }): Promise<KnownKeys> {
  const unusable = (why: string, error?: unknown) =>
    hostKeysUnusable({ destination: options.name, why }, error === undefined ? {} : { cause: error });
  const known = options.hostKeys.map((line) => {
    const found = keyOf(line);
    if (found === undefined) throw unusable(`${JSON.stringify(line)} in hostKeys is no key`);
    return found;
  });
  if (options.knownHosts !== undefined) {
    const file = options.knownHosts;
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      throw unusable(`${file} cannot be read (${sentenceOf(error)})`, error);
    });
    known.push(...parseKnownHosts(text, options.host, options.port));
  }
  return knownKeys(known);
}

function knownKeys(known: readonly Known[]): KnownKeys {
  const keys = known.filter(({ mark }) => mark === 'key');
  return {
    types: [...new Set(keys.flatMap(({ type }) => type ?? []))],
    fingerprints: keys.some(({ type }) => type === undefined),
    judge(blob) {
      const shown = [withoutPadding(Buffer.from(blob).toString('base64')), fingerprintOf(blob)];
      const match = (of: readonly Known[]) => of.some(({ key }) => shown.includes(key));
      if (match(known.filter(({ mark }) => mark === 'revoked'))) return 'revoked';
      if (match(keys)) return 'right';
      if (keys.length > 0) return 'changed';
      return known.some(({ mark }) => mark === 'authority') ? 'certified' : 'unknown';
    },
  };
}

/** As `ssh-keygen -l` prints it. */
export function fingerprintOf(blob: Uint8Array): string {
  return `SHA256:${withoutPadding(createHash('sha256').update(blob).digest('base64'))}`;
}

/** `ssh-ed25519` …, out of the key itself. */
export function typeOf(blob: Uint8Array): string {
  const bytes = Buffer.from(blob);
  return bytes.length < 4 ? '' : bytes.toString('latin1', 4, 4 + Math.min(bytes.readUInt32BE(0), 64));
}

/** What a known_hosts file says of one server: plain and hashed names, patterns, `[host]:port`, marks. */
export function parseKnownHosts(text: string, host: string, port: number): Known[] {
  const name = port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`;
  return text.split('\n').flatMap((line) => {
    const words = line.trim().split(/\s+/);
    if (words[0] === '' || words[0]?.startsWith('#')) return [];
    const marked = words[0]?.startsWith('@') ? words.shift() : undefined;
    const mark = ({ '@revoked': 'revoked', '@cert-authority': 'authority' } as const)[marked ?? ''];
    // A mark that we do not know must not be taken for a plain key.
    if (marked !== undefined && mark === undefined) return [];
    const [names = '', ...rest] = words;
    const found = keyOf(rest.join(' '));
    return found !== undefined && isNamed(names, name) ? [{ ...found, mark: mark ?? 'key' }] : [];
  });
}

function isNamed(names: string, name: string): boolean {
  if (names.startsWith('|')) {
    const [, kind, salt = '', hash = ''] = names.split('|');
    const wanted = Buffer.from(hash, 'base64');
    const found = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest();
    return kind === '1' && wanted.length === found.length && timingSafeEqual(wanted, found);
  }
  const patterns = names.toLowerCase().split(',');
  const fits = (pattern: string) => matches(pattern, name);
  return !patterns.some((one) => one.startsWith('!') && fits(one.slice(1))) && patterns.some(fits);
}

function matches(pattern: string, name: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*+/g, '.*')
    .replace(/\?/g, '.');
  return new RegExp(`^${source}$`).test(name);
}

/** A `SHA256:` fingerprint, or `type base64 [comment]`, also with host names before it as ssh-keyscan prints them. */
function keyOf(line: string): Known | undefined {
  const text = line.trim();
  if (/^SHA256:[A-Za-z0-9+/]{43}=?$/.test(text)) return { mark: 'key', key: withoutPadding(text) };
  const words = text.split(/\s+/);
  const at = words.findIndex((word) => /^(ssh|ecdsa|sk)-[a-z0-9@.-]+$/.test(word));
  const [type, base64] = at === 0 || at === 1 ? words.slice(at) : [];
  if (type === undefined || base64 === undefined || !/^AAAA[A-Za-z0-9+/]+=*$/.test(base64)) return undefined;
  if (typeOf(Buffer.from(base64, 'base64')) !== type) return undefined;
  return { mark: 'key', key: withoutPadding(base64), type };
}

function withoutPadding(base64: string): string {
  return base64.replace(/=+$/, '');
}

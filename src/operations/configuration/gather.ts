import { createHash, createPublicKey } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import type { System } from '../../config/system.ts';
import { canonicalJson } from '../../core/canonical-json.ts';
import { comparePaths, pathFromText } from '../../core/paths.ts';
import { sshPublicLine } from '../../vault/age/index.ts';
import { storedPath } from './layout.ts';

/** One file of the configuration, as it goes into a restore point. */
export interface GatheredFile {
  /** As bytes: `here/lifeboat.yaml`. */
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
}

export interface Gathered {
  /** In the order of a restore point. */
  readonly files: readonly GatheredFile[];
  /** Absolute paths that are not among them, and why. */
  readonly left: ReadonlyArray<{ readonly file: string; readonly why: string }>;
  /** Of everything but times: equal means that nothing changed. */
  readonly digest: string;
}

/** No configuration and no secret is larger; what is, is something else. */
const maxBytes = 1024 * 1024;

/** Reads what the configuration consists of. What cannot be read, and every private key of the vault, is left out and named. */
export async function gather({ files, root, vault }: Pick<System, 'files' | 'root' | 'vault'>): Promise<Gathered> {
  const gathered: GatheredFile[] = [];
  const left: { file: string; why: string }[] = [];
  for (const file of files) {
    const found = await read(file, vault.recipients);
    if (typeof found === 'string') left.push({ file, why: found });
    else gathered.push({ path: pathFromText(storedPath(file, root)), ...found });
  }
  gathered.sort((a, b) => comparePaths(a.path, b.path));
  const told = gathered.map(({ path, bytes, mode, uid, gid }) => [path, sha256(bytes), mode, uid, gid]);
  return { files: gathered, left, digest: sha256(canonicalJson({ files: told, left })) };
}

/** Why not, where it is a text. */
async function read(file: string, recipients: readonly string[]): Promise<Omit<GatheredFile, 'path'> | string> {
  try {
    const { mode, uid, gid, mtimeNs, size } = await stat(file, { bigint: true });
    if (size > maxBytes) return 'it is larger than 1 MiB';
    const bytes = await readFile(file);
    if (bytes.length > maxBytes) return 'it is larger than 1 MiB';
    // Whoever holds one key of the vault would find the others in it.
    if (/AGE-SECRET-KEY-|AGE-PLUGIN-/i.test(bytes.toString('latin1'))) return 'it holds a private key of age';
    if (recipients.some((recipient) => opensFor(bytes, recipient))) return 'it is a private key that opens the vault';
    return { bytes, mode: Number(mode & 0o7777n), uid: Number(uid), gid: Number(gid), mtimeNs };
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'it cannot be read';
  }
}

/** Whether `bytes` are the private half of an SSH `recipient`; OpenSSH's own format has the public one in it, readable. */
function opensFor(bytes: Buffer, recipient: string): boolean {
  const [type, blob] = recipient.split(' ');
  if (!type?.startsWith('ssh-') || blob === undefined) return false;
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([^-]+)/.exec(bytes.toString('latin1'))?.[1];
  if (body !== undefined) return Buffer.from(body, 'base64').includes(Buffer.from(blob, 'base64'));
  try {
    return sshPublicLine(createPublicKey(bytes)).startsWith(`${type} ${blob}`);
  } catch {
    return false; // no key at all
  }
}

function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

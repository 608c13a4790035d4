import { readdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { ProcessIdentity } from '../host/identity.ts';
import { writeStateFile } from '../host/state-file.ts';
import { inState } from '../host/state-names.ts';

/** One sandbox, written down before any of it is made, so that `gc` finds what a killed drill left. */
export interface Registered {
  readonly id: string;
  readonly made: string;
  readonly owner: ProcessIdentity;
  /** Where its data lies. Its last part is always `folderName(id)`. */
  readonly folder: string;
  /** A short path to our ways to its servers, where the folder's own path is too long for a socket. Its last part begins like the folder's. */
  readonly link?: string;
}

export interface RegistryEntry {
  readonly file: string;
  /** Absent when the file cannot be read as what we write: then nothing that it names is touched. */
  readonly sandbox?: Registered;
}

export function registryFolder(stateDir: string): string {
  return inState(stateDir, 'sandboxes');
}

export function folderName(id: string): string {
  return `lifeboat-drill-${id}`;
}

/** Writes the entry whole, or leaves the former one. */
export function register(stateDir: string, sandbox: Registered): void {
  writeStateFile(join(registryFolder(stateDir), `${sandbox.id}.json`), sandbox);
}

export async function unregister(stateDir: string, id: string): Promise<void> {
  await rm(join(registryFolder(stateDir), `${id}.json`), { force: true });
}

export async function registered(stateDir: string): Promise<RegistryEntry[]> {
  const folder = registryFolder(stateDir);
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const files = names.filter((name) => name.endsWith('.json')).map((name) => join(folder, name));
  return Promise.all(
    files.map(async (file) => {
      const sandbox = parse(await readFile(file, 'utf8').catch(() => ''), basename(file, '.json'));
      return sandbox === undefined ? { file } : { file, sandbox };
    }),
  );
}

/** Reads an entry; undefined for anything whose paths do not carry the sandbox's own name. */
function parse(text: string, id: string): Registered | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const entry = value as Partial<Registered> | null;
  const ours = (path: unknown) =>
    typeof path === 'string' && path.startsWith('/') && basename(path).startsWith(folderName(id));
  if (typeof entry !== 'object' || entry === null || entry.id !== id || !/^[0-9A-Z]{26}$/.test(id)) return undefined;
  if (!isIdentity(entry.owner) || !ours(entry.folder)) return undefined;
  if (entry.link !== undefined && !ours(entry.link)) return undefined;
  return entry as Registered;
}

function isIdentity(value: unknown): value is ProcessIdentity {
  const identity = value as Partial<ProcessIdentity> | null | undefined;
  return Number.isInteger(identity?.pid) && (identity?.pid ?? 0) > 0 && typeof identity?.start === 'string';
}

import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { z } from 'zod';
import type { System } from '../config/system.ts';
import { canonicalJson } from '../core/canonical-json.ts';
import { defineError, whyOf } from '../core/errors.ts';
import { stateUnusable } from '../host/errors.ts';
import { writeStateFile } from '../host/state-file.ts';
import { inState } from '../host/state-names.ts';

export const configurationUnconfirmed = defineError({
  code: 'configuration-unconfirmed',
  about: 'person',
  exit: 2,
  say: (fact: { file: string; lines?: readonly string[] }) =>
    [`Nobody on this machine has said yes to what ${fact.file} does.`, ...(fact.lines ?? [])].join('\n'),
  hint: () =>
    "It may have come out of a vault that is not yours. 'lifeboat recover' shows all that it does and asks; in a script say --trust, once you have read it.",
});

export const confirmationsDamaged = defineError({
  code: 'confirmations-damaged',
  about: 'place',
  exit: 2,
  say: (fact: { file: string; why: string }) =>
    `What was confirmed on this machine cannot be read: ${fact.file}: ${fact.why}.`,
  hint: () => 'Remove the file; the next command that uses the configuration asks again.',
});

const shape = z.strictObject({
  format: z.literal(1),
  /** The configuration was brought here by `bootstrap`. */
  restored: z.boolean(),
  /** Configurations that a person said yes to, the newest last: the digest of the file and of each that it refers to. */
  seen: z.array(z.strictObject({ config: z.string(), others: z.record(z.string(), z.string()) })),
  /** Writers and pruners that the restored file names: no person here did. */
  unnamed: z.array(z.string()),
});
type Confirmed = z.infer<typeof shape>;
type Seen = Confirmed['seen'][number];

/** So many are remembered: who goes back to an older one is asked again. */
const mostSeen = 20;
const mostBytes = 1024 * 1024;

type Config = Pick<System, 'stateDir' | 'digest' | 'files' | 'file' | 'vault' | 'drill'>;

/** From now on this configuration is used here without a question. */
export function confirmConfiguration(config: Config): void {
  const known = read(config.stateDir);
  const now = look(config);
  const last = known.seen.at(-1);
  if (last !== undefined && isSame(last, now)) return;
  const seen = [...known.seen.filter((one) => !isSame(one, now)), now].slice(-mostSeen);
  write(config.stateDir, { ...known, seen });
}

/** Also where a file that it refers to is gone since: what is not there does nothing. */
export function isConfirmed(config: Config): boolean {
  const now = look(config);
  return read(config.stateDir).seen.some(
    ({ config, others }) =>
      config === now.config &&
      Object.entries(now.others).every(([file, digest]) => digest === none || others[file] === digest),
  );
}

function isSame(one: Seen, other: Seen): boolean {
  return canonicalJson(one) === canonicalJson(other);
}

/** That it came out of a vault, and was brought to this machine: whom it lists counts for nothing, only whom a person accepted. */
export function noteRestored(config: Config): void {
  const listed = [...config.vault.writers, ...config.vault.pruners, ...config.drill.writers];
  const unnamed = [...new Set(listed.map(({ key }) => key))].sort();
  write(config.stateDir, { ...read(config.stateDir), restored: true, unnamed });
}

/** Whether the state of this configuration began with `bootstrap`: then whom it believes was decided there. */
export function wasRestored(stateDir: string): boolean {
  return read(stateDir).restored;
}

/**
 * Nothing of a configuration that came out of a vault is looked up, run or connected to before somebody said yes to one here;
 * what people make of it afterwards is theirs. @throws `configuration-unconfirmed`
 */
export function refuseUnconfirmed(config: Config): void {
  const { restored, seen } = read(config.stateDir);
  if (restored && seen.length === 0) throw configurationUnconfirmed({ file: config.file });
}

/** The keys of `writers` that a person named here: a restored configuration names nobody by itself. */
export function namedByPeople(stateDir: string, keys: readonly string[]): string[] {
  const { unnamed } = read(stateDir);
  return keys.filter((key) => !unnamed.includes(key));
}

/** Of the file and of all that it refers to: a variable in another file may change whom it connects to. */
function look({ digest, files, file }: Config): Seen {
  const others = files.filter((one) => one !== file).map((one) => [one, contentOf(one)]);
  return { config: digest, others: Object.fromEntries(others) };
}

const none = 'none';

function contentOf(file: string): string {
  try {
    // Without waiting for a writer where it is a pipe.
    const handle = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      if (!fstatSync(handle).isFile()) return 'no file';
      const bytes = Buffer.alloc(mostBytes + 1);
      const size = readSync(handle, bytes, 0, bytes.length, 0);
      return createHash('sha256').update(bytes.subarray(0, size)).digest('hex');
    } finally {
      closeSync(handle);
    }
  } catch {
    return none;
  }
}

function read(stateDir: string): Confirmed {
  const file = fileIn(stateDir);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      return { format: 1, restored: false, seen: [], unnamed: [] };
    throw stateUnusable({ folder: stateDir, why: whyOf(error) }, { cause: error });
  }
  try {
    return shape.parse(JSON.parse(text));
  } catch (error) {
    throw confirmationsDamaged({ file, why: 'it is not what Lifeboat writes' }, { cause: error });
  }
}

function write(stateDir: string, confirmed: Confirmed): void {
  writeStateFile(fileIn(stateDir), confirmed);
}

function fileIn(stateDir: string): string {
  return inState(stateDir, 'confirmed');
}

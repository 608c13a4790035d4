import { maskPasswords } from '../../config/errors.ts';
import { type ChangedLine, changedLines } from '../../core/line-diff.ts';
import type { RestorePoint, VaultReader } from '../../vault/index.ts';
import { readConfiguration, type StoredConfiguration } from '../configuration/read-back.ts';

/** How a configuration differs from the one that was kept before it. */
export interface Changes {
  /** When the one before was kept; this one is in force since its own time. */
  readonly before: string;
  /** Of lifeboat.yaml, without secrets. */
  readonly lines: readonly ChangedLine[];
  /** Of the files that it refers to only whether they changed. */
  readonly files: ReadonlyArray<{ readonly path: string; readonly how: 'changed' | 'new' | 'gone' }>;
}

/** Compares `stored`, kept as `point`, with the newest of `earlier` (oldest first). Undefined where there is none. */
export async function changesSince(
  stored: StoredConfiguration,
  earlier: readonly RestorePoint[],
  vault: VaultReader,
  identities: readonly string[],
): Promise<Changes | undefined> {
  const before = earlier.at(-1);
  if (before === undefined) return undefined;
  const old = await readConfiguration(await vault.open(before, identities));
  return {
    before: before.record.time,
    lines: changedLines(linesOf(old), linesOf(stored)).map(({ sign, line }) => ({ sign, line: withoutSecrets(line) })),
    files: changedFiles(old, stored),
  };
}

function linesOf({ file, files }: StoredConfiguration): string[] {
  const own = files.find(({ path }) => path === file);
  return (own?.bytes.toString('utf8') ?? '').split('\n');
}

function changedFiles(old: StoredConfiguration, now: StoredConfiguration): Changes['files'] {
  const before = new Map(old.files.map((one) => [one.path, one.bytes]));
  const after = new Map(now.files.map((one) => [one.path, one.bytes]));
  const paths = [...new Set([...before.keys(), ...after.keys()])].filter((path) => path !== now.file).sort();
  return paths.flatMap((path) => {
    const [was, is] = [before.get(path), after.get(path)];
    if (was !== undefined && is?.equals(was)) return [];
    return [{ path, how: was === undefined ? 'new' : is === undefined ? 'gone' : 'changed' } as const];
  });
}

/** `password: x`, `API_TOKEN: "x"`, `secretAccessKey: x`, also several in one line; a reference is no secret. */
const secretValue =
  /([\w-]{0,60}(?:secret|passw|passphrase|token|cookie|credential|private|salt|accessKey|API_?KEY)[\w-]{0,60}["']?\s{0,20}[:=]\s{0,20})(?!["']?\$\{)("[^"]*"|'[^']*'|[^\s,}#{[]+)/gi;

/** Whole lines of base64, as keys have them; a writer's public key is shorter. */
const keyMaterial = /^\s*["']?[A-Za-z0-9+/]{48,}={0,2}["']?\s*$/;

/** No line that a person wrote is longer. */
const mostLength = 2000;

function withoutSecrets(whole: string): string {
  const line = whole.length > mostLength ? `${whole.slice(0, mostLength)}… (${whole.length} characters)` : whole;
  if (keyMaterial.test(line) || /AGE-SECRET-KEY-/i.test(line)) return '****';
  return maskPasswords(line.replace(secretValue, '$1****'));
}

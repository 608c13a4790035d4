import { glob } from 'node:fs/promises';
import { join } from 'node:path';
import { toolMissing } from './errors.ts';
import { debianPackageOf, findOnPath, isExecutable } from './programs.ts';
import { runCommand } from './run.ts';

export interface Tool {
  readonly path: string;
  /** As the tool prints it: `15.18`, `1.1.1`. */
  readonly version: string;
  readonly major: number;
}

export interface FindOptions {
  /** Folders to look in before PATH; `*` stands for any name. */
  readonly folders?: readonly string[];
  /** Arguments that make it print its version. */
  readonly versionArguments?: readonly string[];
  /** Which of them will do; `tool-missing` when none does. */
  readonly accept?: (tool: Tool) => boolean;
  readonly debianPackage?: string;
  readonly signal?: AbortSignal;
}

/** The newest version of a program on this host, or `tool-missing`. */
export async function findTool(name: string, options: FindOptions = {}): Promise<Tool> {
  const fitting = (await findTools(name, options)).find(options.accept ?? (() => true));
  if (fitting !== undefined) return fitting;
  const looked = [...(options.folders ?? []), 'PATH'].join(', ');
  throw toolMissing({ tool: name, looked, debianPackage: options.debianPackage ?? debianPackageOf(name) });
}

/** All versions of a program on this host, the newest first; empty when there is none. */
export async function findTools(name: string, options: FindOptions = {}): Promise<Tool[]> {
  const folders = options.folders ?? [];
  const found = (await Promise.all(folders.map((folder) => executablesIn(join(folder, name))))).flat();
  const onPath = await findOnPath(name);
  if (onPath !== undefined && !found.includes(onPath)) found.push(onPath);
  const versionArguments = options.versionArguments ?? ['--version'];
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  const tools = await Promise.all(
    found.map(async (path) => {
      const { stdout } = await runCommand(path, versionArguments, { ...signal, deadlineMs: 20_000 });
      const version = parseVersion(stdout.toString('utf8'));
      return version === undefined ? [] : [{ path, version, major: Number.parseInt(version, 10) }];
    }),
  );
  // The sort is stable: of one version, the program itself comes before a wrapper on PATH.
  return tools.flat().sort((a, b) => compareVersions(b.version, a.version));
}

/** The version in what a tool prints: the first dotted number, else the first number that stands alone. */
export function parseVersion(text: string): string | undefined {
  return (/(?:^|[\sv])(\d+(?:\.\d+)+)/.exec(text) ?? /(?:^|\s)v?(\d+)/.exec(text))?.[1];
}

/** Compares dotted numbers; a missing part counts as zero. */
export function compareVersions(a: string, b: string): number {
  const [x, y] = [a.split('.').map(Number), b.split('.').map(Number)];
  for (let at = 0; at < Math.max(x.length, y.length); at++) {
    const difference = (x[at] ?? 0) - (y[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

async function executablesIn(pattern: string): Promise<string[]> {
  const found: string[] = [];
  for await (const path of glob(pattern)) if (await isExecutable(path)) found.push(path);
  return found;
}

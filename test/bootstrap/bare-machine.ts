import { cpSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { lifeboat, project } from '../cli/lifeboat.ts';

/** A host that was backed up to a folder and is lost; and a bare machine beside it, with the folder and a key. */
export interface Disaster {
  /** Where the lost host had its project; gone. */
  readonly lost: string;
  /** The copy of the vault. */
  readonly vault: string;
  readonly key: string;
  /** On the bare machine: in an empty folder, with a state of its own. */
  run(...words: string[]): ReturnType<typeof lifeboat>;
}

export async function disaster(prepare: (folder: string) => Promise<void> | void = () => {}): Promise<Disaster> {
  const lost = await project();
  await lifeboat(lost, ['init']);
  await prepare(lost);
  const backup = await lifeboat(lost, ['backup']);
  expect(backup.code, backup.stderr).toBe(0);
  const safe = `${lost}.safe`;
  mkdirSync(safe);
  const { onTestFinished } = await import('vitest');
  onTestFinished(() => rmSync(safe, { recursive: true, force: true }));
  const [vault, key, bare] = [join(safe, 'vault'), join(safe, 'offline.txt'), join(safe, 'bare')];
  cpSync(join(lost, 'backups'), vault, { recursive: true });
  renameSync(join(lost, 'lifeboat-keys/offline.txt'), key);
  rmSync(lost, { recursive: true });
  mkdirSync(bare);
  return { lost, vault, key, run: (...words) => lifeboat(bare, words) };
}

/** The words of the second command, which is the last line of the first one's answer. */
export function secondCommand(answer: string): string[] {
  const line = answer.trim().split('\n').at(-1)?.trim() ?? '';
  expect(line).toMatch(/^lifeboat recover /);
  return line.split(' ').slice(1);
}

export function isThere(disaster: Disaster, path: string): boolean {
  return existsSync(join(disaster.lost, path));
}

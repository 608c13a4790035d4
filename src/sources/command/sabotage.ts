import { copyFile, mkdir, open, readFile, rm, truncate } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Aimed, Saboteur } from '../sabotage.ts';
import { outputName } from './whole.ts';

interface Way {
  readonly name: string;
  strike(path: string, sizeBytes: number): Promise<void>;
}

const ways: readonly Way[] = [
  { name: 'the output ends early', strike: (path, sizeBytes) => truncate(path, Math.floor(sizeBytes / 2)) },
  { name: 'the output is empty', strike: (path) => truncate(path, 0) },
  { name: 'a byte of the output is another', strike: (path, sizeBytes) => flip(path, Math.floor(sizeBytes / 2)) },
  { name: 'the output goes on after its end', strike: (path, sizeBytes) => write(path, sizeBytes, Buffer.from('\n0')) },
];

/** Breaks copies of what came back. */
export async function openOutputSaboteur(where: string): Promise<Saboteur> {
  const folder = join(dirname(where), `sabotage-${basename(where)}`);
  await mkdir(folder, { mode: 0o700 });
  const broken = join(folder, basename(where));
  const aim = async ({ strike }: Way): Promise<Aimed> => {
    await copyFile(where, broken);
    const { length } = await readFile(broken);
    return {
      ...{ where: broken, what: outputName, names: [outputName, 'files'] },
      look: async () => (await readFile(broken)).toString('base64'),
      strike: () => strike(broken, length),
      [Symbol.asyncDispose]: () => rm(broken, { force: true }),
    };
  };
  return {
    sabotages: ways.map((way) => ({ name: way.name, harm: 'rows', aim: () => aim(way) })),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

async function flip(path: string, at: number): Promise<void> {
  await using file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  await file.write(Buffer.from([byte[0]! ^ 1]), 0, 1, at);
}

async function write(path: string, at: number, bytes: Uint8Array): Promise<void> {
  await using file = await open(path, 'r+');
  await file.write(bytes, 0, bytes.length, at);
}

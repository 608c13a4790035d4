import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import type { Contents } from '../../src/sources/source.ts';

/** What a tree looks like: by path (bytes as latin1), everything that a restore must bring back. */
export type Picture = Map<string, { readonly facts: string; readonly mtimeNs: bigint }>;

export function pictureOf(folder: string): Picture {
  const picture: Picture = new Map();
  const inodes = new Map<bigint, string>();
  const visit = (place: Buffer, path: string) => {
    for (const name of fs.readdirSync(place, 'latin1').sort(byPath)) {
      const child = Buffer.concat([place, Buffer.from(`/${name}`, 'latin1')]);
      const childPath = path + name;
      const found = fs.lstatSync(child, { bigint: true });
      const facts = [(found.mode & 0o7777n).toString(8), `${found.uid}:${found.gid}`];
      if (found.isFile()) {
        const first = inodes.get(found.ino);
        if (first !== undefined) facts.unshift(`is ${first}`);
        else facts.unshift(`file ${sha256(fs.readFileSync(child))}`);
        if (found.nlink > 1n && first === undefined) inodes.set(found.ino, childPath);
      } else if (found.isSymbolicLink()) facts.unshift(`-> ${fs.readlinkSync(child, 'latin1')}`);
      else facts.unshift(found.isDirectory() ? 'folder' : 'special');
      picture.set(childPath, { facts: facts.join(' '), mtimeNs: found.mtimeNs });
      if (found.isDirectory()) visit(child, `${childPath}/`);
    }
  };
  visit(Buffer.from(folder), '');
  return picture;
}

export async function pictureOfContents(contents: Contents): Promise<Picture> {
  const picture: Picture = new Map();
  for await (const entry of contents.entries()) {
    const { path, type, mode, uid, gid, mtimeNs } = entry;
    const hash = createHash('sha256');
    if (type === 'file') for await (const piece of contents.read(path)) hash.update(piece);
    const what = {
      file: () => `file ${hash.digest('hex')}`,
      hardlink: () => `is ${'target' in entry ? entry.target : ''}`,
      symlink: () => `-> ${'target' in entry ? entry.target : ''}`,
      folder: () => 'folder',
    }[type as string];
    picture.set(path, { facts: [what?.() ?? 'special', mode.toString(8), `${uid}:${gid}`].join(' '), mtimeNs });
  }
  return picture;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function byPath(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

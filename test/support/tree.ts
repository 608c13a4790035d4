import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';

/**
 * Everything about a file or folder that a restore must bring back, by a way of its own: one line per path.
 */
export function describeTree(path: string): string[] {
  const lines: string[] = [];
  const inodes = new Map<bigint, string>();
  const visit = (place: Buffer, name: string) => {
    const found = fs.lstatSync(place, { bigint: true });
    const facts = [JSON.stringify(name), found.mode.toString(8), `${found.uid}:${found.gid}`, String(found.mtimeNs)];
    if (found.isCharacterDevice() || found.isBlockDevice()) facts.push(`device ${found.rdev}`);
    if (found.isFile()) {
      facts.push(createHash('sha256').update(fs.readFileSync(place)).digest('hex').slice(0, 16));
      facts.push(found.blocks * 512n < found.size ? 'sparse' : 'full');
      if (found.nlink > 1n) facts.push(`= ${inodes.get(found.ino) ?? 'first'}`);
      if (!inodes.has(found.ino)) inodes.set(found.ino, JSON.stringify(name));
    }
    if (found.isSymbolicLink()) facts.push(`-> ${fs.readlinkSync(place, 'latin1')}`);
    lines.push(facts.join(' '));
    if (!found.isDirectory()) return;
    for (const child of fs.readdirSync(place, 'latin1').sort()) {
      visit(Buffer.concat([place, Buffer.from(`/${child}`, 'latin1')]), `${name}/${child}`);
    }
  };
  visit(Buffer.from(path), '.');
  const xattrs = execFileSync('getfattr', ['-R', '-h', '-P', '-d', '-m', '-', '.'], {
    cwd: fs.statSync(path).isDirectory() ? path : undefined,
    encoding: 'latin1',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return [...lines, ...xattrs.split('\n\n').sort()];
}

/** Names of work folders and temporary copies at any depth. */
export function remainsIn(path: string): string[] {
  return (fs.readdirSync(path, { recursive: true, encoding: 'latin1' }) as string[]).filter((name) =>
    /(^|\/)\.?lifeboat-/.test(name),
  );
}

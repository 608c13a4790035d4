import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import type { StoredEntry } from '../../src/core/entry.ts';
import { type BytePath, isSafePath, toBytes } from '../../src/core/paths.ts';
import type { Extracted } from '../../src/sources/source.ts';

interface Extraction {
  readonly chosen: readonly StoredEntry[];
  readonly all: readonly StoredEntry[];
  readonly read: (path: BytePath) => AsyncIterable<Uint8Array>;
  readonly into: BytePath;
  readonly stripPrefix: BytePath;
}

const blockBytes = 4096;
const zeros = Buffer.alloc(blockBytes);

/** Writes entries below a folder, one after the other, with all their metadata: what the vault's own is compared with. */
export async function extractEntries({ chosen: named, all, read, into, stripPrefix }: Extraction): Promise<Extracted> {
  const chosen = named.filter(({ path }) => stripPrefix === '' || path !== stripPrefix);
  const place = (path: BytePath) => {
    const rest = stripPrefix === '' ? path : path.slice(stripPrefix.length + 1);
    if (!isSafePath(rest)) throw new Error(`unsafe path: ${path}`);
    return toBytes(`${into}/${rest}`);
  };
  const written = new Set<BytePath>();
  let files = 0;
  let bytes = 0;
  for (const entry of chosen) {
    const at = place(entry.path);
    makeParents(into, at);
    if (entry.type === 'folder') fs.mkdirSync(at, { recursive: true });
    else if (entry.type === 'symlink') fs.symlinkSync(toBytes(entry.target), at);
    else if (entry.type === 'hardlink' && written.has(entry.target)) fs.linkSync(place(entry.target), at);
    else if (entry.type === 'file' || entry.type === 'hardlink') {
      // The other name was not chosen: this one becomes the file.
      const content = entry.type === 'file' ? entry : all.find((other) => other.path === entry.target);
      if (content?.type !== 'file') throw new Error(`link without a file: ${entry.path}`);
      bytes += await writeFile(at, read(content.path), content.sparse === true);
      files++;
      written.add(entry.path);
    } else if (entry.type === 'fifo') execFileSync('sh', ['-c', 'mkfifo "$(cat)"'], { input: at });
    // A socket belongs to the process that listens on it; a device needs more rights than a test has.
  }
  for (const entry of [...chosen].reverse()) setMetadata(entry, place(entry.path));
  return { files, bytes, problems: [] };
}

function makeParents(into: BytePath, at: Buffer): void {
  const path = at.toString('latin1');
  const parent = path.slice(0, path.lastIndexOf('/'));
  if (parent.length > into.length) fs.mkdirSync(toBytes(parent), { recursive: true });
}

async function writeFile(at: Buffer, pieces: AsyncIterable<Uint8Array>, sparse: boolean): Promise<number> {
  const fd = fs.openSync(at, 'wx');
  let size = 0;
  try {
    for await (const piece of pieces) {
      if (!sparse) fs.writeSync(fd, piece, 0, piece.length, size);
      else
        for (let from = 0; from < piece.length; from += blockBytes) {
          const block = piece.subarray(from, from + blockBytes);
          if (!zeros.subarray(0, block.length).equals(block)) fs.writeSync(fd, block, 0, block.length, size + from);
        }
      size += piece.length;
    }
    fs.ftruncateSync(fd, size);
  } finally {
    fs.closeSync(fd);
  }
  return size;
}

function setMetadata(entry: StoredEntry, at: Buffer): void {
  if (entry.type === 'socket' || entry.type === 'character-device' || entry.type === 'block-device') return;
  // The owner first: changing it clears the set-uid bits.
  if (process.getuid?.() === 0) fs.lchownSync(at, entry.uid, entry.gid);
  if (entry.type !== 'symlink') fs.chmodSync(at, entry.mode);
  for (const [name, value] of Object.entries(entry.xattrs ?? {})) setXattr(at, name, value);
  // Node has no call for every nanosecond.
  const digits = String(entry.mtimeNs).replace('-', '').padStart(10, '0');
  const time = `${entry.mtimeNs < 0n ? '-' : ''}${digits.slice(0, -9)}.${digits.slice(-9)}`;
  execFileSync('xargs', ['-0', 'touch', '-h', '-d', `@${time}`, '--'], { input: at });
}

function setXattr(at: Buffer, name: string, value: string): void {
  const hex = Buffer.from(value, 'latin1').toString('hex');
  const quoted = at.toString('latin1').replace(/[\\\n\r=]/g, (character) => octal(character));
  const restore = `# file: ${quoted}\n${name}=0x${hex}\n\n`;
  execFileSync('setfattr', ['-h', '--restore=-'], { input: Buffer.from(restore, 'latin1') });
}

function octal(character: string): string {
  return `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`;
}

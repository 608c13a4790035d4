import { createHash, hash } from 'node:crypto';
import { closeSync, constants, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { type BytePath, showPath, toBytes } from '../../core/paths.ts';
import { contentDamaged } from '../errors.ts';
import { release } from '../release.ts';
import type { FileToWrite, Piece } from './messages.ts';
import type { OpenedPack } from './pack.ts';

/** Up to here a file is put together in memory, hashed and written with one call each. */
const ONE_WRITE_BYTES = 4 * 1024 * 1024;
const ZEROS = Buffer.alloc(64 * 1024);
const { O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;

/** Creates a file whose bytes all lie in `pack`; a hole is where no piece is. The hash is compared before it is finished. */
export function writeWhole(target: FileToWrite, pieces: readonly Piece[], pack: OpenedPack): void {
  const file = openSync(toBytes(target.file), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    const dense = pieces.reduce((sum, piece) => sum + piece.length, 0) === target.sizeBytes;
    if (dense && target.sizeBytes <= ONE_WRITE_BYTES) {
      const { bytes, own } = gather(target.sizeBytes, pieces, pack);
      compare(target, hash('sha256', bytes, 'hex'));
      writeFully(file, bytes, 0);
      if (own) release(bytes);
    } else {
      compare(target, writeInOrder(file, target.sizeBytes, pieces, pack));
      ftruncateSync(file, target.sizeBytes);
    }
  } finally {
    closeSync(file);
  }
}

/** Makes a file that several packs hold parts of, before its parts are written in any order. */
export function makeForParts(file: BytePath): void {
  closeSync(openSync(toBytes(file), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600));
}

/** Writes some pieces of a file that was made for its parts. */
export function writePart(target: FileToWrite, pieces: readonly Piece[], pack: OpenedPack): void {
  const file = openSync(toBytes(target.file), O_WRONLY | O_NOFOLLOW);
  try {
    writePieces(file, pieces, pack);
  } finally {
    closeSync(file);
  }
}

/** Compares the hash of a file written in parts, or, `isNew`, of holes only or nothing. */
export function finishFile(target: FileToWrite, isNew: boolean): void {
  const flags = isNew ? O_RDWR | O_CREAT | O_EXCL : O_RDWR;
  const file = openSync(toBytes(target.file), flags | O_NOFOLLOW, 0o600);
  try {
    ftruncateSync(file, target.sizeBytes);
    compareWritten(target);
  } finally {
    closeSync(file);
  }
}

/** All of a small file's bytes: as they lie in the pack's frame when they lie in one, else copied together, `own`. */
function gather(sizeBytes: number, pieces: readonly Piece[], pack: OpenedPack): { bytes: Uint8Array; own: boolean } {
  let bytes: Uint8Array | undefined;
  for (const piece of pieces) {
    let at = piece.at;
    for (const part of pack.read(piece.offset, piece.length)) {
      if (part.length === sizeBytes) return { bytes: part, own: false };
      bytes ??= Buffer.allocUnsafe(sizeBytes);
      bytes.set(part, at);
      at += part.length;
    }
  }
  return { bytes: bytes ?? Buffer.alloc(0), own: true };
}

/** Pieces come in the order of the file, so its hash is made as it is written: no second reading. */
function writeInOrder(file: number, sizeBytes: number, pieces: readonly Piece[], pack: OpenedPack): string {
  const running = createHash('sha256');
  let done = 0;
  const hole = (until: number) => {
    for (; done < until; done += Math.min(ZEROS.length, until - done)) {
      running.update(ZEROS.subarray(0, Math.min(ZEROS.length, until - done)));
    }
  };
  for (const piece of pieces) {
    hole(piece.at);
    for (const part of pack.read(piece.offset, piece.length)) {
      writeFully(file, part, done);
      running.update(part);
      done += part.length;
    }
  }
  hole(sizeBytes);
  return running.digest('hex');
}

function writePieces(file: number, pieces: readonly Piece[], pack: OpenedPack): void {
  for (const piece of pieces) {
    let at = piece.at;
    for (const part of pack.read(piece.offset, piece.length)) {
      writeFully(file, part, at);
      at += part.length;
    }
  }
}

function writeFully(file: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, at + done);
}

/** Read back through the page cache: the pieces came in any order, so no running hash could be kept. */
function compareWritten(target: FileToWrite): void {
  const file = openSync(toBytes(target.file), constants.O_RDONLY | O_NOFOLLOW);
  try {
    const running = createHash('sha256');
    const buffer = Buffer.allocUnsafe(1024 * 1024);
    for (let count = readSync(file, buffer); count > 0; count = readSync(file, buffer)) {
      running.update(buffer.subarray(0, count));
    }
    compare(target, running.digest('hex'));
  } finally {
    closeSync(file);
  }
}

function compare(target: FileToWrite, sha256: string): void {
  if (sha256 === target.sha256) return;
  throw contentDamaged({ what: showPath(target.file), why: 'its SHA-256 is not the recorded one' });
}

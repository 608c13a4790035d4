import { closeSync, openSync, readSync, statSync } from 'node:fs';

const sqliteMagic = 'SQLite format 3\0';

export function isSqlite(file: string): boolean {
  try {
    const { size } = statSync(file);
    // A database is a whole number of pages, and no page is smaller.
    if (size === 0 || size % 512 !== 0) return false;
    const descriptor = openSync(file, 'r');
    try {
      const head = Buffer.alloc(sqliteMagic.length);
      readSync(descriptor, head, 0, head.length, 0);
      return head.toString('latin1') === sqliteMagic;
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return false;
  }
}

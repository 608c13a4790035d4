import { countOf } from './size.ts';

/** What a restore point may say that it lacks, by the code of the problem. */
const gaps: Readonly<Record<string, readonly [one: string, many: string]>> = {
  'file-unreadable': ['file that could not be read', 'files that could not be read'],
  'folder-unreadable': ['folder that could not be listed', 'folders that could not be listed'],
  'other-file-system': ['other file system mounted in it', 'other file systems mounted in it'],
  'mount-missing': ['file system that was not mounted', 'file systems that were not mounted'],
  'xattrs-not-captured': [
    'set of ACLs or attributes that was not read',
    'sets of ACLs or attributes that were not read',
  ],
  'table-rewritten': ['table that was rewritten as its dump began', 'tables that were rewritten as their dump began'],
  'link-leads-out': ['link to what is in no backup', 'links to what is in no backup'],
};

/** What was to be in it, and is not: nobody left it out on purpose. A changed file is in it, as it was read. */
const unread = new Set(['file-unreadable', 'folder-unreadable', 'mount-missing']);

export function isUnread(code: string): boolean {
  return unread.has(code);
}

export function isGap(code: string): boolean {
  return Object.hasOwn(gaps, code);
}

/** Of a record's problems, those that say that something is missing. */
export function gapsIn(problems: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(problems).filter(([code]) => isGap(code)));
}

/** `1 file that could not be read, 2 links to what is in no backup` */
export function gapWords(found: Readonly<Record<string, number>>): string {
  return Object.entries(found)
    .map(([code, count]) => countOf(count, ...(gaps[code] ?? ([code, code] as const))))
    .join(', ');
}

import type { Entry, FileEntry } from '../../core/entry.ts';
import type { BytePath } from '../../core/paths.ts';
import type { ContentOutcome } from './messages.ts';

export type FileOnDisk = FileEntry & { readonly content: { readonly from: 'file' } };

/**
 * Hard links are entries that name the first of their names. Where that led to another file when it was read, or to none, the bytes
 * stored for it are not theirs: such a link becomes a file, read under its own name.
 */
export function startApart() {
  /** First names: the folder that paths start from, and what the file was. */
  const firsts = new Map<BytePath, Pick<FileOnDisk['content'], 'file' | 'seen'>>();
  let reads = 0;
  return {
    note(entry: Entry, outcome: ContentOutcome): void {
      if (entry.type !== 'file' || entry.content.from !== 'file') return;
      if (outcome.ok ? !outcome.replaced : outcome.reason !== 'vanished') return;
      const { file, seen } = entry.content;
      if (!file.endsWith(`/${entry.path}`)) return;
      firsts.set(entry.path, { file: file.slice(0, -entry.path.length), ...(seen && { seen }) });
    },
    /** The file that a hard link is by itself; undefined for everything else. */
    fileOf(entry: Entry): FileOnDisk | undefined {
      const first = entry.type === 'hardlink' ? firsts.get(entry.target) : undefined;
      if (entry.type !== 'hardlink' || first === undefined) return undefined;
      reads++;
      const { target: _, ...metadata } = entry;
      return { ...metadata, type: 'file', content: { from: 'file', ...first, file: first.file + entry.path } };
    },
    /** How many were asked for. */
    get reads(): number {
      return reads;
    },
  };
}

const accessList = 'system.posix_acl_access';

/**
 * The entry as the file was when it was opened. Another file's attributes are not known: where the first had a list of who may do what,
 * the middle bits may be the mask of such a list, so the group gets no more than everybody.
 */
export function asOpened(entry: Entry, { replaced, now }: Extract<ContentOutcome, { ok: true }>): Entry {
  if (now === undefined) return entry;
  if (!replaced) return { ...entry, ...now };
  const { xattrs, ...plain } = entry;
  const mask = xattrs?.[accessList] === undefined ? 0o7777 : ~0o070 | ((now.mode & 7) << 3);
  return { ...plain, ...now, mode: now.mode & mask } as Entry;
}

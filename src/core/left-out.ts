import type { Problem } from './run.ts';
import { countOf, formatSize } from './size.ts';

/** What one rule keeps out of a dataset's restore points. */
export interface LeftOut {
  /** A pattern, or what the rule goes by: `CACHEDIR.TAG`, `other file systems`. */
  readonly rule: string;
  /** The key of the dataset that has it so; `always` where none changes it. */
  readonly by: 'exclude' | 'defaultExcludes' | 'oneFileSystem' | 'always';
  readonly reason: string;
  /** Everything but folders. */
  readonly files: number;
  readonly bytes: number;
  readonly folders: number;
  /** There is more: too much to count at each backup, or what must not be looked at. */
  readonly more?: true;
  /** Of a database, whose rules name tables: how many, each partition too. There are no files then. */
  readonly tables?: number;
  /** As the server's statistics have it: nobody counted them. Absent where it does not know. */
  readonly rows?: number;
}

/** Nothing but a rule's own words says that it takes these many more; fewer come and go. */
const fewest = 20;
const leastBytes = 16 * 1024 * 1024;

export function takesSomething({ files, folders, more, tables = 0 }: LeftOut): boolean {
  return files > 0 || folders > 0 || tables > 0 || more === true;
}

/** All rules together. */
export function totalOf(rules: readonly LeftOut[]): Pick<LeftOut, 'files' | 'bytes'> & { readonly rules: number } {
  const taking = rules.filter(takesSomething);
  const sum = (of: (one: LeftOut) => number) => taking.reduce((total, one) => total + of(one), 0);
  return { rules: taking.length, files: sum(({ files }) => files), bytes: sum(({ bytes }) => bytes) };
}

/** `2 files, 12 KiB`, `nothing`, `at least 9 files, 1 MiB`, `about 3,000 rows, 1 MiB` */
export function amountWords(one: Omit<LeftOut, 'rule' | 'by' | 'reason'>): string {
  const { files, bytes, folders, more, tables } = one;
  if (tables !== undefined) return tableWords(tables, one);
  if (files === 0 && more === true) return `${countOf(folders, 'folder')}, not looked into`;
  if (files === 0) return folders === 0 ? 'nothing' : countOf(folders, 'empty folder');
  return `${more === true ? 'at least ' : ''}${countOf(files, 'file')}, ${formatSize(bytes)}`;
}

function tableWords(tables: number, { rows, bytes }: Pick<LeftOut, 'rows' | 'bytes'>): string {
  if (tables === 0) return 'nothing';
  const amounts = [
    ...(rows === undefined ? [] : [`about ${countOf(rows, 'row')}`]),
    ...(rows === undefined && bytes === 0 ? [] : [formatSize(bytes)]),
  ];
  return [...(tables > 1 || amounts.length === 0 ? [countOf(tables, 'table')] : []), ...amounts].join(', ');
}

/** `'*.tmp' (temporary file): 2 files, 12 KiB` */
export function leftOutWords(one: LeftOut): string {
  return `${nameOf(one)} (${one.reason}): ${amountWords(one)}`;
}

function nameOf({ rule, by }: LeftOut): string {
  return by === 'exclude' || by === 'defaultExcludes' ? `'${rule}'` : rule;
}

/**
 * What a rule does otherwise than at the last restore point: it takes nothing any more, or much more. Both lists hold all rules that
 * can take something; of `before`, those that took nothing may be missing.
 */
export function changesOf(before: readonly LeftOut[], now: readonly LeftOut[]): Problem[] {
  return now.flatMap((one): Problem[] => {
    const was = before.find(({ rule, by }) => rule === one.rule && by === one.by);
    // A pattern that was just written does what it was written for.
    if (was === undefined && one.by === 'exclude') return [];
    const then = was ?? { ...one, files: 0, bytes: 0, folders: 0 };
    const rule = nameOf(one);
    // A table that is not there is told at every backup; sockets and the like come and go with their programs.
    const comesAndGoes = one.tables !== undefined || one.by === 'always';
    if (was !== undefined && takesSomething(was) && !takesSomething(one) && !comesAndGoes) {
      const message = `${rule} leaves out nothing any more; at the last backup it was ${amountWords(was)}.`;
      return [{ code: 'exclude-takes-nothing', message }];
    }
    const muchMore =
      (one.files > then.files * 2 && one.files - then.files >= fewest) ||
      (one.bytes > then.bytes * 2 && one.bytes - then.bytes >= leastBytes);
    if (!muchMore) return [];
    const message = `${rule} leaves out much more than before: ${amountWords(one)}; at the last backup it was ${amountWords(then)}.`;
    return [{ code: 'exclude-takes-more', message }];
  });
}

const keys = new Set<unknown>(['exclude', 'defaultExcludes', 'oneFileSystem', 'always']);

/** What a capture's facts name under `leftOut`. */
export function leftOutIn({ leftOut }: Readonly<Record<string, unknown>>): readonly LeftOut[] {
  return Array.isArray(leftOut) ? leftOut.filter(isLeftOut) : [];
}

function isLeftOut(one: Partial<LeftOut> | null): one is LeftOut {
  if (typeof one?.rule !== 'string' || typeof one.reason !== 'string' || !keys.has(one.by)) return false;
  const { files, bytes, folders, tables = 0, rows = 0 } = one;
  return [files, bytes, folders, tables, rows].every((count) => Number.isSafeInteger(count) && count! >= 0);
}

import { changesOf, type LeftOut, takesSomething } from '../../core/left-out.ts';
import { type BytePath, showPath } from '../../core/paths.ts';
import type { Problem } from '../../core/run.ts';
import { cacheRule } from './default-excludes.ts';
import type { ExcludeRule } from './excludes.ts';
import type { LeftOutBy, Weight } from './walk.ts';

/** A rule of the configuration, or one of those that `defaultExcludes` adds. */
export interface CaptureRule extends ExcludeRule {
  readonly isDefault: boolean;
}

/** What no pattern says, and leaves something out all the same. */
const unwritten: Readonly<Record<Exclude<LeftOutBy, number>, Pick<LeftOut, 'rule' | 'by' | 'reason'>>> = {
  'cache-folder': cacheRule,
  'other-file-system': { rule: 'other file systems', by: 'oneFileSystem', reason: 'mounted in the folder' },
  leftover: { rule: '.lifeboat-restoring-*', by: 'always', reason: 'remains of a restore that was interrupted' },
  socket: { rule: 'sockets', by: 'always', reason: 'their programs make them again' },
  // Who closes it takes all locks of its process on it away: a connection beside would lose a commit.
  'sqlite-index': { rule: '*-shm of SQLite', by: 'always', reason: 'SQLite makes it again from the log beside it' },
};

/** Adds up what each rule leaves out of one capture. */
export function startLeftOut(rules: readonly CaptureRule[]) {
  const sums = new Map<LeftOutBy, { files: number; bytes: number; folders: number; more: boolean }>();
  const spelled = new Map<number, BytePath>();

  function all(): LeftOut[] {
    const written = rules.map(({ pattern, reason, isDefault }, at) => {
      const by = isDefault ? ('defaultExcludes' as const) : ('exclude' as const);
      return [at, { rule: pattern, by, reason }] as const;
    });
    const others = Object.entries(unwritten) as [Exclude<LeftOutBy, number>, (typeof unwritten)['socket']][];
    return [...written, ...others].map(([by, rule]) => {
      const { more = false, ...sum } = sums.get(by) ?? { files: 0, bytes: 0, folders: 0 };
      return { ...rule, ...sum, ...(more && { more }) };
    });
  }

  return {
    add(by: LeftOutBy, weight: Weight): void {
      const sum = sums.get(by) ?? { files: 0, bytes: 0, folders: 0, more: false };
      sum.files += weight.files;
      sum.bytes += weight.bytes;
      sum.folders += weight.folders;
      sum.more ||= weight.more;
      sums.set(by, sum);
    },
    /** A rule would take this, were it written with other case or another normal form. */
    spelled(rule: number, path: BytePath): void {
      if (!spelled.has(rule)) spelled.set(rule, path);
    },
    /** The configuration's own rules, and of the others those that took something. */
    list: () => all().filter((one) => one.by === 'exclude' || takesSomething(one)),
    /** `before`: the list of the last restore point, where it is known. */
    problems(before: readonly LeftOut[] | undefined, captured: number): Problem[] {
      const found = all();
      const problems = before === undefined ? [] : changesOf(before, found);
      for (const [at, path] of spelled) {
        const one = found[at]!;
        if (one.by !== 'exclude' || takesSomething(one)) continue;
        const message = `'${one.rule}' leaves out nothing, but ${showPath(path)} is there: patterns go by the very letters of a name, case and accents too.`;
        problems.push({ code: 'exclude-other-spelling', message });
      }
      const taking = found.filter(({ files }) => files > 0);
      if (captured === 0 && taking.length > 0) {
        const by = taking.map(({ rule }) => rule).join(', ');
        problems.push({ code: 'everything-left-out', message: `Everything in it is left out, by ${by}.` });
      }
      return problems;
    },
  };
}

import { entryNotRestored, notMadeAgain } from '../../../core/not-as-it-was.ts';
import { countOf, formatSize } from '../../../core/size.ts';
import type { Copy, Finding } from '../parts.ts';

/** A comparison with what this host's file system did not take finds differences that are not the backup's fault. */
export function unlessRefused(finding: Finding, { restored }: Copy): Finding {
  const isRefused = restored.problems.some(({ code }) => code === entryNotRestored);
  return finding.verdict === 'fail' && isRefused ? { ...finding, verdict: 'error' } : finding;
}

/** What a restore that ended well says. That every byte had its hash was the restore's own condition. */
export function checkRestored(copy: Copy): Finding {
  const { files, bytes, problems } = copy.restored;
  const lost = problems.filter(({ code }) => code === notMadeAgain).map(({ message }) => message);
  const recorded = copy.contents.expectations?.tables ?? [];
  const rows = recorded.reduce((sum, table) => sum + table.rows, 0);
  const looked = files > 0 ? files : bytes > 0 ? 1 : 0;
  const what = files > 0 ? `${countOf(files, 'file')}, ${formatSize(bytes)}` : formatSize(bytes);
  const note = problems.length === 0 ? '' : ` ${countOf(problems.length, 'remark')}: ${problems[0]?.message ?? ''}`;
  const refused = problems.filter(({ code }) => code === entryNotRestored).map(({ message }) => message);
  const expected = 'every byte with the hash that was recorded';
  if (lost.length > 0) return { verdict: 'fail', looked, expected, actual: what, message: lost.slice(0, 5).join(' ') };
  // Not the backup's fault: it holds them.
  if (refused.length > 0)
    return { verdict: 'error', looked, expected, actual: what, message: refused.slice(0, 5).join(' ') };
  return {
    verdict: 'pass',
    looked,
    emptyIsRight: recorded.length > 0 && rows === 0,
    expected,
    actual: what,
    message: `${copy.dataset} is back: ${what}.${note}`,
  };
}

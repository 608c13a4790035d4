import { countOf, formatSize } from '../../../core/size.ts';
import type { Copy, Finding } from '../parts.ts';

/** What a restore that ended well says. That every byte had its hash was the restore's own condition. */
export function checkRestored(copy: Copy): Finding {
  const { files, bytes, problems } = copy.restored;
  const recorded = copy.contents.expectations?.tables ?? [];
  const rows = recorded.reduce((sum, table) => sum + table.rows, 0);
  const looked = files > 0 ? files : bytes > 0 ? 1 : 0;
  const what = files > 0 ? `${countOf(files, 'file')}, ${formatSize(bytes)}` : formatSize(bytes);
  const note = problems.length === 0 ? '' : ` ${countOf(problems.length, 'remark')}: ${problems[0]?.message ?? ''}`;
  return {
    verdict: 'pass',
    looked,
    emptyIsRight: recorded.length > 0 && rows === 0,
    expected: 'every byte with the hash that was recorded',
    actual: what,
    message: `${copy.dataset} is back: ${what}.${note}`,
  };
}

import { isAccepted } from '../../core/accepted.ts';
import { isBelow } from '../../core/below.ts';
import { type BytePath, showPath, toBytes } from '../../core/paths.ts';
import { countOf } from '../../core/size.ts';
import { realPath } from '../../sandbox/cell.ts';
import { ofSystem } from '../../sandbox/hidden.ts';
import { pathsOf } from '../../sources/engines.ts';
import type { Drill } from './parts.ts';

/**
 * Where a copy's links lead that no backup holds: the application must not see it on this host, or it would answer from live data. Who
 * accepted such links has it elsewhere. What the application or a dataset lies in cannot be hidden, and programs are no data.
 */
export function noteLedOut(dataset: string, targets: readonly BytePath[], { parts, ledOut }: Drill): void {
  const { app } = parts.system.drill;
  if (isAccepted(parts.system.accepted, 'link-leads-out', dataset)) return;
  const datasets = Object.values(parts.system.datasets).flatMap(pathsOf);
  const homes = [...datasets, ...(app ? [app.directory, ...app.writes] : [])].map(realPath);
  for (const target of targets) {
    const text = toBytes(target).toString('utf8');
    if (text.includes('\ufffd')) continue;
    const real = realPath(text);
    if (!ofSystem.has(real) && !homes.some((home) => isBelow(home, real))) ledOut.add(real);
  }
}

/** For the report, once the application was to start. */
export function ledOutSentence({ ledOut }: Drill): string | undefined {
  const [first, ...rest] = ledOut;
  if (first === undefined) return undefined;
  const more = rest.length === 0 ? '' : ` and ${countOf(rest.length, 'more place', 'more places')}`;
  return `The application did not see ${showPath(first)}${more}: links lead there, and no backup holds it. Where a new server has it all the same, accept link-leads-out.`;
}
